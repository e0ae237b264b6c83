import { Check, PhoneOutgoing } from 'lucide-react';
import { useState } from 'react';
import { Link } from 'wouter';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { formatTime } from '../live/clock.ts';
import type { Callback } from '../live/events.ts';
import { CALLBACKS } from '../live/live.ts';
import { useLive, useLiveVersion } from '../live/live-context.tsx';
import { useFinishCallback } from './finish-callback.ts';

/** Below the cards: who waits for a call waits longer than who is talking. The summary above leads here. */
export const CALLBACKS_ID = 'callbacks';

function Row({ callback }: { readonly callback: Callback }) {
  const finish = useFinishCallback();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { interaction_id, phone_number, reason, preferred_time, requested_at } = callback;
  const done = async (): Promise<void> => {
    setBusy(true);
    try {
      await finish(callback);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <li className="callback">
      <PhoneOutgoing aria-hidden />
      <div className="callback-words">
        <strong className="numbers">{phone_number}</strong>
        <q>{reason}</q>
        {preferred_time && <span>best: {preferred_time}</span>}
        <span className="quiet numbers">asked at {formatTime(requested_at)}</span>
        <Link href={`/interactions/${interaction_id}`}>Conversation</Link>
        <ProblemNotice problem={problem} />
      </div>
      <Button size="small" isPending={busy} onPress={() => void done()}>
        <Check aria-hidden />
        Called back
      </Button>
    </li>
  );
}

/** Customers who asked for a human while nobody was there. */
export function CallbackList() {
  const live = useLive();
  useLiveVersion(CALLBACKS);
  const callbacks = live.callbacks();
  if (callbacks.length === 0) return null;
  return (
    <section className="callbacks" aria-label="To be called back" id={CALLBACKS_ID} tabIndex={-1}>
      <h2 className="label">To be called back</h2>
      <ul>
        {callbacks.map((callback) => (
          <Row key={callback.id} callback={callback} />
        ))}
      </ul>
    </section>
  );
}
