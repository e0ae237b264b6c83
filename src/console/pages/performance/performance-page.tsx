import '../pages.css';
import { useQuery } from '@tanstack/react-query';
import { Trophy } from 'lucide-react';
import { useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { ToggleButton } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { formatDuration } from '../../live/clock.ts';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { useTitle } from '../../shell/title.tsx';
import { Loaded } from '../shared/query-state.tsx';
import { Trend } from './trend.tsx';

type Report = Schemas['PerformanceReport'];
type Period = Report['period'];
type Person = Report['supervisors'][number];
type Place = Report['leaderboard'][number];
type Agent = Report['agents'][number];

const PERIODS: readonly { readonly id: Period; readonly label: string }[] = [
  { id: 'today', label: 'Today' },
  { id: 'month', label: 'This month' },
];

const round = (value: number | null, unit = ''): string =>
  value === null ? '–' : `${Math.round(value)}${unit}`;
const length = (seconds: number | null): string => (seconds === null ? '–' : formatDuration(seconds));
const channel = (type: 'voice' | 'chat'): string => (type === 'voice' ? 'Voice' : 'Chat');

const PLACES: TableColumn<Place>[] = [
  { id: 'rank', title: 'Place', isNumber: true, cell: ({ rank }) => rank },
  {
    id: 'name',
    title: 'Supervisor',
    isName: true,
    cell: ({ name, is_me }) => (
      <>
        {name} {is_me && <span className="tag tag-human">you</span>}
      </>
    ),
  },
  { id: 'type', title: 'Channel', cell: ({ supervisor_type }) => channel(supervisor_type) },
  { id: 'score', title: 'Score', isNumber: true, cell: ({ score }) => round(score) },
];

const PEOPLE: TableColumn<Person>[] = [
  { id: 'name', title: 'Supervisor', isName: true, cell: ({ name }) => name },
  { id: 'type', title: 'Channel', cell: ({ supervisor_type }) => channel(supervisor_type) },
  { id: 'score', title: 'Score', isNumber: true, cell: ({ score }) => round(score) },
  { id: 'calls', title: 'Conversations', isNumber: true, cell: ({ total_calls }) => total_calls },
  { id: 'csat', title: 'CSAT', isNumber: true, cell: ({ avg_csat }) => round(avg_csat) },
  { id: 'handle', title: 'Length', isNumber: true, cell: ({ avg_handle_time }) => length(avg_handle_time) },
  {
    id: 'fcr',
    title: 'First contact',
    isNumber: true,
    cell: ({ fcr_percentage }) => round(fcr_percentage, ' %'),
  },
];

const AGENTS: TableColumn<Agent>[] = [
  { id: 'name', title: 'Agent', isName: true, cell: ({ agent_name }) => agent_name },
  {
    id: 'count',
    title: 'Conversations',
    isNumber: true,
    cell: ({ total_interactions }) => total_interactions,
  },
  { id: 'csat', title: 'CSAT', isNumber: true, cell: ({ avg_csat }) => round(avg_csat) },
  { id: 'handle', title: 'Length', isNumber: true, cell: ({ avg_handle_time }) => length(avg_handle_time) },
  {
    id: 'fcr',
    title: 'First contact',
    isNumber: true,
    cell: ({ fcr_percentage }) => round(fcr_percentage, ' %'),
  },
];

const NOTHING = (
  <Empty icon={<Trophy aria-hidden />} title="Nothing to compare yet">
    Figures appear when conversations of this time have ended.
  </Empty>
);

function Figures({ report }: { readonly report: Report }) {
  return (
    <>
      <section className="panel stack" aria-label="Leaderboard">
        <h2>Leaderboard</h2>
        <Table
          label="Leaderboard"
          columns={PLACES}
          rows={report.leaderboard}
          rowId={({ rank, name, username }) => `${rank} ${username ?? name}`}
          empty={NOTHING}
        />
      </section>
      <section className="panel stack" aria-label="Supervisors">
        <h2>Supervisors</h2>
        <p className="quiet">
          The score is half CSAT; the rest is how many conversations and how long they took, within one
          channel.
        </p>
        <Table
          label="Supervisors"
          columns={PEOPLE}
          rows={report.supervisors}
          rowId={({ supervisor_id }) => supervisor_id}
          empty={NOTHING}
        />
      </section>
      <section className="panel stack" aria-label="Agents">
        <h2>Agents</h2>
        <Table
          label="Agents"
          columns={AGENTS}
          rows={report.agents}
          rowId={({ agent_id }) => agent_id}
          empty={NOTHING}
        />
      </section>
    </>
  );
}

export default function PerformancePage() {
  useTitle('Performance');
  const { api } = useApp();
  const me = useMe();
  const [period, setPeriod] = useState<Period>('today');
  const report = useQuery({
    queryKey: ['performance', period],
    queryFn: ({ signal }) => answer(api.GET('/v1/performance', { params: { query: { period } }, signal })),
    placeholderData: (before) => before,
  });
  return (
    <div className="stack">
      <fieldset className="row plain-fieldset">
        <legend className="only-read-aloud">Time</legend>
        <span className="row">
          {PERIODS.map(({ id, label }) => (
            <ToggleButton key={id} isSelected={id === period} onChange={() => setPeriod(id)}>
              {label}
            </ToggleButton>
          ))}
          {me && <span className="quiet">Days as in {me.business.time_zone}.</span>}
        </span>
      </fieldset>
      <Loaded query={report} what="the figures">
        {(data) => <Figures report={data} />}
      </Loaded>
      <Trend />
    </div>
  );
}
