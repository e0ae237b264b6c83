import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { Select, Switch, TextInput } from '../../components/field.tsx';
import { Notice, ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { useChange } from './use-change.ts';

type Added = Schemas['AddedPerson'];

const PARTS = [
  { id: 'chat', label: 'Supervisor of chats' },
  { id: 'voice', label: 'Supervisor of calls' },
  { id: 'admin', label: 'Admin' },
] as const;
type Part = (typeof PARTS)[number]['id'];

function Invited({ added, onClose }: { readonly added: Added; readonly onClose: () => void }) {
  const { person, access, one_time_password: password } = added;
  return (
    <Dialog
      title={`${person.name} is in`}
      isOpen
      onClose={onClose}
      actions={
        <Button look="primary" onPress={onClose}>
          Done
        </Button>
      }
    >
      {access === 'mail' && <p>An invitation is on its way to {person.email}.</p>}
      {access === 'existing' && <p>They had an account already, and sign in with the password they have.</p>}
      {password !== null && (
        <Notice tone="wait">
          <p>
            Give them this password; it is shown this once and stored nowhere: <code>{password}</code>
          </p>
        </Notice>
      )}
    </Dialog>
  );
}

export function InviteDialog({ onClose }: { readonly onClose: () => void }) {
  const { api } = useApp();
  const queries = useQueryClient();
  const [email, setEmail] = useState('');
  const [name, setName] = useState('');
  const [username, setUsername] = useState('');
  const [part, setPart] = useState<Part>('chat');
  const [mail, setMail] = useState(false);
  const [added, setAdded] = useState<Added | null>(null);
  const { busy, problem, run } = useChange();
  const isAdmin = part === 'admin';

  const invite = (event: FormEvent): void => {
    event.preventDefault();
    const body = {
      email: email.trim(),
      name: name.trim(),
      role: isAdmin ? ('admin' as const) : ('supervisor' as const),
      username: isAdmin ? null : username.trim(),
      supervisor_type: part === 'admin' ? null : part,
      mail,
    };
    void run(async () => {
      setAdded(await answer(api.POST('/v1/people', { body })));
      await queries.invalidateQueries({ queryKey: ['people'] });
    }, 'Invited.');
  };

  if (added) return <Invited added={added} onClose={onClose} />;
  return (
    <Dialog title="Invite a person" isOpen onClose={onClose}>
      <form className="stack" onSubmit={invite}>
        <TextInput label="E-mail" type="email" value={email} onChange={setEmail} isRequired autoFocus />
        <TextInput label="Name" value={name} onChange={setName} isRequired />
        <Select label="Part" choices={PARTS} value={part} onChange={(id) => setPart(id as Part)} />
        {!isAdmin && (
          <TextInput
            label="Username"
            hint="What colleagues see on the leaderboard"
            value={username}
            onChange={setUsername}
            isRequired
          />
        )}
        <Switch isSelected={mail} onChange={setMail}>
          Send an invitation by mail, in place of a one-time password
        </Switch>
        <ProblemNotice problem={problem} />
        <div className="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isPending={busy}>
            Invite
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
