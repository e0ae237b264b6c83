import { randomUUID } from 'node:crypto';
import { AccessToken, AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import { type NodeChild, startNodeChild } from '../../src/embedded/node-child.ts';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { plainEnvironment } from '../servers.ts';

const WORKER = new URL('./worker.ts', import.meta.url);

/** What it stands on. */
export interface BareServers {
  readonly livekit: { readonly url: string; readonly apiKey: string; readonly apiSecret: string };
  readonly openaiBaseUrl: string;
  /** Only calls need it. */
  readonly speech?: { readonly openaiBaseUrl: string; readonly deepgramBaseUrl: string };
  logFile(name: string): string;
}

export interface BareOptions {
  readonly channel: 'chat' | 'voice';
  /** Leaves out what its options allow to leave out, and keeps so many processes warm; undefined is its defaults. */
  readonly tunedIdle?: number;
}

/** A conversation that was begun, and when. */
export interface Begun {
  readonly customer: Customer;
  readonly askedAt: number;
}

/** The framework without this project: a worker of its own, and customers for it. */
export class Bare {
  readonly #servers: BareServers;
  readonly #worker: NodeChild;
  readonly #channel: BareOptions['channel'];
  readonly #rooms: RoomServiceClient;
  readonly #dispatches: AgentDispatchClient;
  readonly #names = new Map<Customer, string>();

  private constructor(servers: BareServers, worker: NodeChild, channel: BareOptions['channel']) {
    const { url, apiKey, apiSecret } = servers.livekit;
    const http = url.replace(/^ws/, 'http');
    this.#servers = servers;
    this.#worker = worker;
    this.#channel = channel;
    this.#rooms = new RoomServiceClient(http, apiKey, apiSecret);
    this.#dispatches = new AgentDispatchClient(http, apiKey, apiSecret);
  }

  static async start(servers: BareServers, { channel, tunedIdle }: BareOptions): Promise<Bare> {
    const { livekit, openaiBaseUrl, speech } = servers;
    const worker = await startNodeChild({
      name: 'bare worker',
      script: WORKER,
      env: {
        ...plainEnvironment(),
        LIVEKIT_URL: livekit.url,
        LIVEKIT_API_KEY: livekit.apiKey,
        LIVEKIT_API_SECRET: livekit.apiSecret,
        OPENAI_BASE_URL: openaiBaseUrl,
        PORT: String(await freeTcpPort()),
        ...(tunedIdle === undefined ? {} : { BARE_TUNED: '1', BARE_IDLE: String(tunedIdle) }),
        ...(channel === 'voice' && speech
          ? { BARE_SPEECH: speech.openaiBaseUrl, BARE_RECOGNITION: speech.deepgramBaseUrl }
          : {}),
      },
      logFile: servers.logFile(`bare-${channel}${tunedIdle === undefined ? '' : '-tuned'}`),
      killAfterMs: 5_000,
      ready: (lines) => lines.line(/bare worker registered/),
    });
    return new Bare(servers, worker, channel);
  }

  /** The process whose children, and itself, hold the conversations. */
  get pid(): number {
    return this.#worker.pid;
  }

  async begin(voice?: string): Promise<Begun> {
    const { livekit, speech } = this.#servers;
    const { url, apiKey, apiSecret } = livekit;
    const askedAt = Date.now();
    const room = `bare-${randomUUID()}`;
    await this.#rooms.createRoom({ name: room });
    await this.#dispatches.createDispatch(room, 'bare');
    const token = new AccessToken(apiKey, apiSecret, { identity: `customer-${randomUUID()}` });
    const canPublish = this.#channel === 'voice';
    token.addGrant({ roomJoin: true, room, canPublish, canPublishData: true, canSubscribe: true });
    const customer = await joinAsCustomer({
      url,
      token: await token.toJwt(),
      channel: this.#channel,
      ...(speech ? { speech: { baseUrl: speech.openaiBaseUrl, ...(voice ? { voice } : {}) } } : {}),
    });
    this.#names.set(customer, room);
    return { customer, askedAt };
  }

  async end(conversations: readonly Begun[]): Promise<void> {
    for (const { customer } of conversations) {
      await customer.leave();
      const room = this.#names.get(customer);
      if (room) await this.#rooms.deleteRoom(room).catch(() => {});
    }
  }

  stop(): Promise<unknown> {
    return this.#worker.stop();
  }
}
