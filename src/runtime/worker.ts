import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, type JobRequest, ServerOptions } from '@livekit/agents';
import type { Config } from '../config.ts';
import { AGENT_NAME, agentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';
import { type AgentRequest, type ParsedMetadata, parseJobMetadata } from './job-metadata.ts';
import { JobWatch, type WatchedClaim } from './job-watch.ts';

/** How a job's interaction is found and leased; over the database in production. */
export interface Claims {
  /** @returns the generation of the lease, or why it can't be had. */
  claim(
    interactionId: string,
    workerId: string,
    /** Refuses an interaction of the other channel, without a claim. */
    only?: 'voice' | 'chat',
  ): Promise<{ generation: number } | { refused: string }>;
  /** Makes the row of an interaction that did not begin at the API. @returns its id. */
  createFor(request: AgentRequest, room: string): Promise<string>;
  removePredecessors(room: string, interactionId: string, generation: number): Promise<void>;
  /** @returns whether it was still held and open. */
  release(claim: WatchedClaim): Promise<boolean>;
  /** Renews the leases of claims whose processes have not begun; resolves with the interactions it renewed. */
  keep(claims: WatchedClaim[], workerId: string): Promise<string[]>;
}

export interface WorkerDeps {
  readonly config: Config;
  readonly claims: Claims;
  /** Stores what dead processes of this worker have left: their successors are to find it. */
  recoverSpooled(): Promise<void>;
  /** An interaction of this worker waits for somebody who carries it on. */
  onGivenBack(): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The framework's own limit for an assignment is 7.5 s. */
const ASSIGNMENT_MS = 10_000;
const JOB_ENTRY = new URL('../job.ts', import.meta.url);

/**
 * The part of a worker that takes calls, a process for each: registers with LiveKit as `floorwalker` and takes a
 * job for each interaction it can lease. Chats are taken by `HostProcesses`. The cap is strict: load is only sampled every 2.5 s and two jobs can fall between two samples, so
 * each request is counted when it is answered.
 */
export class Worker {
  readonly id: string;
  readonly #deps: WorkerDeps;
  readonly #server: AgentServer;
  readonly #admitted = new Set<string>();
  readonly #jobs: JobWatch;
  #draining: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    const { config } = deps;
    this.id = `${hostname()}-${process.pid}`;
    this.#jobs = new JobWatch({
      runningJobs: () => this.#server.activeJobs.map((info) => info.job.id),
      keep: (claims) => deps.claims.keep(claims, this.id),
      onGone: (claim) => this.#onGone(claim),
      heartbeatMs: config.figures.heartbeatMs,
      clock: deps.clock,
      log: deps.log,
    });
    initializeLogger({ pretty: false, level: config.worker.logLevel });
    this.#server = new AgentServer(
      new ServerOptions({
        agent: fileURLToPath(JOB_ENTRY),
        agentName: AGENT_NAME,
        wsURL: config.livekit.url,
        apiKey: config.livekit.apiKey,
        apiSecret: config.livekit.apiSecret,
        requestFunc: (request) => this.#onRequest(request),
        loadFunc: async () => Math.min(1, this.#active / config.worker.maxInteractions),
        loadThreshold: 1,
        numIdleProcesses: config.worker.idleProcesses,
        initializeProcessTimeout: 60_000,
        shutdownProcessTimeout: 60_000,
        drainTimeout: config.figures.drainMs,
        host: config.worker.host,
        port: config.worker.port,
        logLevel: config.worker.logLevel,
        production: true,
      }),
    );
  }

  get #active(): number {
    const running = this.#server.activeJobs.map((info) => info.job.id);
    return new Set([...running, ...this.#admitted]).size;
  }

  /** How many more calls could begin now. */
  get places(): number {
    if (this.#draining !== undefined) return 0;
    return Math.max(0, this.#deps.config.worker.maxInteractions - this.#active);
  }

  /** Runs until `stop`. Rejects when LiveKit can't be reached for good. */
  run(): Promise<void> {
    this.#running ??= this.#server.run();
    return this.#running;
  }

  /** Resolves when LiveKit has taken the worker on. */
  registered(): Promise<void> {
    return new Promise((resolve) => this.#server.event.once('worker_registered', () => resolve()));
  }

  /** Takes no new jobs, lets conversations end within the drain time, then stops. Safe to call twice. */
  async stop(): Promise<void> {
    this.#draining ??= this.#drain();
    await this.#draining;
  }

  async #drain(): Promise<void> {
    const { log, config } = this.#deps;
    log.info({ interactions: this.#active, drainMs: config.figures.drainMs }, 'worker drains');
    try {
      await this.#server.drain(config.figures.drainMs);
    } catch (err) {
      log.warn({ err, interactions: this.#active }, 'conversations go on elsewhere: the drain time is over');
    }
    await this.#server.close();
    this.#jobs.close();
    log.info('worker stopped');
  }

  /** A session that ended or left has done so in the database too: then there is nothing to give back. */
  async #onGone(claim: WatchedClaim): Promise<void> {
    await this.#deps.recoverSpooled();
    if (!(await this.#deps.claims.release(claim))) return;
    const { interactionId: interaction, generation } = claim;
    this.#deps.log.warn({ interaction, generation }, 'a job process died; its interaction was given back');
    this.#deps.onGivenBack();
  }

  async #onRequest(request: JobRequest): Promise<void> {
    const log = this.#deps.log.child({ job: request.id });
    if (this.places === 0) {
      log.info({ interactions: this.#active }, 'job refused: the worker is full');
      await request.reject();
      return;
    }
    this.#admitted.add(request.id);
    let taken = false;
    try {
      taken = await this.#admit(request, log);
    } catch (err) {
      log.error({ err }, 'job refused: its interaction could not be claimed');
    }
    if (taken) {
      // Until LiveKit has assigned it; from then on it counts as running, or it never came to be.
      setTimeout(() => this.#admitted.delete(request.id), ASSIGNMENT_MS).unref();
    } else {
      this.#admitted.delete(request.id);
      await request.reject();
    }
  }

  /** @returns whether the job was accepted. */
  async #admit(request: JobRequest, log: Log): Promise<boolean> {
    const room = request.room?.name ?? '';
    const metadata = parseJobMetadata(request.job.metadata);
    const interactionId = await this.#interactionOf(metadata, room, log);
    if (interactionId === undefined) return false;
    // A room of somebody else's making has nobody else to take it, whatever its channel.
    const hinted = metadata.kind === 'interaction' && metadata.channel !== undefined;
    const only = metadata.kind === 'agent' || hinted ? undefined : 'voice';
    const claimed = await this.#deps.claims.claim(interactionId, this.id, only);
    if ('refused' in claimed) {
      log.info({ interaction: interactionId, why: claimed.refused }, 'job refused');
      return false;
    }
    const { generation } = claimed;
    try {
      this.#jobs.watch(request.id, { interactionId, generation });
      await this.#deps.claims.removePredecessors(room, interactionId, generation);
      await request.accept('Agent', agentIdentity(interactionId, generation));
    } catch (err) {
      this.#jobs.forget(request.id);
      await this.#deps.claims.release({ interactionId, generation });
      throw err;
    }
    log.info({ interaction: interactionId, generation }, 'job taken');
    return true;
  }

  async #interactionOf(metadata: ParsedMetadata, room: string, log: Log): Promise<string | undefined> {
    switch (metadata.kind) {
      case 'interaction':
        // Chats are taken by the processes that hold many of them.
        return metadata.channel === 'chat' ? undefined : metadata.interactionId;
      case 'agent':
        return this.#deps.claims.createFor(metadata, room);
      case 'telephone':
        log.error(
          'job refused: it names no interaction and no agent, and telephone numbers are not assigned yet',
        );
        return undefined;
      case 'malformed':
        log.error({ problem: metadata.problem }, 'job refused: its metadata can not be read');
        return undefined;
    }
  }
}
