import { randomUUID } from 'node:crypto';
import type { Figures } from '../../../src/config.ts';
import type { Customer } from '../../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel } from '../../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../../support/recorder.ts';
import { setupSpeech, type TestSpeech } from '../../support/speech.ts';
import { type Created, type Stack, setupStack, waitUntil } from '../../support/stack.ts';
import { type DatabaseProxy, type Hold, setupDatabaseProxy } from './database-proxy.ts';
import { shopModel, shopTools } from './shop.ts';
import { WorkerProcess } from './worker-process.ts';

/** One customer's conversation, and what they have said in it. */
export interface Visit {
  readonly id: string;
  readonly created: Created;
  readonly customer: Customer;
  readonly sent: { readonly id: string; readonly text: string }[];
  /** Sends a message and remembers it for the audit. */
  say(text: string): Promise<void>;
}

export interface World {
  readonly stack: Stack;
  readonly proxy: DatabaseProxy;
  readonly recorder: ToolRecorder;
  readonly model: ScriptedModel;
  readonly agent: Agent;
  /** Of a world of calls. */
  readonly speech: TestSpeech | undefined;
  readonly workers: WorkerProcess[];
  /** The last that the workers wrote to their logs, for a test that failed. */
  tail(): string;
  startWorker(env?: Record<string, string>): Promise<WorkerProcess>;
  /** Stands the next request to the model still that fits. */
  holdModel(fits: (request: ModelRequest) => boolean): Hold;
  visit(): Promise<Visit>;
  /** The worker that carries the conversation now, and the process of its job. */
  carrier(visit: Visit): Promise<{ worker: WorkerProcess; job: number; generation: number }>;
  /** Ends what is left of a conversation and waits for its archive. */
  close(visit: Visit): Promise<void>;
  /** The request for permission of the tool call for this order, decided by the supervisor. */
  decide(visit: Visit, order: string, decision: 'allowed' | 'denied'): Promise<void>;
  stop(): Promise<void>;
}

/** Short enough for a test that waits for leases, long enough for a busy machine. */
const FIGURES: Partial<Figures> = {
  leaseMs: 4_000,
  heartbeatMs: 1_000,
  pollMs: 250,
  metricsMs: 1_000,
  rejoinChatMs: 1_000,
  rejoinVoiceMs: 3_000,
  drainMs: 500,
};

export async function setupWorld(
  options: { workers?: number; figures?: Partial<Figures>; idleProcesses?: number; voice?: boolean } = {},
): Promise<World> {
  const speech: TestSpeech | undefined = options.voice ? await setupSpeech() : undefined;
  const held: { fits: (request: ModelRequest) => boolean; arrive(): void; released: Promise<void> }[] = [];
  const model = await setupModel(async (request) => {
    const index = held.findIndex(({ fits }) => fits(request));
    const [hold] = index < 0 ? [] : held.splice(index, 1);
    hold?.arrive();
    await hold?.released;
    return shopModel(request);
  });
  const recorder = await setupRecorder();
  const stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    withoutWorker: true,
    ...(speech ? { speech } : {}),
    env: {
      LIMIT_ADDRESS_OPEN: '1000',
      LIMIT_ADDRESS_PER_MINUTE: '1000',
      LIMIT_AGENT_PER_MINUTE: '1000',
      WORKER_IDLE_PROCESSES: String(options.idleProcesses ?? 1),
      WORKER_MAX_INTERACTIONS: '40',
    },
    figures: { ...FIGURES, ...options.figures },
  });
  const proxy = await setupDatabaseProxy(stack.database.supabaseUrl);
  const agent = await stack.createAgent({
    maxConcurrentInteractions: 1000,
    greeting: 'Welcome to the shop.',
    agentType: options.voice ? 'voice' : 'chat',
    tools: shopTools(recorder.url),
  });
  const workers: WorkerProcess[] = [];
  const startWorker: World['startWorker'] = async (env = {}) => {
    const worker = await WorkerProcess.start({ ...stack.env, SUPABASE_URL: proxy.url, ...env });
    workers.push(worker);
    return worker;
  };
  for (let count = 0; count < (options.workers ?? 2); count += 1) await startWorker();

  return {
    stack,
    proxy,
    recorder,
    model,
    agent,
    speech,
    workers,
    startWorker,
    tail() {
      const lines = workers.flatMap(({ lines: all }) => all).sort((a, b) => Number(a.time) - Number(b.time));
      const told = lines.filter(({ level }) => Number(level) >= 30).slice(-150);
      return told.map(({ hostname: _host, ...line }) => JSON.stringify(line).slice(0, 400)).join('\n');
    },
    holdModel(fits) {
      const reached = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      held.push({ fits, arrive: () => reached.resolve(), released: released.promise });
      return { reached: reached.promise, release: () => released.resolve() };
    },
    async visit() {
      const { customer, created } = await stack.join(agent);
      await customer.waitForText(/Welcome to the shop/, { deadlineMs: 60_000 });
      const sent: { id: string; text: string }[] = [];
      const say = async (text: string): Promise<void> => {
        const id = randomUUID();
        sent.push({ id, text });
        await customer.send(text, id);
      };
      return { id: created.interaction_id, created, customer, sent, say };
    },
    async carrier(visit) {
      return waitUntil(async () => {
        const [row] = await stack.database.sql<{ generation: string }[]>`
          select generation from interactions where id = ${visit.id}`;
        for (const worker of workers) {
          const line = worker.lines.findLast(
            ({ interaction, msg, generation }) =>
              interaction === visit.id && msg === 'session began' && generation === Number(row?.generation),
          );
          if (line?.pid) return { worker, job: line.pid, generation: Number(row?.generation) };
        }
        return undefined;
      }, 60_000);
    },
    async close({ id, customer, sent }) {
      // Whoever leaves in the moment of an answer may not have been told that what they sent again is stored. What is
      // never acknowledged the audit finds.
      await customer
        .waitFor(() => sent.every((message) => customer.acknowledged.has(message.id)), {
          what: 'all acknowledgements',
          deadlineMs: 20_000,
        })
        .catch(() => {});
      await customer.leave();
      await waitUntil(async () => {
        const [row] = await stack.database
          .sql`select status from interactions where id = ${id} and status in ('completed', 'failed')`;
        return row;
      }, 40_000);
    },
    async decide(visit, order, decision) {
      const row = await waitUntil(async () => {
        const [found] = await stack.database.sql<{ id: string }[]>`
          select id from tool_permissions
          where interaction_id = ${visit.id} and status = 'pending' and arguments ->> 'order' = ${order}`;
        return found;
      }, 40_000);
      const path = `/v1/permissions/${row.id}/decision`;
      const answer = await stack.request(path, { body: { decision }, as: stack.supervisor });
      if (answer.status !== 200) throw new Error(`not decided: ${JSON.stringify(answer.body)}`);
    },
    async stop() {
      for (const worker of workers) worker.wakeAll();
      await Promise.all(workers.map((worker) => (worker.alive ? worker.killAll() : undefined)));
      await stack.stop();
      await Promise.all([proxy.stop(), recorder.stop(), model.stop(), speech?.stop()]);
    },
  };
}
