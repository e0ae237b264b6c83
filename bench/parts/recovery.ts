import { readFile } from 'node:fs/promises';
import { parseAgentIdentity } from '../../src/domain/identities.ts';
import type { NodeChild } from '../../src/embedded/node-child.ts';
import type { Agent } from '../../test/support/fixtures.ts';
import type { Measurements } from '../measurements.ts';
import { CHAT_ANSWER } from '../model.ts';
import type { BenchOptions } from '../options.ts';
import { descendantsOf } from '../processes.ts';
import type { Stack, Visit } from '../stack.ts';
import { greeted } from './chat.ts';
import { measureGuarantees } from './guarantees.ts';
import { answered } from './voice.ts';

/** Chats at once; whatever of them one death meets is counted, each by itself. */
const CHATS = 5;
/** There is another one whenever one dies. */
const WORKERS = 2;
const DEADLINE_MS = 60_000;
/** Of ten conversations so many lose the process of chats and the whole worker; the others are calls. */
const SHARES = { chats: 6, worker: 2 };

/** A worker of this part, and where its processes write. */
interface Running {
  readonly child: NodeChild;
  readonly logFile: string;
}

class Workers {
  readonly #stack: Stack;
  readonly #running = new Set<Running>();
  #count = 0;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async start(): Promise<void> {
    this.#count += 1;
    const name = `recovery-worker-${this.#count}`;
    const child = await this.#stack.startFurtherWorker(name);
    this.#running.add({ child, logFile: this.#stack.logFile(name) });
  }

  /** One for each that has died. */
  async refill(): Promise<void> {
    while (this.#running.size < WORKERS) await this.start();
  }

  /** The process that carries this conversation, and the worker that started it. */
  async carrierOf(visit: Visit): Promise<{ worker: Running; pid: number }> {
    const deadline = Date.now() + DEADLINE_MS;
    while (Date.now() < deadline) {
      for (const worker of this.#running) {
        const pid = await sessionIn(worker.logFile, visit.id);
        if (pid !== undefined) return { worker, pid };
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('nobody says to carry this conversation');
  }

  /** @returns what kills everything of it at once, as when its machine is gone. */
  async aimAt(worker: Running): Promise<() => void> {
    const pids = [worker.child.pid, ...(await descendantsOf(worker.child.pid))];
    return () => {
      this.#running.delete(worker);
      for (const pid of pids) end(pid);
    };
  }

  async stop(): Promise<void> {
    await Promise.allSettled([...this.#running].map(({ child }) => child.stop()));
    this.#running.clear();
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It had ended by itself.
  }
}

/** Of the newest session of this conversation that a worker's processes wrote of. */
async function sessionIn(logFile: string, interactionId: string): Promise<number | undefined> {
  const lines = (await readFile(logFile, 'utf8').catch(() => '')).split('\n');
  const line = lines.findLast((text) => text.includes(interactionId) && text.includes('"session began"'));
  const pid = Number(/"pid":(\d+)/.exec(line ?? '')?.[1]);
  return pid > 0 ? pid : undefined;
}

const generationOf = (identity: string): number => parseAgentIdentity(identity)?.generation ?? 0;

/** Says something right after the death, and waits for its answer by a successor. */
async function answerAfter(stack: Stack, visit: Visit, killedAt: number, question: string): Promise<number> {
  const { customer } = visit;
  await customer.send(question);
  const answer = await customer.waitFor(
    () =>
      customer.texts.find(
        ({ role, at, text, from }) =>
          role === 'agent' &&
          at >= killedAt &&
          generationOf(from) > 1 &&
          text.startsWith(CHAT_ANSWER.slice(0, 20)),
      ),
    { what: `an answer to "${question}"`, deadlineMs: DEADLINE_MS },
  );
  const turn = stack.model.turns.find(({ customer: said }) => said.includes(question));
  const modelMs = turn ? Math.min(turn.answeredAt - turn.askedAt, answer.at - turn.askedAt) : 0;
  return answer.at - killedAt - modelMs;
}

/** @returns how many conversations the death met. */
async function killChats(
  stack: Stack,
  agent: Agent,
  workers: Workers,
  what: 'process of chats' | 'worker',
  most: number,
  results: Measurements,
): Promise<number> {
  const visits = await Promise.all(Array.from({ length: Math.min(CHATS, most) }, () => stack.join(agent)));
  try {
    await Promise.all(visits.map((visit) => greeted(visit)));
    const carriers = await Promise.all(visits.map((visit) => workers.carrierOf(visit)));
    const [first] = carriers;
    if (!first) throw new Error('no chat began');
    const met = visits.filter((_, index) => {
      const carrier = carriers[index];
      return what === 'worker' ? carrier?.worker === first.worker : carrier?.pid === first.pid;
    });
    const kill = what === 'worker' ? await workers.aimAt(first.worker) : () => end(first.pid);
    const killedAt = Date.now();
    kill();
    const waits = await Promise.allSettled(
      met.map((visit, nth) =>
        answerAfter(stack, visit, killedAt, `Question ${killedAt}.${nth}: are you there?`),
      ),
    );
    for (const wait of waits) {
      if (wait.status === 'rejected') throw wait.reason;
      results.add('recovery', `kill of a ${what} to the next answer`, wait.value);
      results.add('recovery', 'any kill to the next answer', wait.value);
    }
    return met.length;
  } finally {
    await workers.refill();
    for (const { customer } of visits) await customer.leave();
    await stack.giveUpAll();
  }
}

/** A caller can't be answered before they are heard: what counts is the first that they hear of the successor. */
async function killCall(stack: Stack, agent: Agent, workers: Workers, results: Measurements): Promise<void> {
  const visit = await stack.join(agent);
  const { customer } = visit;
  try {
    await answered(visit);
    await customer.waitForQuiet(1_000, { deadlineMs: DEADLINE_MS });
    const { pid } = await workers.carrierOf(visit);
    const killedAt = Date.now();
    end(pid);
    const heard = await customer.waitFor(
      () =>
        customer.sounds.find(
          ({ at, levelDb, identity }) => at > killedAt && levelDb > -45 && generationOf(identity) > 1,
        ),
      { what: 'a sound of the successor', deadlineMs: DEADLINE_MS },
    );
    results.add('recovery', 'kill of a call’s process to the first sound of the next', heard.at - killedAt);
    results.add('recovery', 'any kill to the next answer', heard.at - killedAt);
  } finally {
    await customer.leave();
    await stack.giveUpAll();
  }
}

/**
 * Deaths by SIGKILL in the middle of conversations, with everything as in production, and then what the guarantees cost
 * a turn. `--kills` counts conversations: a process of chats holds several, and all of them are met by its death.
 */
export async function measureRecovery(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  await stack.stopWorker();
  const workers = new Workers(stack);
  try {
    await workers.refill();
    const chats = await stack.createAgent({ maxConcurrentInteractions: 1_000 });
    const calls = await stack.createAgent({ agentType: 'voice', maxConcurrentInteractions: 1_000 });
    const wanted = {
      'process of chats': Math.ceil((options.kills * SHARES.chats) / 10),
      worker: Math.ceil((options.kills * SHARES.worker) / 10),
    };
    for (const what of ['process of chats', 'worker'] as const) {
      let left = wanted[what];
      // A round that fails is counted, and must not be tried for ever.
      await results.repeat('recovery', left, async () => {
        if (left > 0) left -= await killChats(stack, chats, workers, what, left, results);
      });
    }
    const ofCalls = Math.max(1, options.kills - wanted['process of chats'] - wanted.worker);
    await results.repeat('recovery', ofCalls, () => killCall(stack, calls, workers, results));
  } finally {
    await workers.stop();
  }
  await measureGuarantees(stack, options, results);
  await stack.startWorker();
}
