import { useQuery, useQueryClient } from '@tanstack/react-query';
import { PhoneCall } from 'lucide-react';
import { useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { Select } from '../../components/field.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';
import { useChange } from './use-change.ts';

type Callback = Schemas['Callback'];

const STATES = [
  { id: 'open', label: 'Waiting to be called' },
  { id: 'done', label: 'Called back' },
] as const;
type State = (typeof STATES)[number]['id'];

/** Customers who were promised a call, of the whole business. */
export function CallbacksTab() {
  const { api } = useApp();
  const queries = useQueryClient();
  const me = useMe();
  const [status, setStatus] = useState<State>('open');
  const { busy, problem, run } = useChange();
  const zone = me?.business.time_zone ?? 'UTC';
  const callbacks = useQuery({
    queryKey: ['callbacks', status],
    queryFn: ({ signal }) =>
      answer(api.GET('/v1/callbacks', { params: { query: { status, limit: 100 } }, signal })),
  });
  const finish = (id: string): void => {
    void run(async () => {
      await answer(api.POST('/v1/callbacks/{id}/done', { params: { path: { id } }, body: {} }));
      await queries.invalidateQueries({ queryKey: ['callbacks'] });
    }, 'Done.');
  };
  const columns: TableColumn<Callback>[] = [
    { id: 'phone', title: 'Number', isName: true, cell: ({ phone_number }) => phone_number },
    { id: 'reason', title: 'Why', cell: ({ reason }) => reason },
    { id: 'when', title: 'Wished time', cell: ({ preferred_time }) => preferred_time ?? 'any' },
    { id: 'asked', title: 'Asked', cell: ({ requested_at }) => formatMoment(requested_at, zone) },
    {
      id: 'done',
      title: 'Done',
      cell: ({ id, phone_number, done_at, done_by_name }) =>
        done_at === null ? (
          <Button
            size="small"
            aria-label={`${phone_number} was called back`}
            isDisabled={busy}
            onPress={() => finish(id)}
          >
            Called back
          </Button>
        ) : (
          `${formatMoment(done_at, zone)}${done_by_name ? `, ${done_by_name}` : ''}`
        ),
    },
  ];
  return (
    <div className="stack">
      <div className="form-grid">
        <Select label="Show" choices={STATES} value={status} onChange={(id) => setStatus(id as State)} />
      </div>
      <ProblemNotice problem={problem} />
      <Loaded query={callbacks} what="the callbacks">
        {({ data }) => (
          <Table
            label="Callbacks"
            columns={columns}
            rows={data}
            rowId={({ id }) => id}
            empty={
              <Empty
                icon={<PhoneCall aria-hidden />}
                title={status === 'open' ? 'Nobody waits for a call' : 'None yet'}
              >
                When no supervisor is there, an agent offers to have the customer called back.
              </Empty>
            }
          />
        )}
      </Loaded>
    </div>
  );
}
