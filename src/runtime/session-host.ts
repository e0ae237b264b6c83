import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Job } from '@livekit/protocol';
import { bulkhead } from 'cockatiel';
import { type AgentIdentity, agentIdentity, parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { delay } from '../session/clock.ts';
import type { InteractionSession } from '../session/interaction-session.ts';
import { AgentLink, type Assignment, type Taken } from './agent-link.ts';
import { parseJobMetadata } from './job-metadata.ts';
import { loadSessionFor } from './load-session.ts';
import { OwnEventsRoom } from './own-events-room.ts';
import type { ProcessServices } from './process-services.ts';
import type { StallWatch } from './stall-watch.ts';
import type { Claims } from './worker.ts';

export interface SessionHostDeps {
  readonly services: ProcessServices;
  readonly claims: Claims;
  readonly version: string;
  /** At most this many conversations at once in this process; a hard cap. */
  readonly maxSessions: number;
  /** Told whose work is begun. */
  readonly watch: StallWatch;
  readonly log: Log;
}

/**
 * So many chats join their rooms at a time. Joining is work for the processor: thirty at once would all be greeted when
 * the last of them is, in their turn half of them in half the time.
 */
const JOINING_AT_ONCE = 4;
/** Whoever takes longer has something to wait for, and holds up no others. */
const LONGEST_JOIN_MS = 3_000;
/** How often a process that stops looks whether all of its chats have ended. */
const LOOK_MS = 50;
const STOPS = 'the worker stops';

/** A conversation of this process, from its claim on. */
interface Place {
  readonly key: AgentIdentity;
  /** There once the room is joined. */
  session?: InteractionSession;
  ended?: Promise<void>;
}

/**
 * Runs many chats in this one process: each is a session object in a room of its own, and shares the models,
 * the connection to the database, the outbox and the poll with the others.
 */
export class SessionHost {
  /** Also the worker id of its leases. */
  readonly id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  readonly #deps: SessionHostDeps;
  readonly #link: AgentLink;
  /** By the job's id. */
  readonly #places = new Map<string, Place>();
  readonly #joining = bulkhead(JOINING_AT_ONCE, Number.POSITIVE_INFINITY);
  /** Jobs that are being claimed; they count, or two offers at once would exceed the cap. */
  #claiming = 0;
  #stopping: Promise<void> | undefined;
  /** The time that chats have to end is over, also for one that was taken before and joins only now. */
  #leaving = false;

  constructor(deps: SessionHostDeps) {
    this.#deps = deps;
    const { services, log, version } = deps;
    this.#link = new AgentLink({
      livekit: services.config.livekit,
      version,
      onOffered: (job) => this.#take(job),
      onAssigned: (assignment) => this.#begin(assignment),
      onLapsed: (job) => void this.#giveUp(job),
      onTerminated: (jobId) => void this.#places.get(jobId)?.session?.leave('the dispatch was taken back'),
      load: () => this.active / deps.maxSessions,
      clock: services.clock,
      log,
    });
  }

  get active(): number {
    return this.#places.size + this.#claiming;
  }

  get hasPlace(): boolean {
    return this.#stopping === undefined && this.active < this.#deps.maxSessions;
  }

  /** @throws FloorwalkerError `media_unavailable` */
  start(): Promise<void> {
    return this.#link.open();
  }

  /**
   * Takes no new chats and waits for those that run, `drainMs` at most; the rest leave for another worker.
   * Safe to call twice.
   */
  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    const { services, log } = this.#deps;
    this.#link.refuseFromNowOn();
    log.info({ interactions: this.active, drainMs }, 'chats drain');
    const over = Promise.withResolvers<void>();
    const cancel = services.clock.after(drainMs, () => over.resolve());
    await Promise.race([this.#allEnded(), over.promise]);
    cancel();
    this.#leaving = true;
    log.info({ interactions: this.active }, 'chats are handed over');
    const leaving = [...this.#places.values()].map(({ session }) => session?.handOver(STOPS));
    await Promise.allSettled(leaving);
    await this.#allEnded();
    this.#link.close();
  }

  async #allEnded(): Promise<void> {
    while (this.#places.size > 0) {
      await Promise.allSettled([...this.#places.values()].map(({ ended }) => ended));
      // A place that is taken and not yet assigned has nothing to wait for but its assignment or its lapse.
      if ([...this.#places.values()].some(({ ended }) => !ended))
        await delay(this.#deps.services.clock, LOOK_MS);
    }
  }

  async #take(job: Job): Promise<Taken | undefined> {
    const { claims, log } = this.#deps;
    const metadata = parseJobMetadata(job.metadata);
    // Telephone calls and rooms of somebody else's making are for the processes of voice.
    if (metadata.kind !== 'interaction' || metadata.channel === 'voice' || !this.hasPlace) return undefined;
    const { interactionId } = metadata;
    this.#claiming += 1;
    try {
      // Without the hint only the database knows; a job of the other channel is none of this process's.
      const only = metadata.channel ? undefined : 'chat';
      const claimed = await claims.claim(interactionId, this.id, only);
      if ('refused' in claimed) {
        log.info({ job: job.id, interaction: interactionId, why: claimed.refused }, 'job refused');
        return undefined;
      }
      const key = { interactionId, generation: claimed.generation };
      this.#places.set(job.id, { key });
      await claims.removePredecessors(job.room?.name ?? '', interactionId, key.generation);
      return { identity: agentIdentity(interactionId, key.generation), name: 'Agent' };
    } finally {
      this.#claiming -= 1;
    }
  }

  /** A place in the line of those who join: `came` is false when it was given up with `over` before its turn. */
  #turnToJoin(): { readonly came: Promise<boolean>; over(): void } {
    const came = Promise.withResolvers<boolean>();
    const over = Promise.withResolvers<void>();
    void this.#joining.execute(async () => {
      came.resolve(true);
      const cancel = this.#deps.services.clock.after(LONGEST_JOIN_MS, () => over.resolve());
      await over.promise;
      cancel();
    });
    return {
      came: came.promise,
      over() {
        came.resolve(false);
        over.resolve();
      },
    };
  }

  async #giveUp(job: Job): Promise<void> {
    const place = this.#places.get(job.id);
    this.#places.delete(job.id);
    if (!place) return;
    this.#deps.log.warn(
      { interaction: place.key.interactionId },
      'LiveKit did not assign a job that was taken',
    );
    await this.#deps.claims.release(place.key).catch(() => {});
  }

  #begin({ job, identity, url, token }: Assignment): void {
    const place = this.#places.get(job.id);
    const key = parseAgentIdentity(identity);
    if (!place || !key) return;
    place.ended = this.#deps.watch
      .run(identity, () => this.#run(place, url, token))
      .finally(() => this.#places.delete(job.id));
  }

  async #run(place: Place, url: string, token: string): Promise<void> {
    const { services, log } = this.#deps;
    const { interactionId: interaction, generation } = place.key;
    const room = new OwnEventsRoom();
    const turn = this.#turnToJoin();
    try {
      const connect = async () => {
        // Its claim may have turned out to be stale meanwhile, and nobody waits for this room any more.
        if (!(await turn.came)) return;
        await room.connect(url, token, { autoSubscribe: true, dynacast: false });
      };
      const session = await loadSessionFor(place.key, room, connect, services);
      place.session = session;
      if (this.#leaving) void session.handOver(STOPS);
      else await session.start();
      turn.over();
      const outcome = await session.outcome;
      log.info({ interaction, generation, outcome }, 'chat done');
    } catch (err) {
      log.error({ err, interaction, generation }, 'chat failed');
      // For the next worker to take at once, rather than when the lease runs out.
      await this.#deps.claims.release(place.key).catch(() => {});
    } finally {
      turn.over();
      await room.disconnect().catch(() => {});
    }
  }
}
