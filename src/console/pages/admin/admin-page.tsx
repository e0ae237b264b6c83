import '../pages.css';
import { type Key, useMemo } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { useSearchParams } from 'wouter';
import { Empty } from '../../components/empty.tsx';
import { useMe } from '../../session/me.ts';
import { useTitle } from '../../shell/title.tsx';
import { AssignmentTab } from './assignment-tab.tsx';
import { AuditTab } from './audit-tab.tsx';
import { BusinessTab } from './business-tab.tsx';
import { CallbacksTab } from './callbacks-tab.tsx';
import { PeopleTab } from './people-tab.tsx';

const TABS = [
  { id: 'people', label: 'People', content: PeopleTab },
  { id: 'assignment', label: 'Who supervises what', content: AssignmentTab },
  { id: 'business', label: 'Business', content: BusinessTab },
  { id: 'callbacks', label: 'Callbacks', content: CallbacksTab },
  { id: 'audit', label: 'Audit log', content: AuditTab },
] as const;

/** For admins; the API refuses everybody else, whatever is shown here. */
export default function AdminPage() {
  useTitle('Administration');
  const me = useMe();
  const [parameters, setParameters] = useSearchParams();
  const asked = parameters.get('tab');
  const selected = useMemo(() => TABS.find(({ id }) => id === asked)?.id ?? 'people', [asked]);
  if (!me) return null;
  if (me.role !== 'admin') {
    return (
      <Empty title="This page is for admins">
        Ask an admin of {me.business.name} if you need something changed.
      </Empty>
    );
  }
  return (
    <Tabs selectedKey={selected} onSelectionChange={(key: Key) => setParameters({ tab: String(key) })}>
      <TabList aria-label="Administration" className="tabs">
        {TABS.map(({ id, label }) => (
          <Tab key={id} id={id} className="tab">
            {label}
          </Tab>
        ))}
      </TabList>
      {TABS.map(({ id, content: Content }) => (
        <TabPanel key={id} id={id} className="tab-panel">
          <Content />
        </TabPanel>
      ))}
    </Tabs>
  );
}
