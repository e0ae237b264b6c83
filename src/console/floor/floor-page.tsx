import '../styles/floor.css';
import { Coffee } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Empty } from '../components/empty.tsx';
import { useSecond } from '../live/clock.ts';
import { CALLBACKS, CONNECTION, FLOOR, type Live } from '../live/live.ts';
import { useLive, useLiveValue, useLiveVersion } from '../live/live-context.tsx';
import { useTitle } from '../shell/title.tsx';
import { CALLBACKS_ID, CallbackList } from './callback-list.tsx';
import { InteractionCard } from './interaction-card.tsx';
import { compareUrgency, holdOrder, mustMove, type Urgency } from './order.ts';

/** What need not move at once moves together, so often. Silence grows without events. */
const SORT_EVERY_SECONDS = 3;

function urgencies(live: Live): Urgency[] {
  const deadlines = new Map<string, number>();
  for (const { interaction_id: id, expires_at } of live.pending()) {
    const at = Date.parse(expires_at);
    deadlines.set(id, Math.min(at, deadlines.get(id) ?? at));
  }
  return live
    .openInteractions()
    .map(({ id, created_at, started_at }) => ({
      id,
      deadlineMs: deadlines.get(id) ?? null,
      critical: live.track(id).sentiments.at(-1) === 'critical',
      lastSpokenMs: live.speech(id)?.atMs ?? null,
      startedMs: Date.parse(started_at ?? created_at),
    }))
    .sort(compareUrgency(live.now()));
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((id, index) => id === b[index]);

/** The cards in their order; it rests while somebody points at a button or works inside a card. */
function useOrder(isHeld: () => boolean): readonly string[] {
  const live = useLive();
  const version = useLiveVersion(FLOOR);
  const round = Math.floor(useSecond() / SORT_EVERY_SECONDS);
  const shown = useRef<readonly string[]>([]);
  const sortedIn = useRef(round);
  return useMemo(() => {
    // It says that something may have changed.
    void version;
    const sorted = urgencies(live);
    if (sortedIn.current === round && !mustMove(shown.current, sorted)) return shown.current;
    sortedIn.current = round;
    const next = isHeld() ? holdOrder(shown.current, sorted) : sorted.map(({ id }) => id);
    if (!same(next, shown.current)) shown.current = next;
    return shown.current;
  }, [live, version, round, isHeld]);
}

function Summary({ count }: { readonly count: number }) {
  const waiting = useLiveValue(FLOOR, (live) => live.pending().length);
  const critical = useLiveValue(
    FLOOR,
    (live) =>
      live.openInteractions().filter(({ id }) => live.track(id).sentiments.at(-1) === 'critical').length,
  );
  const asking = useLiveValue(
    FLOOR,
    (live) =>
      live
        .openInteractions()
        .filter(({ supervisor_requested_at: at, control }) => at !== null && control !== 'supervisor').length,
  );
  const toCall = useLiveValue(CALLBACKS, (live) => live.callbacks().length);
  return (
    <p className="floor-summary">
      <span>
        <strong>{count}</strong> open
      </span>
      <span data-tone={waiting > 0 ? 'wait' : undefined}>
        <strong>{waiting}</strong> waiting for you
      </span>
      <span data-tone={asking > 0 ? 'human' : undefined}>
        <strong>{asking}</strong> {asking === 1 ? 'asks' : 'ask'} for a human
      </span>
      <span data-tone={critical > 0 ? 'critical' : undefined}>
        <strong>{critical}</strong> critical
      </span>
      {toCall > 0 && (
        <span data-tone="human">
          <strong>{toCall}</strong> <a href={`#${CALLBACKS_ID}`}>to be called back</a>
        </span>
      )}
    </p>
  );
}

export default function FloorPage() {
  useTitle('Floor');
  const list = useRef<HTMLUListElement>(null);
  const held = useRef(false);
  const [isHeld] = useState(() => () => held.current);
  const order = useOrder(isHeld);
  const loaded = useLiveValue(CONNECTION, (live) => live.loaded);

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const look = (): void => {
      const focused = document.activeElement;
      held.current =
        element.querySelector('[data-holds]:hover') !== null ||
        (focused !== null && element.contains(focused) && focused.matches(':focus-visible'));
    };
    const events = ['pointerover', 'pointerout', 'focusin', 'focusout'] as const;
    for (const event of events) element.addEventListener(event, look);
    return () => {
      for (const event of events) element.removeEventListener(event, look);
    };
  });

  return (
    <>
      <Summary count={order.length} />
      {loaded && order.length === 0 && (
        <Empty icon={<Coffee aria-hidden />} title="All quiet">
          Nobody is talking with an agent of yours. New conversations appear here by themselves.
        </Empty>
      )}
      <div className="floor-frame">
        <ul
          className="floor"
          ref={list}
          aria-label="Open conversations, the most urgent first"
          aria-busy={!loaded}
        >
          {order.map((id) => (
            <InteractionCard key={id} id={id} />
          ))}
        </ul>
      </div>
      <CallbackList />
    </>
  );
}
