import {
  type Job,
  JobType,
  ParticipantPermission,
  ServerMessage,
  WorkerMessage,
  WorkerStatus,
} from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { WebSocket } from 'ws';
import type { Config } from '../config.ts';
import { AGENT_NAME } from '../domain/identities.ts';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';
import { reportedLoad } from './reported-load.ts';

/** Under which name the agent joins the room of a job that is taken. */
export interface Taken {
  readonly identity: string;
  readonly name: string;
}

/** A job that LiveKit has given to this process, with the way into its room. */
export interface Assignment {
  readonly job: Job;
  readonly identity: string;
  readonly url: string;
  readonly token: string;
}

export interface AgentLinkDeps {
  readonly livekit: Config['livekit'];
  /** Version of this software, for the server's log. */
  readonly version: string;
  /** Decides about a job within the few seconds that LiveKit waits; undefined refuses, and the next worker is asked. */
  onOffered(job: Job): Promise<Taken | undefined>;
  onAssigned(assignment: Assignment): void;
  /** A job that was taken came to nothing: no assignment followed. */
  onLapsed(job: Job): void;
  /** The dispatch or its room was deleted. */
  onTerminated(jobId: string): void;
  /** Part of the places that are taken, 0 to 1; at 1 no job is offered. */
  load(): number;
  readonly clock: Clock;
  readonly log: Log;
}

type Message = NonNullable<NonNullable<ConstructorParameters<typeof WorkerMessage>[0]>['message']>;

interface Waiting {
  readonly job: Job;
  readonly taken: Taken;
  readonly cancelTimer: () => void;
}

const LOAD_EVERY_MS = 500;
const ASSIGNMENT_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** Beyond this many refusals in a row at the start, the address or the key is wrong rather than the server away. */
const START_ATTEMPTS = 16;

/**
 * Registers this very process as a worker for jobs of our agent name and takes jobs itself.
 *
 * The framework's AgentServer can only launch a process for each job. This speaks the same messages of
 * `@livekit/protocol` over the same socket, so that dispatch stays LiveKit's and many sessions share a process.
 */
export class AgentLink {
  readonly #deps: AgentLinkDeps;
  /** Taken and not yet assigned; the function gives up waiting for the assignment. */
  readonly #taken = new Map<string, Waiting>();
  #refusing = false;
  #socket: WebSocket | undefined;
  #closed = false;
  #attempts = 0;
  #cancelRetry: (() => void) | undefined;
  #cancelLoad: (() => void) | undefined;
  #reported: number | undefined;
  readonly #registered = Promise.withResolvers<void>();

  constructor(deps: AgentLinkDeps) {
    this.#deps = deps;
    this.#registered.promise.catch(() => {});
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Resolves with the first registration; afterwards a lost connection is made again until `close`.
   *
   * @throws FloorwalkerError `media_unavailable` when the server can't be reached at the start.
   */
  open(): Promise<void> {
    void this.#connect();
    return this.#registered.promise;
  }

  /** Takes no job any more; the connection stays, because running rooms are none of its business. */
  refuseFromNowOn(): void {
    this.#refusing = true;
    this.#reportLoad();
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelLoad?.();
    this.#socket?.close();
    for (const id of [...this.#taken.keys()]) this.#lapse(id);
  }

  async #connect(): Promise<void> {
    const { livekit, log } = this.#deps;
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret);
    token.addGrant({ agent: true });
    const url = new URL('agent', livekit.url.replace(/\/*$/, '/'));
    url.protocol = url.protocol.replace('http', 'ws');
    const authorization = `Bearer ${await token.toJwt()}`;
    if (this.#closed) return;
    const socket = new WebSocket(url, { headers: { authorization } });
    this.#socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => this.#register());
    socket.on('message', (data: Buffer) => this.#onMessage(data));
    socket.on('error', (err) => log.warn({ err }, 'connection to LiveKit failed'));
    socket.on('close', () => this.#onClosed());
  }

  #onClosed(): void {
    this.#cancelLoad?.();
    this.#reported = undefined;
    if (this.#closed) return;
    this.#attempts += 1;
    if (this.#attempts === START_ATTEMPTS) {
      const { url } = this.#deps.livekit;
      this.#registered.reject(new FloorwalkerError('media_unavailable', `No LiveKit server at ${url}.`));
    }
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#attempts - 1));
    this.#cancelRetry = this.#deps.clock.after(longest * (0.5 + Math.random() / 2), () => {
      void this.#connect();
    });
  }

  #register(): void {
    const permissions = { canPublish: true, canSubscribe: true, canPublishData: true, agent: true };
    this.#send({
      case: 'register',
      value: {
        type: JobType.JT_ROOM,
        agentName: AGENT_NAME,
        version: this.#deps.version,
        allowedPermissions: new ParticipantPermission({ ...permissions, canUpdateMetadata: true }),
      },
    });
  }

  #onMessage(data: Buffer): void {
    const { message } = ServerMessage.fromBinary(data);
    switch (message.case) {
      case 'register':
        this.#attempts = 0;
        this.#registered.resolve();
        this.#keepReporting();
        break;
      case 'availability':
        if (message.value.job) void this.#answer(message.value.job);
        break;
      case 'assignment': {
        const known = this.#forget(message.value.job?.id ?? '');
        if (!known) break;
        const { job, taken } = known;
        const url = message.value.url || this.#deps.livekit.url;
        this.#deps.onAssigned({ job, identity: taken.identity, url, token: message.value.token });
        break;
      }
      case 'termination':
        this.#deps.onTerminated(message.value.jobId);
        break;
      default:
        break;
    }
  }

  async #answer(job: Job): Promise<void> {
    const { clock, log, onOffered } = this.#deps;
    let taken: Taken | undefined;
    try {
      taken = await onOffered(job);
    } catch (err) {
      log.error({ err, job: job.id }, 'job refused: its interaction could not be claimed');
    }
    if (!taken) {
      this.#send({ case: 'availability', value: { jobId: job.id, available: false } });
      return;
    }
    const cancelTimer = clock.after(ASSIGNMENT_MS, () => this.#lapse(job.id));
    this.#taken.set(job.id, { job, taken, cancelTimer });
    const sent = this.#send({
      case: 'availability',
      value: {
        jobId: job.id,
        available: true,
        participantIdentity: taken.identity,
        participantName: taken.name,
        participantAttributes: { 'lk.agent.name': AGENT_NAME },
      },
    });
    if (!sent) this.#lapse(job.id);
  }

  #forget(jobId: string): Waiting | undefined {
    const waiting = this.#taken.get(jobId);
    waiting?.cancelTimer();
    this.#taken.delete(jobId);
    return waiting;
  }

  #lapse(jobId: string): void {
    const waiting = this.#forget(jobId);
    if (waiting) this.#deps.onLapsed(waiting.job);
  }

  #keepReporting(): void {
    this.#reportLoad();
    this.#cancelLoad = this.#deps.clock.after(LOAD_EVERY_MS, () => this.#keepReporting());
  }

  /** Only changes are told: the server keeps the last word. */
  #reportLoad(): void {
    const load = this.#refusing ? 1 : reportedLoad(this.#deps.load());
    if (load === this.#reported) return;
    const status = load >= 1 ? WorkerStatus.WS_FULL : WorkerStatus.WS_AVAILABLE;
    if (this.#send({ case: 'updateWorker', value: { load, status } })) this.#reported = load;
  }

  #send(message: Message): boolean {
    if (!this.connected) return false;
    this.#socket?.send(new WorkerMessage({ message }).toBinary());
    return true;
  }
}
