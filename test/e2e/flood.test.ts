import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const CLIENT = fileURLToPath(new URL('../support/flooding-client.ts', import.meta.url));
const PATIENT = { deadlineMs: 60_000 };
const LONG = { timeout: 240_000 };
const TOO_FAST = 'faster than I can read';

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;
const customers: Customer[] = [];
const clients: FloodingClient[] = [];

beforeAll(async () => {
  model = await setupModel((request) => `Heard: ${request.lastUser.slice(0, 100)}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    maxInteractions: 20,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { rejoinChatMs: 2_000 },
  });
  agent = await stack.createAgent({ maxConcurrentInteractions: 20 });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
}, 60_000);

afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const client of clients.splice(0)) await client.stop();
  for (const customer of customers.splice(0)) await customer.leave();
});

const reportSchema = z.object({
  ready: z.boolean().optional(),
  acknowledged: z.string().optional(),
  said: z.string().optional(),
  disconnected: z.boolean().optional(),
});

class FloodingClient {
  readonly acknowledged: string[] = [];
  readonly said: string[] = [];
  ready = false;
  disconnected = false;
  readonly id: string;
  readonly how: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(id: string, url: string, token: string, how: string) {
    this.id = id;
    this.how = how;
    this.#child = fork(CLIENT, [url, token, how], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.on('message', (message) => {
      const { acknowledged, said, ready, disconnected } = reportSchema.parse(message);
      if (acknowledged) this.acknowledged.push(acknowledged);
      if (said) this.said.push(said);
      this.ready ||= ready ?? false;
      this.disconnected ||= disconnected ?? false;
    });
    clients.push(this);
  }

  begin(): void {
    this.#child.send('begin');
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

async function join(): Promise<{ customer: Customer; id: string }> {
  const { customer, created } = await stack.join(agent);
  customers.push(customer);
  await customer.waitForText(/AI assistant/, PATIENT);
  return { customer, id: created.interaction_id };
}

async function wild(how: string): Promise<FloodingClient> {
  const { interaction_id: id, url, token } = await stack.create(agent);
  const client = new FloodingClient(id, url, token, how);
  await waitUntil(() => client.said.some((text) => text.includes('AI assistant')), 60_000);
  return client;
}

async function processOf(): Promise<{ pid: number; megabytes: number }> {
  const line = stack.log.findLast((one) => one.includes('a process of chats is registered'));
  const { child: pid } = z.looseObject({ child: z.number() }).parse(JSON.parse(line ?? ''));
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return { pid, megabytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024 };
}

async function stepsOf(id: string): Promise<string[]> {
  const rows = await stack.database.sql`
    select step_type from interaction_steps where interaction_id = ${id} order by happened_at`;
  return rows.map(({ step_type }) => String(step_type));
}

async function converse({ customer }: { customer: Customer }, words: string): Promise<void> {
  await customer.send(words);
  await customer.waitForText(`Heard: ${words}`, PATIENT);
}

async function statusOf({ id }: FloodingClient) {
  const [row] = await stack.database.sql`select status, end_reason from interactions where id = ${id}`;
  return row;
}

async function check(client: FloodingClient): Promise<void> {
  const steps = await stepsOf(client.id);
  expect(steps.filter((type) => type === 'flood_muted')).toHaveLength(3);
  // What was acknowledged is stored.
  const stored = await stack.database.sql`
    select item_id from interaction_messages where interaction_id = ${client.id} and role = 'customer'`;
  const ids = new Set(stored.map(({ item_id }) => String(item_id).replace('customer:', '')));
  expect(client.acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  expect(ids.size).toBeLessThan(500);
  // Told so, but not in a flood of our own.
  const told = client.said.filter((text) => text.includes(TOO_FAST)).length;
  expect(told).toBeLessThan(15);
  if (!['packets', 'stray'].includes(client.how)) expect(told).toBeGreaterThan(0);
}

test.each([
  ['messages', 'stray'],
  ['unfinished', 'packets'],
])(
  'floods of %s, %s are refused, stopped at LiveKit and ended; the neighbour in the same process is answered',
  LONG,
  async (...kinds: string[]) => {
    const neighbour = await join();
    const before = await processOf();
    const floods = await Promise.all(kinds.map((how) => wild(how)));
    for (const client of floods) client.begin();
    const ended = async () =>
      (await Promise.all(floods.map(statusOf))).every((row) => row?.status === 'failed');
    const deadline = Date.now() + 180_000;
    // All the time, and not only before and after.
    for (let turn = 1; !(await ended()) && Date.now() < deadline; turn += 1)
      await converse(neighbour, `turn ${turn}`);
    for (const client of floods)
      expect(await statusOf(client)).toEqual({ status: 'failed', end_reason: 'flooded' });
    const after = await processOf();
    expect(after.pid).toBe(before.pid);
    if (process.platform === 'linux') expect(after.megabytes).toBeLessThan(before.megabytes + 500);
    for (const client of floods) await check(client);
    const others = await stack.database.sql`
      select count(*)::int as n from interaction_messages
      where interaction_id = ${neighbour.id} and role = 'agent' and content like ${`%${TOO_FAST}%`}`;
    expect(others[0]?.n).toBe(0);
  },
);

test('somebody who types fast, or sends what waited for a while, is never refused', LONG, async () => {
  const { customer, id } = await join();
  const ids = await Promise.all(Array.from({ length: 60 }, (_, number) => customer.send(`line ${number}`)));
  await Promise.all(ids.map((sent) => customer.waitForAck(sent, PATIENT)));
  for (let turn = 0; turn < 60; turn += 1) await converse({ customer }, `and turn ${turn}`);
  expect(await stepsOf(id)).not.toContain('flood');
  expect(customer.agentTexts.filter((text) => text.includes(TOO_FAST))).toEqual([]);
});
