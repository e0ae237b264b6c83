import type { SupabaseClient } from '@supabase/supabase-js';
import { visibleAgentsOfPeople } from '../../database/changes.ts';
import type { Clock } from './clock.ts';

/** Nothing is told on the strength of a look that is older. */
const VALID_MS = 30_000;
/** Looked up anew well before that. */
const REFRESH_MS = 15_000;

interface Watcher {
  readonly streams: number;
  readonly agents: ReadonlySet<string>;
}

export interface VisibilityChanges {
  /** What they may see is not what it was. */
  readonly changed: ReadonlySet<string>;
  /** They are not part of any business any more. */
  readonly gone: ReadonlySet<string>;
}

const sameSet = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
  one.size === other.size && [...one].every((item) => other.has(item));

const NOBODY: VisibilityChanges = { changed: new Set(), gone: new Set() };

/** The people who watch, and the agents that each of them reaches: asked of the database for all of them at once. */
export class Watchers {
  readonly #db: SupabaseClient;
  readonly #clock: Clock;
  readonly #people = new Map<string, Watcher>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(db: SupabaseClient, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  get ids(): string[] {
    return [...this.#people.keys()];
  }

  get isDue(): boolean {
    return this.#people.size > 0 && this.#clock.now() - this.#lookedAtMs >= REFRESH_MS;
  }

  get isStale(): boolean {
    return this.#clock.now() - this.#lookedAtMs >= VALID_MS;
  }

  reaches(personId: string, agentId: string): boolean {
    return this.#people.get(personId)?.agents.has(agentId) ?? false;
  }

  streamsOf(personId: string): number {
    return this.#people.get(personId)?.streams ?? 0;
  }

  /**
   * One stream more for this person. Always a look of its own: an older one may not know them as they are now.
   *
   * @throws FloorwalkerError `database_unavailable`
   */
  async add(personId: string): Promise<void> {
    const visible = await visibleAgentsOfPeople(this.#db, { userIds: [personId] });
    const agents = visible.get(personId) ?? new Set();
    if (this.#people.size === 0) this.#lookedAtMs = this.#clock.now();
    this.#people.set(personId, { streams: this.streamsOf(personId) + 1, agents });
  }

  remove(personId: string): void {
    const known = this.#people.get(personId);
    if (known === undefined) return;
    if (known.streams === 1) this.#people.delete(personId);
    else this.#people.set(personId, { ...known, streams: known.streams - 1 });
  }

  /** @throws FloorwalkerError `database_unavailable` */
  async refresh(): Promise<VisibilityChanges> {
    const userIds = this.ids;
    if (userIds.length === 0) return NOBODY;
    const askedAtMs = this.#clock.now();
    const visible = await visibleAgentsOfPeople(this.#db, { userIds });
    const changed = new Set<string>();
    const gone = new Set<string>();
    for (const id of userIds) {
      const known = this.#people.get(id);
      if (known === undefined) continue;
      const agents = visible.get(id);
      if (agents === undefined) gone.add(id);
      else if (!sameSet(agents, known.agents)) changed.add(id);
      this.#people.set(id, { ...known, agents: agents ?? new Set() });
    }
    this.#lookedAtMs = askedAtMs;
    return { changed, gone };
  }
}
