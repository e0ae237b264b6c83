/** What decides an interaction's place on the floor. */
export interface Urgency {
  readonly id: string;
  /** The nearest deadline of a decision; times by the server's clock. */
  readonly deadlineMs: number | null;
  readonly critical: boolean;
  readonly lastSpokenMs: number | null;
  readonly startedMs: number;
}

/** Below this nobody has been silent: people breathe, and models think. Places would change with every sentence. */
export const SILENCE_COUNTS_MS = 20_000;

/** Nearest deadline, then critical ones, then the longest silence, then the oldest; ids make it definite. */
export function compareUrgency(nowMs: number): (a: Urgency, b: Urgency) => number {
  const silence = ({ lastSpokenMs }: Urgency): number => {
    const silentMs = lastSpokenMs === null ? 0 : nowMs - lastSpokenMs;
    return silentMs < SILENCE_COUNTS_MS ? 0 : silentMs;
  };
  return (a, b) =>
    compareDeadlines(a.deadlineMs, b.deadlineMs) ||
    Number(b.critical) - Number(a.critical) ||
    silence(b) - silence(a) ||
    a.startedMs - b.startedMs ||
    a.id.localeCompare(b.id);
}

/**
 * While somebody is about to press something, what is on the screen stays where it is: those that are gone go, new
 * ones with a deadline come first and others last.
 */
export function holdOrder(shown: readonly string[], sorted: readonly Urgency[]): string[] {
  const present = new Map(sorted.map((urgency) => [urgency.id, urgency]));
  const known = new Set(shown);
  const fresh = sorted.filter(({ id }) => !known.has(id));
  return [
    ...fresh.filter(({ deadlineMs }) => deadlineMs !== null).map(({ id }) => id),
    ...shown.filter((id) => present.has(id)),
    ...fresh.filter(({ deadlineMs }) => deadlineMs === null).map(({ id }) => id),
  ];
}

/**
 * Whether cards have to move at once: one is new or gone, or what waits for a decision does not stand first. Moods and
 * silences change with every measurement; with a hundred conversations nobody could read cards that jump each time.
 */
export function mustMove(shown: readonly string[], sorted: readonly Urgency[]): boolean {
  const known = new Set(shown);
  return (
    shown.length !== sorted.length ||
    sorted.some(({ id, deadlineMs }, place) => !known.has(id) || (deadlineMs !== null && shown[place] !== id))
  );
}

function compareDeadlines(a: number | null, b: number | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  return b === null ? -1 : a - b;
}
