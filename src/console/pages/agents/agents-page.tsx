import '../pages.css';
import { useQuery } from '@tanstack/react-query';
import { Bot } from 'lucide-react';
import { useLocation } from 'wouter';
import { answer, type Schemas } from '../../client/api.ts';
import { Empty } from '../../components/empty.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { useTitle } from '../../shell/title.tsx';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';

type Agent = Schemas['Agent'];

const STATUS_WORDS: Readonly<Record<Agent['status'], string>> = {
  idle: 'Idle',
  in_call: 'In a call',
  in_chat: 'In a chat',
  paused: 'Waits for a decision',
};

function columns(zone: string): TableColumn<Agent>[] {
  return [
    { id: 'name', title: 'Agent', isName: true, cell: ({ name }) => <strong>{name}</strong> },
    { id: 'type', title: 'Channel', cell: ({ agent_type }) => (agent_type === 'voice' ? 'Voice' : 'Chat') },
    { id: 'status', title: 'Now', cell: ({ status }) => STATUS_WORDS[status] },
    { id: 'language', title: 'Language', cell: ({ language }) => language },
    { id: 'public', title: 'Open to the public', cell: (agent) => (agent.public ? 'Yes' : 'No') },
    { id: 'version', title: 'Version', isNumber: true, cell: ({ version }) => version },
    { id: 'updated', title: 'Changed', cell: ({ updated_at }) => formatMoment(updated_at, zone) },
  ];
}

export default function AgentsPage() {
  useTitle('Agents');
  const { api } = useApp();
  const me = useMe();
  const [, go] = useLocation();
  const agents = useQuery({ queryKey: ['agents'], queryFn: () => answer(api.GET('/v1/agents')) });
  return (
    <Loaded query={agents} what="the agents">
      {({ data }) => (
        <Table
          label="Agents"
          columns={columns(me?.business.time_zone ?? 'UTC')}
          rows={data}
          rowId={({ id }) => id}
          onOpen={(id) => go(`/agents/${id}`)}
          empty={
            <Empty icon={<Bot aria-hidden />} title="No agent is yours yet">
              Agents are made from files with “floorwalker agents apply”; an admin says who supervises them.
            </Empty>
          }
        />
      )}
    </Loaded>
  );
}
