import { type FormEvent, useMemo, useState } from 'react';
import { answer } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { TextArea } from '../components/field.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { useApp } from '../session/app-context.ts';
import { useDraftText } from '../session/drafts.ts';
import { useShortcuts } from '../shell/shortcuts.tsx';
import { submitOnEnter } from './submit-on-enter.ts';

/** A hint that only the agent reads. */
export function WhisperBox({ id }: { readonly id: string }) {
  const { api } = useApp();
  const [text, setText] = useDraftText(`whisper ${id}`);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useShortcuts(
    useMemo(
      () => [
        {
          keys: 'w',
          label: 'Whisper to the agent',
          run: () => document.querySelector<HTMLElement>('#whisper textarea')?.focus(),
        },
      ],
      [],
    ),
  );
  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const words = text.trim();
    if (busy || words === '') return;
    setBusy(true);
    setProblem(null);
    try {
      await answer(
        api.POST('/v1/interactions/{id}/whisper', { params: { path: { id } }, body: { text: words } }),
      );
      setText('');
      setSent(words);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form id="whisper" className="panel" onSubmit={(event) => void send(event)}>
      <TextArea
        label="Whisper to the agent"
        hint="Only the agent reads it; it takes it into account with its next words."
        rows={2}
        value={text}
        onChange={setText}
        maxLength={2_000}
        onKeyDown={submitOnEnter}
      />
      <div className="card-actions">
        <Button type="submit" isPending={busy} isDisabled={text.trim() === ''}>
          Whisper
        </Button>
        <span role="status" className="field-hint">
          {sent && `Whispered: “${sent}”`}
        </span>
      </div>
      <ProblemNotice problem={problem} />
    </form>
  );
}
