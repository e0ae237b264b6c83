import { formatDuration, useSecond } from '../live/clock.ts';
import { useLive } from '../live/live-context.tsx';

const URGENT_MS = 60_000;

/** How long is left, by the server's clock. Silent for screen readers while it runs: they get the time of the end. */
export function Countdown({ from, until }: { readonly from: string; readonly until: string }) {
  useSecond();
  const live = useLive();
  const end = Date.parse(until);
  const leftMs = Math.max(0, end - live.now());
  const whole = Math.max(1, end - Date.parse(from));
  return (
    <div className="countdown" data-urgent={leftMs < URGENT_MS || undefined}>
      <span className="numbers">
        <span aria-hidden>{formatDuration(leftMs / 1_000)}</span>
        <span className="only-read-aloud">Decide by {new Date(end).toLocaleTimeString()}</span>
      </span>
      <progress className="countdown-bar" aria-hidden value={leftMs} max={whole} />
    </div>
  );
}
