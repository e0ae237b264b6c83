import { useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, type Schemas } from '../../client/api.ts';
import { Empty } from '../../components/empty.tsx';
import { Select } from '../../components/field.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { Loaded } from '../shared/query-state.tsx';
import { usePeople } from './people-tab.tsx';
import { useChange } from './use-change.ts';

type Agent = Schemas['Agent'];
type Person = Schemas['Person'];
type Assignment = Schemas['AssignAgent'];

function Row({ agent, people }: { readonly agent: Agent; readonly people: readonly Person[] }) {
  const { api } = useApp();
  const queries = useQueryClient();
  const { busy, problem, done, run } = useChange();
  const fitting = people.filter(({ supervisor_type }) => supervisor_type === agent.agent_type);
  const choices = fitting.map(({ id, name }) => ({ id, label: name }));
  const assign = (body: Assignment): void => {
    const path = { id: agent.id };
    void run(async () => {
      await answer(api.PATCH('/v1/agents/{id}/assignment', { params: { path }, body }));
      await Promise.all(['agents', 'people'].map((key) => queries.invalidateQueries({ queryKey: [key] })));
    }, 'Saved.');
  };
  return (
    <li className="tool">
      <strong>{agent.name}</strong>
      <div className="form-grid">
        <Select
          label={`Supervisor of ${agent.name}`}
          choices={choices}
          value={agent.supervisor_id}
          isDisabled={busy}
          onChange={(supervisor_id) => assign({ supervisor_id })}
        />
        <Select
          label={`Cover for ${agent.name}`}
          choices={[{ id: '', label: 'Nobody' }, ...choices.filter(({ id }) => id !== agent.supervisor_id)]}
          value={agent.cover_id ?? ''}
          isDisabled={busy}
          onChange={(id) => assign({ cover_id: id === '' ? null : id })}
        />
      </div>
      <p role="status" className="quiet">
        {done}
      </p>
      <ProblemNotice problem={problem} />
    </li>
  );
}

/** Who watches which agent, and who does when they are not there. */
export function AssignmentTab() {
  const { api } = useApp();
  const people = usePeople();
  const agents = useQuery({ queryKey: ['agents'], queryFn: () => answer(api.GET('/v1/agents')) });
  return (
    <Loaded query={agents} what="the agents">
      {({ data }) =>
        data.length === 0 ? (
          <Empty title="No agents yet">They are made from files with “floorwalker agents apply”.</Empty>
        ) : (
          <ul className="stack">
            {data.map((agent) => (
              <Row key={agent.id} agent={agent} people={people.data?.data ?? []} />
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}
