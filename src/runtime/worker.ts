import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, type JobRequest, ServerOptions } from '@livekit/agents';
import type { Config } from '../config.ts';
import type { Channel } from '../domain/channel.ts';
import { AGENT_NAME, type AgentIdentity, agentIdentity, parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { type Clock, within } from '../session/clock.ts';
import { Admission, type Claims } from './admission.ts';
import type { Ending } from './ending.ts';
import { JobWatch } from './job-watch.ts';
import { JOB_PROCESSES, type OwnChildren } from './own-children.ts';
import { PortConnections } from './port-connections.ts';
import { reportedLoad } from './reported-load.ts';

export interface WorkerDeps {
  readonly config: Config;
  /** Also the worker id of its leases. */
  readonly id: string;
  /** Whose conversations have a process each. */
  readonly channels: readonly Channel[];
  readonly claims: Claims;
  /** Stores what dead processes of this worker have left: their successors are to find it. */
  recoverSpooled(): Promise<void>;
  /** An interaction of this worker waits for somebody who carries it on. */
  onGivenBack(): void;
  readonly children: OwnChildren;
  readonly ending: Ending;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long the system takes for a process that was killed. */
const KILLED_MS = 3_000;
/** The framework's end without its processes: its port, jobs that wait for their assignment, its line to LiveKit. */
const FRAMEWORK_MS = 12_000;
/** The database may be away: then the leases run out by themselves. */
const LEASES_MS = 10_000;
/** So long a job counts that does not run yet. The framework's own limit for an assignment is 7.5 s. */
const ASSIGNMENT_MS = 10_000;
/** A process that is slow to begin runs its job after all. */
const FORGOTTEN_MS = 600_000;
const JOB_ENTRY = new URL('../job.ts', import.meta.url);

/** A job that was accepted: it counts from then on, although it runs only when LiveKit has assigned it. */
interface Taken {
  readonly channel: Channel;
  readonly takenAt: number;
  /** It has run: once it does not any more, it is over. */
  seen: boolean;
}

/**
 * The part of a worker whose conversations have a process each: registers with LiveKit as `floorwalker` and takes a
 * job for each interaction of its channels that it can lease. Those that share processes are taken by `HostProcesses`.
 * The caps are strict: load is only sampled every 2.5 s and two jobs can fall between two samples, so each request is
 * counted when it is answered.
 */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #server: AgentServer;
  readonly #admission: Admission;
  readonly #taken = new Map<string, Taken>();
  readonly #jobs: JobWatch;
  readonly #connections: PortConnections;
  #draining: Promise<void> | undefined;
  /** Of the framework. */
  #running: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();
  #registered = false;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    const { config } = deps;
    this.#admission = new Admission({
      claims: deps.claims,
      workerId: deps.id,
      channels: deps.channels,
      places: (channel) => this.#unused(channel),
      log: deps.log,
    });
    this.#jobs = new JobWatch({
      runningJobs: () => this.#server.activeJobs.map((info) => info.job.id),
      keep: (claims) => deps.claims.keep(claims, deps.id),
      onGone: (claim) => this.#onGone(claim),
      heartbeatMs: config.figures.heartbeatMs,
      clock: deps.clock,
      log: deps.log,
    });
    this.#connections = new PortConnections(config.worker.port);
    initializeLogger({ pretty: false, level: config.worker.logLevel });
    this.#server = new AgentServer(
      new ServerOptions({
        agent: fileURLToPath(JOB_ENTRY),
        agentName: AGENT_NAME,
        wsURL: config.livekit.url,
        apiKey: config.livekit.apiKey,
        apiSecret: config.livekit.apiSecret,
        requestFunc: (request) => this.#onRequest(request),
        loadFunc: async () => this.#load,
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
    void this.registered().then(() => {
      this.#registered = true;
    });
  }

  /** Conversations that run or are about to. */
  #active(channel: Channel): number {
    const running = new Set(this.#server.activeJobs.map((info) => info.job.id));
    const now = this.#deps.clock.now();
    let active = 0;
    for (const [id, taken] of this.#taken) {
      const runs = running.has(id);
      const age = now - taken.takenAt;
      if (!runs && (taken.seen || age > FORGOTTEN_MS)) this.#taken.delete(id);
      else if (taken.channel === channel && (runs || age <= ASSIGNMENT_MS)) active += 1;
      taken.seen ||= runs;
    }
    return active;
  }

  #unused(channel: Channel): number {
    if (this.#draining !== undefined || !this.#deps.channels.includes(channel)) return 0;
    return Math.max(0, this.#deps.config.worker[channel].most - this.#active(channel));
  }

  /** 1 only when no channel has a place left: then LiveKit offers nothing more. */
  get #load(): number {
    const { channels, config } = this.#deps;
    const most = channels.reduce((sum, channel) => sum + config.worker[channel].most, 0);
    const places = channels.reduce((sum, channel) => sum + this.places(channel), 0);
    return reportedLoad(most === 0 ? 1 : 1 - places / most);
  }

  get #interactions(): number {
    return this.#deps.channels.reduce((sum, channel) => sum + this.#active(channel), 0);
  }

  /** How many more conversations could begin now. */
  places(channel: Channel): number {
    return Math.max(0, this.#unused(channel) - this.#admission.promised(channel));
  }

  /** Runs until `stop` has come to its end. Rejects when LiveKit can't be reached for good. */
  run(): Promise<void> {
    this.#running ??= this.#server.run();
    const failed = this.#running.catch((err: unknown) => {
      // What is ended by force may say so.
      if (this.#draining === undefined) throw err;
    });
    return Promise.race([failed, this.#ended.promise]);
  }

  /** Resolves when LiveKit has taken the worker on. */
  registered(): Promise<void> {
    return new Promise((resolve) => this.#server.event.once('worker_registered', () => resolve()));
  }

  /**
   * Takes no new jobs, lets conversations end within the drain time, has the rest handed over, then stops. Ends in every
   * case: what does not end by itself is killed after a time, or left. Safe to call twice.
   */
  async stop(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => this.#ended.resolve());
    await this.#draining;
  }

  async #drain(): Promise<void> {
    const { log, config, ending } = this.#deps;
    const { drainMs } = config.figures;
    log.info({ interactions: this.#interactions, drainMs }, 'worker drains');
    // Marks it as full and refuses what is offered. Its own wait is over at once when a process is just being started.
    this.#server
      .drain(drainMs)
      .catch((err: unknown) => log.debug({ err }, 'the framework does not wait any more'));
    if (!(await ending.until(() => this.#interactions === 0, drainMs)))
      log.warn({ interactions: this.#interactions }, 'conversations go on elsewhere: the drain time is over');
    await this.#close();
    await ending.step('leases', LEASES_MS, this.#jobs.finish(), 'they run out by themselves');
    log.info('worker stopped');
  }

  /** The framework tells the job processes to leave, and kills those only that do so in a way that it has thought of. */
  async #close(): Promise<void> {
    const { children, config, ending } = this.#deps;
    // One that was never registered holds nothing, and the framework does not end while its first process still starts.
    const limitMs = this.#registered ? config.figures.endMs : 0;
    const closed = this.#server.close();
    const gone = (): boolean => children.alive(JOB_PROCESSES).length === 0;
    if (!(await ending.until(gone, limitMs))) {
      if (this.#registered) this.#reportLingering(limitMs);
      children.kill(JOB_PROCESSES);
      await ending.until(gone, KILLED_MS);
    }
    this.#connections.end();
    const framework = this.#registered ? closed : Promise.race([closed, this.#running?.catch(() => {})]);
    await ending.step('framework', FRAMEWORK_MS, framework, 'the process ends without it');
    this.#connections.close();
  }

  #reportLingering(limitMs: number): void {
    const { children, ending } = this.#deps;
    const interactions = this.#server.activeJobs.map(
      ({ acceptArguments: { identity } }) => parseAgentIdentity(identity)?.interactionId,
    );
    ending.gaveUp('job processes', {
      limitMs,
      processes: children.alive(JOB_PROCESSES),
      interactions,
      instead: 'they are killed, and their conversations given back',
    });
  }

  /** A session that ended or left has done so in the database too: then there is nothing to give back. */
  async #onGone(claim: AgentIdentity): Promise<void> {
    await this.#deps.recoverSpooled();
    if (!(await this.#deps.claims.release(claim))) return;
    const { interactionId: interaction, generation } = claim;
    this.#deps.log.warn({ interaction, generation }, 'a job process died; its interaction was given back');
    this.#deps.onGivenBack();
  }

  async #onRequest(request: JobRequest): Promise<void> {
    const log = this.#deps.log.child({ job: request.id });
    let key: AgentIdentity | undefined;
    try {
      key = await this.#admission.decide(request.job, (leased, channel) => {
        this.#taken.set(request.id, { channel, takenAt: this.#deps.clock.now(), seen: false });
        this.#jobs.watch(request.id, leased);
      });
      // A job that LiveKit does not assign after all would never settle, and the framework waits with its end for each.
      if (key)
        await within(
          this.#deps.clock,
          ASSIGNMENT_MS,
          request.accept('Agent', agentIdentity(key.interactionId, key.generation)),
        );
    } catch (err) {
      log.error({ err }, 'job refused: its interaction could not be claimed');
      this.#taken.delete(request.id);
      this.#jobs.forget(request.id);
      if (key) await this.#deps.claims.release(key).catch(() => {});
      key = undefined;
    }
    if (key) log.info({ interaction: key.interactionId, generation: key.generation }, 'job taken');
    else await request.reject();
  }
}
