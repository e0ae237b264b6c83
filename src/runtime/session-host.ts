import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Job } from '@livekit/protocol';
import { bulkhead } from 'cockatiel';
import type { Channel } from '../domain/channel.ts';
import { type AgentIdentity, agentIdentity, parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { delay } from '../session/clock.ts';
import type { InteractionSession } from '../session/interaction-session.ts';
import { Admission, type Claims } from './admission.ts';
import { AgentLink, type Assignment, type Taken } from './agent-link.ts';
import { loadSessionFor } from './load-session.ts';
import { OwnEventsRoom } from './own-events-room.ts';
import type { ProcessServices } from './process-services.ts';
import type { StallWatch } from './stall-watch.ts';

export interface SessionHostDeps {
  readonly services: ProcessServices;
  readonly claims: Claims;
  readonly version: string;
  /** Whose conversations share this process. */
  readonly channel: Channel;
  /** At most this many conversations at once in this process; a hard cap. */
  readonly maxSessions: number;
  /** Told whose work is begun. */
  readonly watch: StallWatch;
  readonly log: Log;
}

/**
 * So many join their rooms at a time. Joining is work for the processor: thirty at once would all be greeted when
 * the last of them is, in their turn half of them in half the time.
 */
const JOINING_AT_ONCE = 6;
/** Whoever takes longer has something to wait for, and holds up no others. */
const LONGEST_JOIN_MS = 3_000;
/** How often a process that stops looks whether all of its conversations have ended. */
const LOOK_MS = 50;
/** Where LiveKit's client ends a stream by itself; far above what a message may have, far below its own 5 GB. */
const LONGEST_STREAM_BYTES = 1_048_576;
/** How many of those that hold most are told to the worker. */
const LARGEST = 3;
const STOPS = 'the worker stops';

/** A conversation of this process, from its claim on. */
interface Place {
  readonly key: AgentIdentity;
  /** There once the room is joined. */
  session?: InteractionSession;
  /** It brought the others in this process down. */
  blamed?: true;
  ended?: Promise<void>;
}

/**
 * Runs many conversations of a channel in this one process: each is a session object in a room of its own, and shares the models,
 * the connection to the database, the outbox and the poll with the others.
 */
export class SessionHost {
  /** Also the worker id of its leases. */
  readonly id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  readonly #deps: SessionHostDeps;
  readonly #link: AgentLink;
  readonly #admission: Admission;
  /** By the job's id. */
  readonly #places = new Map<string, Place>();
  readonly #joining = bulkhead(JOINING_AT_ONCE, Number.POSITIVE_INFINITY);
  #stopping: Promise<void> | undefined;
  readonly #drained = Promise.withResolvers<void>();
  readonly #cancelDrain: (() => void)[] = [];
  /** The time that conversations have to end is over, also for one that was taken before and joins only now. */
  #leaving = false;
  #refusing = false;

  constructor(deps: SessionHostDeps) {
    this.#deps = deps;
    const { services, log, version } = deps;
    this.#admission = new Admission({
      claims: deps.claims,
      workerId: this.id,
      channels: [deps.channel],
      places: () => this.#unused,
      log,
    });
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

  /** Conversations that run, or whose jobs are being decided. */
  get active(): number {
    return this.#places.size + this.#admission.promised(this.#deps.channel);
  }

  get #unused(): number {
    return this.#stopping || this.#refusing ? 0 : this.#deps.maxSessions - this.#places.size;
  }

  /** The conversations that hold most, by their identity in the room. */
  get largest(): { session: string; bytes: number }[] {
    return [...this.#places.values()]
      .map(({ key, session }) => ({
        session: agentIdentity(key.interactionId, key.generation),
        bytes: session?.heldBytes ?? 0,
      }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, LARGEST);
  }

  /** Takes nothing new from now on; what runs goes on. */
  refuse(): void {
    this.#refusing = true;
    this.#link.refuseFromNowOn();
  }

  /** @throws FloorwalkerError `media_unavailable` */
  start(): Promise<void> {
    return this.#link.open();
  }

  /**
   * Takes no new conversations and waits for those that run, `drainMs` at most; the rest leave for another worker.
   * Safe to call twice; the shorter time counts.
   */
  stop(drainMs: number): Promise<void> {
    this.#cancelDrain.push(this.#deps.services.clock.after(drainMs, () => this.#drained.resolve()));
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  /** This process is not to be trusted any more: everything goes on in others. @param culprit identity of whose work it was */
  async fail(culprit: string | undefined): Promise<void> {
    const key = culprit === undefined ? undefined : parseAgentIdentity(culprit);
    const place = [...this.#places.values()].find(
      ({ key: { interactionId } }) => interactionId === key?.interactionId,
    );
    if (place && !place.blamed) {
      place.blamed = true;
      this.refuse();
      void this.#blame(place);
    }
    await this.stop(0);
  }

  /** Before anybody can take it over: whoever does, asks how often it was at fault. */
  async #blame({ key, session }: Place): Promise<void> {
    const { claims, log } = this.#deps;
    await claims
      .blame(key.interactionId)
      .catch((err: unknown) =>
        log.warn({ err, interaction: key.interactionId }, 'a fault could not be noted'),
      );
    // Not in good order: what it was doing may be left half done.
    await session?.leave('it failed in the middle of something');
  }

  async #stop(drainMs: number): Promise<void> {
    const { log } = this.#deps;
    this.#link.refuseFromNowOn();
    log.info({ interactions: this.active, drainMs }, 'conversations drain');
    await Promise.race([this.#allEnded(), this.#drained.promise]);
    for (const cancel of this.#cancelDrain) cancel();
    this.#leaving = true;
    log.info({ interactions: this.active }, 'conversations are handed over');
    const staying = [...this.#places.values()].filter(({ blamed }) => !blamed);
    const leaving = staying.map(({ session }) => session?.handOver(STOPS));
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
    const key = await this.#admission.decide(job, (leased) => this.#places.set(job.id, { key: leased }));
    return key && { identity: agentIdentity(key.interactionId, key.generation), name: 'Agent' };
  }

  /** Waits for a place among those who join. @returns what gives it up again; after a while it is given up anyway. */
  async #turnToJoin(): Promise<() => void> {
    const came = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    void this.#joining.execute(async () => {
      came.resolve();
      const cancel = this.#deps.services.clock.after(LONGEST_JOIN_MS, () => over.resolve());
      await over.promise;
      cancel();
    });
    await came.promise;
    return () => over.resolve();
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
    // What others have to do before it is its turn may take longer than a lease lasts.
    const letGo = services.leases.keep(
      { ...place.key, workerId: this.id },
      { onPolled: () => {}, onLost: () => {} },
    );
    const turnOver = await this.#turnToJoin();
    const room = new OwnEventsRoom();
    try {
      const connect = () =>
        room.connect(url, token, {
          autoSubscribe: true,
          dynacast: false,
          dataStream: { maxPayloadByteLength: LONGEST_STREAM_BYTES },
        });
      const session = await loadSessionFor(place.key, room, connect, services).finally(letGo);
      place.session = session;
      room.onStrayStream = (identity) => session.sentInVain(identity);
      if (this.#leaving) void session.handOver(STOPS);
      else await session.start();
      turnOver();
      const outcome = await session.outcome;
      log.info({ interaction, generation, outcome }, 'conversation done');
    } catch (err) {
      log.error({ err, interaction, generation }, 'conversation failed');
      // For the next worker to take at once, rather than when the lease runs out.
      await this.#deps.claims.release(place.key).catch(() => {});
    } finally {
      turnOver();
      await room.disconnect().catch(() => {});
    }
  }
}
