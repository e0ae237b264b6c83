import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { Select, TextInput } from '../../components/field.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { useChange } from './use-change.ts';

type Person = Schemas['Person'];

const PARTS = [
  { id: 'chat', label: 'Supervisor of chats' },
  { id: 'voice', label: 'Supervisor of calls' },
  { id: 'admin', label: 'Admin' },
] as const;
type Part = (typeof PARTS)[number]['id'];

const partOf = ({ role, supervisor_type }: Person): Part =>
  role === 'admin' ? 'admin' : (supervisor_type ?? 'chat');

/** Only what differs is sent, so that two admins who change different things do not undo each other. */
export function PersonDialog({ person, onClose }: { readonly person: Person; readonly onClose: () => void }) {
  const { api } = useApp();
  const queries = useQueryClient();
  const [name, setName] = useState(person.name);
  const [username, setUsername] = useState(person.username ?? '');
  const [part, setPart] = useState<Part>(partOf(person));
  const { busy, problem, run } = useChange();

  const save = async (): Promise<void> => {
    const moved = part !== partOf(person);
    const isAdmin = part === 'admin';
    const body = {
      ...(name.trim() === person.name ? {} : { name: name.trim() }),
      ...(isAdmin || (username.trim() === (person.username ?? '') && !moved)
        ? {}
        : { username: username.trim() }),
      ...(moved && isAdmin ? { role: 'admin' as const } : {}),
      ...(moved && part !== 'admin' ? { role: 'supervisor' as const, supervisor_type: part } : {}),
    };
    const path = { id: person.id };
    const saved = await run(() => answer(api.PATCH('/v1/people/{id}', { params: { path }, body })), 'Saved.');
    if (!saved) return;
    await queries.invalidateQueries({ queryKey: ['people'] });
    onClose();
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void save();
  };
  return (
    <Dialog title={`Change ${person.name}`} isOpen onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <TextInput label="Name" value={name} onChange={setName} isRequired autoFocus />
        <Select label="Part" choices={PARTS} value={part} onChange={(id) => setPart(id as Part)} />
        {part !== 'admin' && (
          <TextInput label="Username" value={username} onChange={setUsername} isRequired />
        )}
        <ProblemNotice problem={problem} />
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isPending={busy}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
