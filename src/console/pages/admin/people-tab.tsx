import { useQuery, useQueryClient } from '@tanstack/react-query';
import { UserPlus } from 'lucide-react';
import { useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { Empty } from '../../components/empty.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';
import { InviteDialog } from './invite-dialog.tsx';
import { PersonDialog } from './person-dialog.tsx';
import { useChange } from './use-change.ts';

type Person = Schemas['Person'];

export function usePeople() {
  const { api } = useApp();
  return useQuery({ queryKey: ['people'], queryFn: () => answer(api.GET('/v1/people')) });
}

function roleWords({ role, supervisor_type }: Person): string {
  if (role === 'admin') return 'Admin';
  return supervisor_type === 'voice' ? 'Supervisor, voice' : 'Supervisor, chat';
}

function RemoveDialog({ person, onClose }: { readonly person: Person; readonly onClose: () => void }) {
  const { api } = useApp();
  const queries = useQueryClient();
  const { busy, problem, run } = useChange();
  const remove = async (): Promise<void> => {
    const path = { id: person.id };
    const gone = await run(() => answer(api.DELETE('/v1/people/{id}', { params: { path } })), 'Removed.');
    if (!gone) return;
    await queries.invalidateQueries({ queryKey: ['people'] });
    onClose();
  };
  return (
    <Dialog
      title={`Remove ${person.name}?`}
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onPress={onClose}>Keep</Button>
          <Button look="danger" isPending={busy} onPress={() => void remove()}>
            Remove
          </Button>
        </>
      }
    >
      <p>They can see nothing any more, at once. What they did stays in the records under their name.</p>
      <ProblemNotice problem={problem} />
    </Dialog>
  );
}

export function PeopleTab() {
  const me = useMe();
  const people = usePeople();
  const [inviting, setInviting] = useState(false);
  const [changing, setChanging] = useState<Person | null>(null);
  const [removing, setRemoving] = useState<Person | null>(null);
  const zone = me?.business.time_zone ?? 'UTC';
  const columns: TableColumn<Person>[] = [
    { id: 'name', title: 'Name', isName: true, cell: ({ name }) => <strong>{name}</strong> },
    { id: 'email', title: 'E-mail', cell: ({ email }) => email },
    { id: 'role', title: 'Role', cell: roleWords },
    {
      id: 'agents',
      title: 'Agents',
      cell: ({ agents }) =>
        agents.map(({ name, covering }) => (covering ? `${name} (covers)` : name)).join(', ') || '–',
    },
    { id: 'seen', title: 'Last here', cell: ({ last_seen_at }) => formatMoment(last_seen_at, zone) },
    {
      id: 'actions',
      title: 'Change',
      cell: (person) => (
        <span className="row">
          <Button size="small" aria-label={`Change ${person.name}`} onPress={() => setChanging(person)}>
            Change
          </Button>
          {person.id !== me?.id && (
            <Button
              size="small"
              look="plain"
              aria-label={`Remove ${person.name}`}
              onPress={() => setRemoving(person)}
            >
              Remove
            </Button>
          )}
        </span>
      ),
    },
  ];
  return (
    <div className="stack">
      <div className="row-end">
        <Button look="primary" onPress={() => setInviting(true)}>
          <UserPlus aria-hidden />
          Invite a person
        </Button>
      </div>
      <Loaded query={people} what="the people">
        {({ data }) => (
          <Table
            label="People"
            columns={columns}
            rows={data}
            rowId={({ id }) => id}
            empty={<Empty title="Nobody" />}
          />
        )}
      </Loaded>
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
      {changing && <PersonDialog person={changing} onClose={() => setChanging(null)} />}
      {removing && <RemoveDialog person={removing} onClose={() => setRemoving(null)} />}
    </div>
  );
}
