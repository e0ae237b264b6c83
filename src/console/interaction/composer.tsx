import { SendHorizontal } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { TextArea } from '../components/field.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import type { Seat } from '../room/desk.ts';
import { useDraftText } from '../session/drafts.ts';
import { submitOnEnter } from './submit-on-enter.ts';

/** Writing to the customer in place of the agent. What was not sent stays in the box. */
export function Composer({ seat }: { readonly seat: Seat }) {
  const [text, setText] = useDraftText(`words ${seat.interactionId}`);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ready = seat.phase === 'joined' && seat.joined !== null;
  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const words = text.trim();
    if (busy || words === '' || !seat.joined || !ready) return;
    setBusy(true);
    setProblem(null);
    try {
      await seat.joined.send(words);
      setText('');
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="composer" onSubmit={(event) => void send(event)}>
      <TextArea
        label="Write to the customer"
        labelHidden
        placeholder="Write to the customer"
        {...(ready ? {} : { hint: 'Entering the room…' })}
        rows={2}
        value={text}
        onChange={setText}
        onKeyDown={submitOnEnter}
        autoFocus
      />
      <Button type="submit" look="primary" isPending={busy} isDisabled={!ready || text.trim() === ''}>
        <SendHorizontal aria-hidden />
        Send
      </Button>
      <ProblemNotice problem={problem} />
    </form>
  );
}
