import postgres, { type Sql } from 'postgres';
import { z } from 'zod';
import { processEnvironment } from '../src/config.ts';
import { createServiceClient, createUserClient } from '../src/database/client.ts';
import { type NodeChild, startNodeChild } from '../src/embedded/node-child.ts';
import { freeTcpPort } from '../src/embedded/ports.ts';
import { pollUntil } from '../src/embedded/ready.ts';
import { type Customer, joinAsCustomer } from '../src/embedded/rehearsal/caller/caller.ts';
import type { Recording } from '../src/embedded/rehearsal/speech/library.ts';
import { type Agent, createFixtures, type Fixtures, type Person } from '../test/support/fixtures.ts';
import type { BareServers } from './bare/contestant.ts';
import { type InstantModel, startModel } from './model.ts';
import { untilQuiet } from './processes.ts';
import { plainEnvironment, type Servers, startServers } from './servers.ts';

const MAIN = new URL('../src/main.ts', import.meta.url);
const ENDED_WITHIN_MS = 30_000;

const createdSchema = z.object({ interaction_id: z.string(), url: z.string(), token: z.string() });

/** A conversation that was just joined. */
export interface Visit {
  readonly id: string;
  readonly customer: Customer;
  /** When its creation was asked for. */
  readonly askedAt: number;
  /** When the API had answered. */
  readonly createdAt: number;
}

/** The environment's settings that a run passes on, so that one can measure what a setting does. */
export function passedSettings(): Record<string, string> {
  const given = Object.entries(processEnvironment()).flatMap(([name, value]): [string, string][] =>
    value !== undefined && /^(FLOORWALKER_\w+_MS|WORKER_IDLE_PROCESSES|SCORER|HEAD_START)$/.test(name)
      ? [[name, value]]
      : [],
  );
  return Object.fromEntries(given);
}

/** Everything that an interaction needs, each part a process of its own but for the model and the customers. */
export class Stack {
  readonly model: InstantModel;
  readonly sql: Sql;
  readonly fixtures: Fixtures;
  readonly servers: Servers;
  readonly #logFile: (name: string) => string;
  readonly #undo: (() => Promise<void>)[];
  readonly #customers = new Set<Customer>();
  #api: NodeChild | undefined;
  #apiUrl = '';
  #restless = 0;
  #worker: NodeChild | undefined;
  #deciders: { readonly businessId: string; readonly chat: Person; readonly voice: Person } | undefined;

  private constructor(
    servers: Servers,
    model: InstantModel,
    logFile: (name: string) => string,
    undo: (() => Promise<void>)[],
  ) {
    this.servers = servers;
    this.model = model;
    this.#logFile = logFile;
    this.#undo = undo;
    this.sql = postgres(servers.databaseUrl, { max: 2, onnotice: () => {} });
    undo.push(() => this.sql.end({ timeout: 2 }));
    const { supabaseUrl: url, keys } = servers;
    const service = createServiceClient({ url, secretKey: keys.secretKey });
    this.fixtures = createFixtures({
      service,
      sql: this.sql,
      signIn: async (email, password) => {
        const anonymous = createServiceClient({ url, secretKey: keys.publishableKey });
        const { data, error } = await anonymous.auth.signInWithPassword({ email, password });
        if (error) throw error;
        const { access_token: accessToken } = data.session;
        const settings = { url, secretKey: '', publishableKey: keys.publishableKey };
        return { client: createUserClient(settings, accessToken), accessToken };
      },
    });
  }

  /** `undo` is filled while it starts, so that a start that fails or is broken off can be cleared away too. */
  static async start(
    logFile: (name: string) => string,
    undo: (() => Promise<void>)[],
    {
      modelMs,
      ...speech
    }: {
      readonly recordings: readonly Recording[];
      readonly modelMs: number;
      readonly speechMs: number;
      readonly dataDir: string | undefined;
    },
  ): Promise<Stack> {
    const servers = await startServers(logFile, (step) => undo.push(step), speech);
    const model = await startModel(modelMs);
    undo.push(() => model.stop());
    const stack = new Stack(servers, model, logFile, undo);
    await stack.#startApi();
    await stack.startWorker();
    undo.push(() => stack.stopWorker());
    await stack.#prepare();
    return stack;
  }

  get workerPid(): number {
    if (!this.#worker) throw new Error('no worker runs');
    return this.#worker.pid;
  }

  /** What the bare framework needs of all this. */
  get bareServers(): BareServers {
    const { livekit, speech } = this.servers;
    const { openaiBaseUrl } = this.model;
    return { livekit, speech, openaiBaseUrl, logFile: this.#logFile };
  }

  /** Where the output of a process of this run goes. */
  logFile(name: string): string {
    return this.#logFile(name);
  }

  get apiPid(): number {
    return this.#api?.pid ?? 0;
  }

  get apiUrl(): string {
    return this.#apiUrl;
  }

  /** Of the agents' supervisors. */
  get supervisor(): Person {
    return this.#people.chat;
  }

  /** Who decides for this agent. */
  supervisorOf(agent: Agent): Person {
    return agent.agentType === 'voice' ? this.#people.voice : this.#people.chat;
  }

  get #people() {
    if (!this.#deciders) throw new Error('not started');
    return this.#deciders;
  }

  /** @returns the milliseconds from its start to its registration with LiveKit. */
  async startWorker(settings: Record<string, string> = {}): Promise<number> {
    const port = await freeTcpPort();
    const began = Date.now();
    let registered = 0;
    this.#worker = await startNodeChild({
      name: 'worker',
      script: MAIN,
      args: ['worker'],
      env: { ...this.settings, ...settings, WORKER_HOST: '127.0.0.1', WORKER_PORT: String(port) },
      logFile: this.#logFile('worker'),
      killAfterMs: 15_000,
      ready: async (lines) => {
        await lines.line(/registered with LiveKit/);
        registered = Date.now();
      },
    });
    return registered - began;
  }

  /** One beside the worker that is measured; who starts it stops it. */
  async startFurtherWorker(name: string): Promise<NodeChild> {
    const port = await freeTcpPort();
    return startNodeChild({
      name,
      script: MAIN,
      args: ['worker'],
      env: { ...this.settings, WORKER_HOST: '127.0.0.1', WORKER_PORT: String(port) },
      logFile: this.#logFile(name),
      killAfterMs: 15_000,
      ready: (lines) => lines.line(/worker is registered with LiveKit/),
    });
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.stop();
    this.#worker = undefined;
  }

  createAgent(given: Omit<Parameters<Fixtures['createAgent']>[0], 'businessId'>): Promise<Agent> {
    const { businessId, chat, voice } = this.#people;
    const supervisorId = given.agentType === 'voice' ? voice.id : chat.id;
    return this.fixtures.createAgent({ businessId, supervisorId, ...given });
  }

  /** Creates an interaction and joins it as its customer, as a page would. */
  async join(agent: Agent, voice?: string): Promise<Visit> {
    const askedAt = Date.now();
    const body = { agent_id: agent.id, channel: agent.agentType };
    const created = createdSchema.parse(await this.request('/v1/interactions', body));
    const createdAt = Date.now();
    const customer = await joinAsCustomer({
      url: created.url,
      token: created.token,
      channel: agent.agentType,
      speech: { baseUrl: this.servers.speech.openaiBaseUrl, ...(voice ? { voice } : {}) },
    });
    this.#customers.add(customer);
    return { id: created.interaction_id, customer, askedAt, createdAt };
  }

  /**
   * Ends a conversation as its supervisor, and waits until its archive is there and, where nothing else goes on, the
   * worker is at rest again.
   */
  async end(agent: Agent, visit: Visit, { rest = true } = {}): Promise<void> {
    const { chat, voice } = this.#people;
    const person = agent.agentType === 'voice' ? voice : chat;
    try {
      await this.request(`/v1/interactions/${visit.id}/end`, {}, person);
      const deadline = Date.now() + ENDED_WITHIN_MS;
      for (;;) {
        const [row] = await this.sql`select status from interactions where id = ${visit.id}`;
        if (row?.status === 'completed' || row?.status === 'failed') break;
        if (Date.now() > deadline)
          throw new Error(`the interaction was still ${row?.status} long after its end`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    } finally {
      await visit.customer.leave();
      this.#customers.delete(visit.customer);
    }
    if (rest) await this.rest();
  }

  /** Ends every conversation whose customer has left, without the time they would have to come back. */
  async endAll(): Promise<void> {
    await this.sql`update interactions set end_requested_at = clock_timestamp(),
      end_requested_reason = 'measured' where status in ('queued', 'active')`;
    const deadline = Date.now() + ENDED_WITHIN_MS;
    while (Date.now() < deadline) {
      const [row] = await this
        .sql`select count(*)::int as open from interactions where status in ('queued', 'active')`;
      if (row?.open === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.rest();
  }

  /** Ends every conversation in the database, whether or not anybody carries it; who does notices and leaves. */
  async giveUpAll(): Promise<void> {
    await this.sql`select complete_interaction(id, generation, 'completed', 'measured')
      from interactions where status = 'active'`;
  }

  /** Waits until the worker is at rest, so that a measurement begins where the one before it has ended. */
  async rest(): Promise<void> {
    if (!(await untilQuiet(this.workerPid))) this.#restless += 1;
  }

  /** How often the worker did not come to rest in time. */
  get restless(): number {
    return this.#restless;
  }

  async request(path: string, body: object, as?: Person): Promise<unknown> {
    const response = await fetch(`${this.#apiUrl}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        apikey: this.servers.keys.publishableKey,
        ...(as ? { authorization: `Bearer ${as.accessToken}` } : {}),
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Ends what was started, newest first. Safe twice. */
  async stop(): Promise<void> {
    await Promise.allSettled([...this.#customers].map((customer) => customer.leave()));
    for (let step = this.#undo.pop(); step; step = this.#undo.pop()) await step().catch(() => {});
  }

  async #startApi(): Promise<void> {
    const [port, metricsPort] = [await freeTcpPort(), await freeTcpPort()];
    this.#apiUrl = `http://127.0.0.1:${port}`;
    const answers = async () => {
      const answer = await fetch(`${this.#apiUrl}/readyz`).catch(() => undefined);
      return answer?.ok ?? false;
    };
    const api = await startNodeChild({
      name: 'API',
      script: MAIN,
      args: ['api'],
      env: {
        ...this.settings,
        HOST: '127.0.0.1',
        PORT: String(port),
        METRICS_PORT: String(metricsPort),
      },
      logFile: this.#logFile('api'),
      ready: (_lines, child) => Promise.resolve().then(() => pollUntil(child, answers)),
    });
    this.#api = api;
    this.#undo.push(() => api.stop());
  }

  async #prepare(): Promise<void> {
    const { id: businessId } = await this.fixtures.createBusiness({ name: 'Harbour Goods' });
    const [chat, voice] = await Promise.all([
      this.fixtures.createUser({ businessId, supervisorType: 'chat' }),
      this.fixtures.createUser({ businessId, supervisorType: 'voice' }),
    ]);
    this.#deciders = { businessId, chat, voice };
  }

  /** Production's defaults, but for addresses, the limits on one customer, and how long the end of a run waits. */
  get settings(): Record<string, string | undefined> {
    const { livekit, supabaseUrl, keys, speech } = this.servers;
    return {
      ...plainEnvironment(),
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      SUPABASE_URL: supabaseUrl,
      SUPABASE_SECRET_KEY: keys.secretKey,
      SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
      OPENAI_API_KEY: 'none',
      OPENAI_BASE_URL: this.model.openaiBaseUrl,
      OPENAI_TTS_BASE_URL: speech.openaiBaseUrl,
      DEEPGRAM_API_KEY: 'none',
      DEEPGRAM_BASE_URL: speech.deepgramBaseUrl,
      ALLOW_PRIVATE_ADDRESSES: '1',
      // Nothing of another run is heard.
      WORKER_SOUND_DIR: this.servers.soundFolder,
      LIMIT_ADDRESS_OPEN: '1000',
      LIMIT_ADDRESS_PER_MINUTE: '1000',
      LIMIT_AGENT_PER_MINUTE: '1000',
      LIMIT_STREAMS_PER_PERSON: '1000',
      LIMIT_BUSINESS_OPEN: '1000',
      FLOORWALKER_DRAIN_MS: '2000',
      ...passedSettings(),
    };
  }
}
