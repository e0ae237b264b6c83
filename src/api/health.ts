import type { SupabaseClient } from '@supabase/supabase-js';
import type { Log } from '../log.ts';
import type { Rooms } from './rooms.ts';

const REMEMBER_MS = 1_000;
const DEADLINE_MS = 3_000;

export interface Readiness {
  readonly ready: boolean;
  readonly checks: {
    readonly database: 'ok' | 'failed';
    readonly media: 'ok' | 'failed';
    readonly draining: boolean;
  };
}

/** Whether this process can serve: it reaches the database and LiveKit and is not about to stop. */
export class Health {
  readonly #db: SupabaseClient;
  readonly #rooms: Rooms;
  readonly #log: Log;
  #draining = false;
  #last: { readiness: Promise<Readiness['checks']>; untilMs: number } | undefined;

  constructor(db: SupabaseClient, rooms: Rooms, log: Log) {
    this.#db = db;
    this.#rooms = rooms;
    this.#log = log;
  }

  /** From now on not ready, so that a load balancer looks elsewhere while open requests are finished. */
  drain(): void {
    this.#draining = true;
  }

  /** Asked by load balancers as often as they like; the parts are asked once a second at most. */
  async readiness(): Promise<Readiness> {
    if (!this.#last || this.#last.untilMs <= Date.now()) {
      this.#last = { readiness: this.#check(), untilMs: Date.now() + REMEMBER_MS };
    }
    const parts = await this.#last.readiness;
    const checks = { ...parts, draining: this.#draining };
    return { ready: checks.database === 'ok' && checks.media === 'ok' && !checks.draining, checks };
  }

  async #check(): Promise<Readiness['checks']> {
    const database = async () => {
      const { error } = await this.#db
        .from('businesses')
        .select('id')
        .limit(1)
        .abortSignal(AbortSignal.timeout(DEADLINE_MS));
      if (error) throw error;
    };
    const verdict = async (part: string, check: Promise<void>): Promise<'ok' | 'failed'> => {
      try {
        await check;
        return 'ok';
      } catch (err) {
        this.#log.warn({ err, part }, 'not ready');
        return 'failed';
      }
    };
    const [databaseVerdict, mediaVerdict] = await Promise.all([
      verdict('database', database()),
      verdict('media', this.#rooms.ping()),
    ]);
    return { database: databaseVerdict, media: mediaVerdict, draining: this.#draining };
  }
}
