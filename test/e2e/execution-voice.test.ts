import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { WorkerProcess } from '../faults/support/worker-process.ts';
import { setupWorld, type World } from '../faults/support/world.ts';
import type { Agent } from '../support/fixtures.ts';
import { waitUntil } from '../support/stack.ts';

const QUESTION = 'What time do you close?';
const NEXT = 'Do you have it in green?';
const APOLOGY = /cut off for a moment|lost the connection/;
const PATIENT = { deadlineMs: 90_000 };
const LONG = { timeout: 280_000 };

let world: World;
let chatAgent: Agent;
beforeAll(async () => {
  world = await setupWorld({
    voice: true,
    workers: 0,
    figures: {
      rejoinVoiceMs: 20_000,
      rejoinChatMs: 20_000,
      silenceFirstMs: 120_000,
      silenceSecondMs: 150_000,
      silenceEndMs: 180_000,
    },
  });
  chatAgent = await world.stack.createAgent({
    agentType: 'chat',
    supervisorId: world.stack.supervisor.id,
    maxConcurrentInteractions: 100,
    greeting: 'Welcome to the shop.',
  });
}, 180_000);
afterAll(() => world?.stop(), 60_000);

interface Conversation {
  readonly id: string;
  readonly customer: Customer;
}
const conversations: Conversation[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(world.tail());
  await Promise.all(conversations.splice(0).map(({ customer }) => customer.leave()));
  // No other test's worker is to carry on what this one left.
  await Promise.all(world.workers.map((worker) => (worker.alive ? worker.killAll() : undefined)));
  await world.stack.database.sql`
    update interactions set status = 'failed', end_reason = 'test', ended_at = now() where status in ('queued', 'active')`;
});

async function begin(agent: Agent): Promise<Conversation> {
  const { customer, created } = await world.stack.join(agent);
  const conversation = { id: created.interaction_id, customer };
  conversations.push(conversation);
  if (agent.agentType === 'voice') await customer.prepare(QUESTION, NEXT);
  await customer.waitForText(/Welcome to the shop/, PATIENT);
  return conversation;
}

/** Where it is carried on now. */
function carrier({ id }: Conversation, generation = 1): Promise<{ worker: WorkerProcess; pid: number }> {
  return waitUntil(() => {
    for (const worker of world.workers) {
      const line = worker.lines.findLast(
        (one) =>
          one.interaction === id && one.msg === 'session began' && Number(one.generation) >= generation,
      );
      if (line?.pid) return { worker, pid: line.pid };
    }
    return undefined;
  }, 90_000);
}

/** Words of their own each time: this model answers nothing twice. */
async function ask({ customer }: Conversation, words = QUESTION): Promise<void> {
  const since = Date.now();
  await customer.send(words);
  await customer.waitForText(`Heard: ${words}`, { since, ...PATIENT });
}

/** Once more when recognition had not begun yet. */
async function askAloud({ customer }: Conversation, words = QUESTION): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const since = Date.now();
    await customer.say(words);
    try {
      await customer.waitForText(`Heard: ${words}`, { since, deadlineMs: 30_000 });
      await customer.waitForSound(since, PATIENT);
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

test(
  'chats with a process each beside calls that share one: both are carried on after SIGKILL',
  LONG,
  async () => {
    await world.startWorker({ WORKER_CHAT_EXECUTION: 'isolated', WORKER_VOICE_EXECUTION: 'shared' });
    const chats = await Promise.all([begin(chatAgent), begin(chatAgent)]);
    const calls = await Promise.all([begin(world.agent), begin(world.agent)]);
    await Promise.all(chats.map((chat) => ask(chat)));
    for (const call of calls) await askAloud(call);
    const [first, second] = await Promise.all(chats.map((chat) => carrier(chat)));
    expect(first?.pid).not.toBe(second?.pid);
    const [one, other] = await Promise.all(calls.map((call) => carrier(call)));
    expect(one?.pid).toBe(other?.pid);
    // A pause is judged by the model, and not taken for an end because there is none.
    expect(world.tail()).not.toContain('local audio EOT unavailable');

    first?.worker.signal(first.pid, 'SIGKILL');
    one?.worker.signal(one.pid, 'SIGKILL');
    const lost = [chats[0], ...calls].flatMap((conversation) => conversation ?? []);
    await Promise.all(
      lost.map(async (conversation) => {
        await carrier(conversation, 2);
        await conversation.customer.waitForText(APOLOGY, PATIENT);
      }),
    );
    await Promise.all(chats.map((chat) => ask(chat, NEXT)));
    for (const call of calls) {
      await call.customer.waitForQuiet(1_000, PATIENT);
      await askAloud(call, NEXT);
    }
    expect(chats[1]?.customer.agentTexts.some((text) => APOLOGY.test(text))).toBe(false);
  },
);

test(
  'chats and calls that share processes, each their own, without a worker of the framework’s',
  LONG,
  async () => {
    const worker = await world.startWorker({ WORKER_VOICE_EXECUTION: 'shared' });
    const chats = await Promise.all([begin(chatAgent), begin(chatAgent)]);
    const call = await begin(world.agent);
    await Promise.all(chats.map((chat) => ask(chat)));
    await askAloud(call);
    const carriers = await Promise.all([...chats, call].map((one) => carrier(one)));
    const [first, second, third] = carriers.map(({ pid }) => pid);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    const health = await fetch(`http://127.0.0.1:${worker.port}/`);
    expect(health.status).toBe(200);
    expect(worker.lines.some(({ msg }) => String(msg).includes('job_proc'))).toBe(false);
  },
);
