import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type RunningApi, runApi } from '../../src/cli/api.ts';
import { type Figures, figureSetting, loadConfig } from '../../src/config.ts';
import { Child } from '../../src/embedded/child.ts';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { createLog } from '../../src/log.ts';
import { setupDatabase, type TestDatabase } from './database.ts';
import type { Agent, Business, Person } from './fixtures.ts';
import { setupLiveKit, type TestLiveKit } from './livekit.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface StackOptions {
  readonly openaiBaseUrl: string;
  readonly speech?: { readonly openaiBaseUrl: string; readonly deepgramBaseUrl: string };
  readonly figures?: Partial<Figures>;
  readonly env?: Record<string, string>;
  readonly maxInteractions?: number;
  /** A database of the test's own, which it may stop; default is a new one of the run's. The stack stops it at its end. */
  readonly database?: TestDatabase;
  /** A LiveKit server of the test's own, which it may stop; default is the run's. */
  readonly livekit?: TestLiveKit;
  /** Puts something between the database and those who use it; gives the address to use instead. */
  readonly through?: (supabaseUrl: string) => Promise<string>;
  /** No worker is started; `env` is what one needs. */
  readonly withoutWorker?: boolean;
}

/** As many agents as a supervisor may have. */
const MOST_AGENTS = 3;

const createdSchema = z.object({
  interaction_id: z.string(),
  room: z.string(),
  url: z.string(),
  token: z.string(),
  resume_token: z.string(),
  position: z.number(),
});
export type Created = z.output<typeof createdSchema>;

export interface ApiAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Everything real that an interaction needs: database, LiveKit, API in this process, worker in its own. */
export interface Stack {
  readonly database: TestDatabase;
  readonly livekit: TestLiveKit;
  readonly business: Business;
  readonly supervisor: Person;
  readonly apiUrl: string;
  /** The first worker; never started in a stack without one. */
  readonly worker: Child;
  /** The settings of a worker. */
  readonly env: Readonly<Record<string, string>>;
  /** What the worker and its jobs wrote to their log. */
  readonly log: readonly string[];
  /** An agent of the business with this stack's supervisor; one with too many agents for that has another. */
  createAgent(given?: Partial<Parameters<TestDatabase['createAgent']>[0]>): Promise<Agent>;
  /** The person who decides for this agent. */
  supervisorOf(agent: Agent): Promise<Person>;
  create(agent: Agent, body?: Record<string, unknown>): Promise<Created>;
  /** Creates an interaction and joins it as its customer. */
  join(agent: Agent, body?: Record<string, unknown>): Promise<{ customer: Customer; created: Created }>;
  /** Joins again with a new token. */
  rejoin(created: Created): Promise<Customer>;
  request(path: string, options?: { method?: string; body?: unknown; as?: Person }): Promise<ApiAnswer>;
  startWorker(): Promise<Child>;
  /** Ends all workers that run, without a word to them. */
  killWorkers(): void;
  stop(): Promise<void>;
}

export async function setupStack(options: StackOptions): Promise<Stack> {
  const database = options.database ?? (await setupDatabase());
  const livekit = options.livekit ?? setupLiveKit();
  const business = await database.createBusiness({
    name: 'Harbour Goods',
    tagVocabulary: { topics: ['orders', 'billing'], issues: ['refund_request', 'late_delivery'] },
  });
  const supervisor = await database.createUser({ businessId: business.id, name: 'Sam Supervisor' });
  const supabaseUrl = (await options.through?.(database.supabaseUrl)) ?? database.supabaseUrl;
  // The disk that the workers of this stack share.
  const spools = await mkdtemp(join(tmpdir(), 'stack-'));
  const env = {
    WORKER_SPOOL_DIR: spools,
    WORKER_SOUND_DIR: join(spools, 'sounds'),
    ...environment(database, livekit, options),
    SUPABASE_URL: supabaseUrl,
  };
  const config = loadConfig({ ...env, PORT: '0', METRICS_PORT: '0', HOST: '127.0.0.1' });
  const api: RunningApi = await runApi(config, createLog({ level: 'silent' }));
  const apiUrl = `http://127.0.0.1:${api.port}`;
  const log: string[] = [];
  const children: Child[] = [];
  const customers: Customer[] = [];
  const supervisors: { readonly person: Person; readonly type: 'voice' | 'chat'; agents: number }[] = [
    { person: supervisor, type: 'chat', agents: 0 },
  ];

  /** Somebody who has room for another agent: a test that is tried again makes its agents again. */
  const supervisorFor = async (type: 'voice' | 'chat'): Promise<Person> => {
    let found = supervisors.find((one) => one.type === type && one.agents < MOST_AGENTS);
    if (!found) {
      const name = type === 'voice' ? 'Vera Voice' : 'Sam Supervisor';
      const person = await database.createUser({ businessId: business.id, supervisorType: type, name });
      found = { person, type, agents: 0 };
      supervisors.push(found);
    }
    found.agents += 1;
    return found.person;
  };

  const makeWorker = async (): Promise<Child> => {
    const port = await freeTcpPort();
    return new Child({
      name: 'worker',
      command: process.execPath,
      args: ['src/main.ts', 'worker'],
      cwd: ROOT,
      env: { ...env, WORKER_PORT: String(port), PATH: process.env.PATH },
      killAfterMs: 20_000,
      onLine: (line) => log.push(line),
    });
  };

  const startWorker = async (): Promise<Child> => {
    const child = await makeWorker();
    children.push(child);
    await child.start();
    await waitUntil(
      () => log.some((line) => line.includes('registered with LiveKit')),
      40_000,
      () => child.tail,
    );
    return child;
  };

  const request: Stack['request'] = async (path, { method, body, as } = {}) => {
    const response = await fetch(`${apiUrl}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        'content-type': 'application/json',
        apikey: database.publishableKey,
        ...(as ? { authorization: `Bearer ${as.accessToken}` } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? {} : z.record(z.string(), z.unknown()).parse(JSON.parse(text)),
    };
  };

  const create: Stack['create'] = async (agent, body = {}) => {
    const answer = await request('/v1/interactions', {
      body: { agent_id: agent.id, channel: agent.agentType, ...body },
    });
    if (answer.status >= 300) throw new Error(`not created: ${JSON.stringify(answer.body)}`);
    return createdSchema.parse(answer.body);
  };

  const enter = async (
    place: { url: string; token: string },
    agentType: 'voice' | 'chat',
  ): Promise<Customer> => {
    const customer = await joinAsCustomer({
      url: place.url,
      token: place.token,
      channel: agentType,
      ...(options.speech ? { speech: { baseUrl: options.speech.openaiBaseUrl } } : {}),
    });
    customers.push(customer);
    return customer;
  };

  const worker = options.withoutWorker ? await makeWorker() : await startWorker();
  return {
    database,
    livekit,
    business,
    supervisor,
    apiUrl,
    worker,
    env,
    log,
    request,
    create,
    startWorker,
    killWorkers() {
      for (const { pid, running } of children) if (running && pid !== undefined) process.kill(pid, 'SIGKILL');
    },
    async createAgent(given = {}) {
      const agentType = given.agentType ?? 'chat';
      const supervisorId = given.supervisorId ?? (await supervisorFor(agentType)).id;
      return database.createAgent({ businessId: business.id, supervisorId, agentType, ...given });
    },
    async supervisorOf(agent) {
      const found = supervisors.find(({ person }) => person.id === agent.supervisorId)?.person;
      if (!found) throw new Error('the supervisor of this agent is not of this stack');
      return found;
    },
    async join(agent, body) {
      const created = await create(agent, body);
      return { created, customer: await enter(created, agent.agentType) };
    },
    async rejoin(created) {
      const answer = await request(`/v1/interactions/${created.interaction_id}/rejoin`, {
        body: { resume_token: created.resume_token },
      });
      const place = z.object({ url: z.string(), token: z.string() }).parse(answer.body);
      return enter(place, 'chat');
    },
    async stop() {
      await Promise.all(customers.map((customer) => customer.leave()));
      await Promise.all([...children.map((child) => child.stop()), api.stop()]);
      await database.stop();
      await rm(spools, { recursive: true, force: true });
    },
  };
}

function environment(
  database: TestDatabase,
  livekit: TestLiveKit,
  options: StackOptions,
): Record<string, string> {
  const figures = Object.entries(options.figures ?? {}).map(([name, value]) => [
    figureSetting(name),
    String(value),
  ]);
  return {
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
    SUPABASE_URL: database.supabaseUrl,
    SUPABASE_SECRET_KEY: database.secretKey,
    SUPABASE_PUBLISHABLE_KEY: database.publishableKey,
    OPENAI_API_KEY: 'test',
    OPENAI_BASE_URL: options.openaiBaseUrl,
    DEEPGRAM_API_KEY: 'test',
    ...(options.speech
      ? {
          OPENAI_TTS_BASE_URL: options.speech.openaiBaseUrl,
          DEEPGRAM_BASE_URL: options.speech.deepgramBaseUrl,
        }
      : {}),
    ALLOW_INLINE_STDIO: '1',
    ALLOW_PRIVATE_ADDRESSES: '1',
    WORKER_HOST: '127.0.0.1',
    WORKER_IDLE_PROCESSES: '1',
    WORKER_MAX_INTERACTIONS: String(options.maxInteractions ?? 10),
    WORKER_MAX_CHATS: String(options.maxInteractions ?? 10),
    LOG_LEVEL: 'debug',
    // Customers who were left behind by a test must not keep its worker for the time that real ones get.
    FLOORWALKER_DRAIN_MS: '1000',
    FLOORWALKER_REJOIN_CHAT_MS: '5000',
    FLOORWALKER_REJOIN_VOICE_MS: '5000',
    ...Object.fromEntries(figures),
    ...options.env,
  };
}

/** Polls a condition of the outside world; the error says what `tail` knows. */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  deadlineMs = 20_000,
  tail: () => string = () => '',
): Promise<NonNullable<T>> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms. ${tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
