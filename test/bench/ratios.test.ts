import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bare } from '../../bench/bare/contestant.ts';
import { percentile } from '../../bench/measurements.ts';
import { familyMemoryMb, untilQuiet } from '../../bench/processes.ts';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack } from '../support/stack.ts';

/**
 * The short form of `npm run bench -- density`: this project and the bare framework, one after the other. It is there for
 * gross regressions alone, so each limit is several times what is measured: a busy machine slows both.
 */
const CHATS = 4;
const TURNS = 3;

interface Figures {
  readonly memoryMb: number;
  readonly firstMs: number;
  readonly turnMs: number;
}

let logs: string;
let model: ScriptedModel;
let stack: Stack;

beforeAll(async () => {
  logs = await mkdtemp(join(tmpdir(), 'floorwalker-ratios-'));
  model = await setupModel((request) => `Heard: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
  await rm(logs, { recursive: true, force: true });
}, 60_000);

async function measure(pid: number, begin: () => Promise<Customer>): Promise<Figures> {
  await untilQuiet(pid);
  const emptyMb = await familyMemoryMb(pid);
  const startedAt = Date.now();
  const customers = await Promise.all(Array.from({ length: CHATS }, begin));
  try {
    const firsts = await Promise.all(
      customers.map((customer) =>
        customer.waitFor(() => customer.texts.find(({ role }) => role === 'agent')?.at, {
          deadlineMs: 90_000,
        }),
      ),
    );
    await untilQuiet(pid);
    const memoryMb = ((await familyMemoryMb(pid)) - emptyMb) / CHATS;
    const [customer] = customers;
    const turns: number[] = [];
    for (let turn = 1; turn <= TURNS; turn += 1) {
      const sentAt = Date.now();
      await customer?.send(`turn ${turn}`);
      const { at } =
        (await customer?.waitForText(`turn ${turn}`, { since: sentAt, deadlineMs: 60_000 })) ?? {};
      turns.push((at ?? Number.NaN) - sentAt);
    }
    const firstMs = percentile(firsts, 0.5) - startedAt;
    return { memoryMb, firstMs, turnMs: percentile(turns, 0.5) };
  } finally {
    for (const customer of customers) await customer.leave();
  }
}

test('a chat weighs less than a process of the bare framework, begins about as soon and answers about as fast', async () => {
  const agent = await stack.createAgent({ maxConcurrentInteractions: CHATS });
  const ours = await measure(stack.worker.pid ?? 0, async () => (await stack.join(agent)).customer);
  const { url, apiKey, apiSecret } = stack.livekit;
  const bare = await Bare.start(
    {
      livekit: { url, apiKey, apiSecret },
      openaiBaseUrl: model.openaiBaseUrl,
      logFile: (name) => join(logs, `${name}.log`),
    },
    { channel: 'chat' },
  );
  try {
    const theirs = await measure(bare.pid, async () => (await bare.begin()).customer);
    const ratios = {
      memory: theirs.memoryMb / ours.memoryMb,
      first: theirs.firstMs / ours.firstMs,
      turn: theirs.turnMs / ours.turnMs,
    };
    expect(ratios.memory, JSON.stringify({ ours, theirs })).toBeGreaterThan(1.5);
    expect(ratios.first, JSON.stringify({ ours, theirs })).toBeGreaterThan(0.2);
    expect(ratios.turn, JSON.stringify({ ours, theirs })).toBeGreaterThan(0.1);
  } finally {
    await bare.stop();
  }
}, 240_000);
