import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { Select, TextInput } from '../../components/field.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { RawArguments } from '../../decisions/raw-arguments.tsx';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment, startOfDay } from '../shared/time-zone.ts';
import { usePeople } from './people-tab.tsx';

type Event = Schemas['AuditEvent'];

const KINDS: readonly { readonly id: string; readonly label: string }[] = [
  { id: '', label: 'Everything' },
  {
    id: 'agent.created,agent.changed,agent.removed,tool.created,tool.changed,tool.removed',
    label: 'Agents and tools',
  },
  { id: 'person.created,person.changed,person.removed', label: 'People' },
  { id: 'archive.exported', label: 'Exports' },
];

function who({ actor_name, actor_kind }: Event): string {
  if (actor_name !== null) return actor_name;
  return actor_kind === 'system' ? 'the database itself' : 'a service or an operator';
}

function columns(zone: string): TableColumn<Event>[] {
  return [
    { id: 'when', title: 'When', cell: ({ created_at }) => formatMoment(created_at, zone) },
    { id: 'who', title: 'Who', cell: who },
    {
      id: 'what',
      title: 'What',
      isName: true,
      cell: ({ action }) => action.replace('.', ' ').replaceAll('_', ' '),
    },
    {
      id: 'details',
      title: 'Details',
      cell: ({ subject_type, subject_id, details }) => (
        <details className="call">
          <summary>{subject_type.replaceAll('_', ' ')}</summary>
          <p className="quiet">{subject_id}</p>
          <RawArguments label="What was recorded" value={details} />
        </details>
      ),
    },
  ];
}

/** Only ever added to: nobody can change what stands here, admins included. */
export function AuditTab() {
  const { api } = useApp();
  const me = useMe();
  const people = usePeople();
  const [actor, setActor] = useState('');
  const [action, setAction] = useState('');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const zone = me?.business.time_zone ?? 'UTC';
  const filter = {
    ...(actor ? { actor } : {}),
    ...(action ? { action } : {}),
    ...(from ? { from: startOfDay(from, zone).toISOString() } : {}),
    ...(to ? { to: startOfDay(to, zone, 1).toISOString() } : {}),
  };
  const events = useInfiniteQuery({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...filter, limit: 50, ...(pageParam ? { cursor: pageParam } : {}) };
      return answer(api.GET('/v1/audit', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor }) => next_cursor,
  });
  return (
    <div className="stack">
      <div className="filters">
        <Select
          label="Who"
          choices={[
            { id: '', label: 'Everybody' },
            ...(people.data?.data ?? []).map(({ id, name }) => ({ id, label: name })),
          ]}
          value={actor}
          onChange={setActor}
        />
        <Select label="What" choices={KINDS} value={action} onChange={setAction} />
        <TextInput label="From" type="date" value={from} onChange={setFrom} />
        <TextInput label="Until" type="date" value={to} onChange={setTo} />
      </div>
      <Loaded query={events} what="the audit log">
        {({ pages }) => (
          <Table
            label="Audit log"
            columns={columns(zone)}
            rows={pages.flatMap(({ data }) => data)}
            rowId={({ id }) => String(id)}
            empty={<Empty title="Nothing was recorded">Nobody did anything of that kind in that time.</Empty>}
          />
        )}
      </Loaded>
      {events.hasNextPage && (
        <Button isPending={events.isFetchingNextPage} onPress={() => void events.fetchNextPage()}>
          Show more
        </Button>
      )}
    </div>
  );
}
