import type { AgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';

export interface JobWatchDeps {
  /** Ids of the jobs that run in processes of this worker. */
  runningJobs(): string[];
  /** Renews claims whose processes have not begun; resolves with the interactions that were renewed. */
  keep(claims: AgentIdentity[]): Promise<string[]>;
  /** The process of the claim is gone: whatever it left is for another one to carry on. */
  onGone(claim: AgentIdentity): Promise<void>;
  readonly heartbeatMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

interface Watched {
  readonly claim: AgentIdentity;
  readonly claimedAt: number;
  seen: boolean;
  /** The process has not loaded the session yet, so that the lease is the worker's to renew. */
  promised: boolean;
}

const LOOK_MS = 200;
/** A job that LiveKit never assigned, or whose process can't be had, is given back after this. */
const ASSIGNMENT_MS = 20_000;

/**
 * Watches the job processes from outside: until one has begun, its lease is renewed here, and when one dies its
 * interaction is given back at once in place of waiting for the lease to run out.
 */
export class JobWatch {
  readonly #deps: JobWatchDeps;
  readonly #watched = new Map<string, Watched>();
  #cancelLook: (() => void) | undefined;
  #cancelKeep: (() => void) | undefined;
  #stopped = false;

  constructor(deps: JobWatchDeps) {
    this.#deps = deps;
  }

  watch(jobId: string, claim: AgentIdentity): void {
    this.#watched.set(jobId, {
      claim,
      claimedAt: this.#deps.clock.now(),
      seen: false,
      promised: true,
    });
    this.#scheduleLook();
    this.#scheduleKeep();
  }

  /** The job was not taken after all. */
  forget(jobId: string): void {
    this.#watched.delete(jobId);
  }

  close(): void {
    this.#stopped = true;
    this.#cancelLook?.();
    this.#cancelKeep?.();
  }

  /** Every process has ended: what none of them has given back itself is for others to carry on. Safe to call twice. */
  async finish(): Promise<void> {
    this.close();
    const left = [...this.#watched.values()];
    this.#watched.clear();
    await Promise.all(left.map((watched) => this.#gone(watched)));
  }

  #scheduleLook(): void {
    if (this.#stopped || this.#cancelLook || this.#watched.size === 0) return;
    this.#cancelLook = this.#deps.clock.after(LOOK_MS, () => {
      this.#cancelLook = undefined;
      this.#look();
      this.#scheduleLook();
    });
  }

  #scheduleKeep(): void {
    if (this.#stopped || this.#cancelKeep || !this.#promised().length) return;
    this.#cancelKeep = this.#deps.clock.after(this.#deps.heartbeatMs, () => {
      void this.#keep().finally(() => {
        this.#cancelKeep = undefined;
        this.#scheduleKeep();
      });
    });
  }

  #promised(): Watched[] {
    return [...this.#watched.values()].filter(({ promised }) => promised);
  }

  #look(): void {
    const { clock, runningJobs } = this.#deps;
    const running = new Set(runningJobs());
    for (const [jobId, watched] of this.#watched) {
      if (running.has(jobId)) watched.seen = true;
      const overdue = !watched.seen && clock.now() - watched.claimedAt > ASSIGNMENT_MS;
      if (running.has(jobId) || (!watched.seen && !overdue)) continue;
      this.#watched.delete(jobId);
      void this.#gone(watched);
    }
  }

  #gone({ claim }: Watched): Promise<void> {
    const { log, onGone } = this.#deps;
    return onGone(claim).catch((err: unknown) =>
      log.warn({ err, interaction: claim.interactionId }, 'a lease could not be given back'),
    );
  }

  async #keep(): Promise<void> {
    const { keep, log } = this.#deps;
    const promised = this.#promised();
    if (promised.length === 0) return;
    try {
      const kept = new Set(await keep(promised.map(({ claim }) => claim)));
      for (const watched of promised) watched.promised = kept.has(watched.claim.interactionId);
    } catch (err) {
      log.warn({ err }, 'leases of jobs that begin could not be renewed');
    }
  }
}
