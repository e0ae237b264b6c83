import { PhoneOff } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { answer } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { Dialog } from '../components/dialog.tsx';
import { TextArea, TextInput } from '../components/field.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import type { Interaction } from '../live/events.ts';
import { useApp } from '../session/app-context.ts';
import { useDraftText } from '../session/drafts.ts';

function EndDialog({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const { api } = useApp();
  const [reason, setReason] = useDraftText(`end ${id}`);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const end = async (): Promise<void> => {
    setBusy(true);
    try {
      const body = reason.trim() ? { reason: reason.trim() } : {};
      await answer(api.POST('/v1/interactions/{id}/end', { params: { path: { id } }, body }));
      setReason('');
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="End this conversation?"
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onPress={onClose}>Go on</Button>
          <Button look="danger" isPending={busy} onPress={() => void end()}>
            End it
          </Button>
        </>
      }
    >
      <p>The agent says goodbye, and the conversation ends.</p>
      <TextInput label="Reason (optional)" value={reason} onChange={setReason} maxLength={500} />
      <ProblemNotice problem={problem} />
    </Dialog>
  );
}

/** The supervisor's own verdict, and the end. */
export function ClosingPanel({ interaction }: { readonly interaction: Interaction }) {
  const { api } = useApp();
  const { id, ended_at, end_requested_at } = interaction;
  const [disposition, setDisposition] = useDraftText(`disposition ${id}`, interaction.disposition ?? '');
  const [notes, setNotes] = useDraftText(`notes ${id}`, interaction.supervisor_notes ?? '');
  const [ending, setEnding] = useState(false);
  const [busy, setBusy] = useState(false);
  const [saved, setSaved] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy || disposition.trim() === '') return;
    setBusy(true);
    setProblem(null);
    try {
      const body = { disposition: disposition.trim(), ...(notes ? { notes } : {}) };
      await answer(api.POST('/v1/interactions/{id}/disposition', { params: { path: { id } }, body }));
      setSaved(true);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const changed = (set: (value: string) => void) => (value: string) => {
    setSaved(false);
    set(value);
  };
  return (
    <form className="panel" onSubmit={(event) => void save(event)}>
      <h2 className="panel-title">Wrap-up</h2>
      <TextInput
        label="Disposition"
        placeholder="How it ended, in a word"
        value={disposition}
        onChange={changed(setDisposition)}
        maxLength={100}
      />
      <TextArea label="Notes" rows={2} value={notes} onChange={changed(setNotes)} maxLength={5_000} />
      <ProblemNotice problem={problem} />
      <div className="card-actions">
        <Button type="submit" isPending={busy} isDisabled={disposition.trim() === ''}>
          Save
        </Button>
        <span role="status" className="field-hint">
          {saved && 'Saved'}
        </span>
        <span className="bar-fill" />
        {ended_at === null && (
          <Button look="danger" isDisabled={end_requested_at !== null} onPress={() => setEnding(true)}>
            <PhoneOff aria-hidden />
            {end_requested_at === null ? 'End' : 'Ending…'}
          </Button>
        )}
      </div>
      {ending && <EndDialog id={id} onClose={() => setEnding(false)} />}
    </form>
  );
}
