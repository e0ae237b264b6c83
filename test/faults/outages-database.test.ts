import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type Gateway, setupGateway } from '../support/gateway.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';
import { type OwnDatabase, setupOwnDatabase } from './support/own-database.ts';

/** At full scale a minute, with the figures of production, is ridden out. */
const WHOLE = process.env.FAULTS === 'all';
/** Scaled down together: the outage lasts several leases, and the bound is longer still. */
const LEASE_MS = WHOLE ? 8_000 : 4_000;
const METRICS_MS = WHOLE ? 5_000 : 1_000;
const OUTAGE_MS = WHOLE ? 60_000 : 9_000;
const BOUND_MS = WHOLE ? 180_000 : 30_000;
const PATIENT = { deadlineMs: 60_000 };

let model: ScriptedModel;
let recorder: ToolRecorder;
let own: OwnDatabase;
let gateway: Gateway;
let stack: Stack;
let agent: Agent;

function shopModel(request: ModelRequest) {
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result && !/Not done yet/.test(result.output)) return `Result: ${result.output}`;
  if (request.lastUser === 'refund' && request.toolNames.includes('refund_order')) {
    return {
      text: 'I will ask for that.',
      toolCalls: [{ name: 'refund_order', arguments: { order: '1042' } }],
    };
  }
  return `Heard: ${request.lastUser}`;
}

beforeAll(async () => {
  model = await setupModel(shopModel);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  own = await setupOwnDatabase();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    database: own.database,
    through: async (url) => {
      gateway = await setupGateway(url);
      return gateway.url;
    },
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: {
      leaseMs: LEASE_MS,
      heartbeatMs: LEASE_MS / 4,
      ...(WHOLE ? {} : { pollMs: 200 }),
      metricsMs: METRICS_MS,
      databaseOutageMs: BOUND_MS,
    },
  });
  // Somebody who would take what is not held any more.
  await stack.startWorker();
  agent = await stack.createAgent({
    maxConcurrentInteractions: 10,
    tools: [
      {
        toolName: 'refund_order',
        requiresPermission: true,
        toolConfig: {
          endpoint: `${recorder.url}/refund`,
          method: 'POST',
          description: 'Refunds an order.',
          input_schema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
        },
      },
    ],
  });
}, 120_000);

afterAll(async () => {
  await own?.start();
  await gateway?.open();
  await stack?.stop();
  await gateway?.stop();
  await recorder?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  await own.start();
  await gateway.open();
  for (const customer of customers.splice(0)) await customer.leave();
});

async function join() {
  const joined = await stack.join(agent);
  customers.push(joined.customer);
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

/** Goes on talking, and is answered, until so much time has passed. */
async function talk(customer: Customer, forMs: number): Promise<string[]> {
  const said: string[] = [];
  const until = Date.now() + forMs;
  while (Date.now() < until) {
    const words = `still here ${said.length}`;
    await customer.send(words);
    await customer.waitForText(`Heard: ${words}`, PATIENT);
    said.push(words);
    // A person takes a moment before the next sentence, and an outage lasts as long as it lasts.
    const next = Date.now() + 700;
    await waitUntil(() => Date.now() >= next);
  }
  return said;
}

/** How the database goes away. */
const WAYS = {
  'refuses connections': () => gateway.close(),
  'does not answer': async () => gateway.stall(),
  crashes: () => own.crash(),
  'crashes, and its REST server with it,': async () => {
    await own.crash();
    await own.killRest();
  },
};

test.for(Object.entries(WAYS))(
  'the database %s for several leases: the customer goes on talking, nothing is lost, nobody else takes over',
  { timeout: 150_000 + 2 * OUTAGE_MS },
  async ([, goAway]) => {
    const { sql } = stack.database;
    const { customer, created } = await join();
    const id = created.interaction_id;
    await customer.send('before');
    await customer.waitForText('Heard: before');
    const ranBefore = recorder.calls.length;
    const awayAt = Date.now();
    await goAway();

    await customer.send('refund', 'asked-while-away');
    await customer.waitForText('I will ask for that.', PATIENT);
    const said = await talk(customer, OUTAGE_MS);
    expect(said.length).toBeGreaterThan(3);
    // Nothing that needs a decision is even asked for, and what was written is not acknowledged as stored.
    expect(customer.acknowledged.has('asked-while-away')).toBe(false);
    const backAt = Date.now();
    await own.start();
    await gateway.open();

    const [permission] = await waitUntil(async () => {
      const rows =
        await sql`select id from tool_permissions where interaction_id = ${id} and status = 'pending'`;
      return rows.length > 0 ? rows : undefined;
    }, 60_000);
    const [asked] = await sql`select requested_at from tool_calls where interaction_id = ${id}`;
    expect(new Date(asked?.requested_at).getTime()).toBeGreaterThanOrEqual(backAt);
    await customer.waitFor(() => customer.acknowledged.has('asked-while-away'), PATIENT);
    const decided = await stack.request(`/v1/permissions/${permission?.id}/decision`, {
      body: { decision: 'allowed' },
      as: await stack.supervisorOf(agent),
    });
    expect(decided.status).toBe(200);
    await customer.waitForText(/Result: .*ref-/, PATIENT);
    expect(recorder.calls.length - ranBefore).toBe(1);

    // One holder from beginning to end, of the same generation.
    const [row] =
      await sql`select generation::int, claim_attempts, status from interactions where id = ${id}`;
    expect(row).toEqual({ generation: 1, claim_attempts: 1, status: 'active' });
    expect(customer.agentsSeen).toHaveLength(1);

    const messages = await waitUntil(async () => {
      const rows = await sql`
        select role, content, spoken_at from interaction_messages where interaction_id = ${id} order by seq`;
      return rows.some(({ content }) => content.startsWith('Result: ')) ? rows : undefined;
    }, 60_000);
    const words = messages.filter(({ role }) => role === 'customer').map(({ content }) => content);
    expect(words).toEqual(['before', 'refund', ...said]);
    for (const sentence of said)
      expect(messages.map(({ content }) => content)).toContain(`Heard: ${sentence}`);
    const times = messages.map(({ spoken_at }) => new Date(spoken_at).getTime());
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    const away = messages.filter(({ content }) => said.includes(content));
    for (const { spoken_at } of away) {
      expect(new Date(spoken_at).getTime()).toBeGreaterThanOrEqual(awayAt);
      expect(new Date(spoken_at).getTime()).toBeLessThanOrEqual(backAt);
    }
    // What was measured is there, at its own times; a machine that is too busy misses a tick, but not one in four.
    await waitUntil(async () => {
      const rows = await sql`
        select 1 from realtime_metrics
        where interaction_id = ${id} and "timestamp" between ${new Date(awayAt)} and ${new Date(backAt)}`;
      return rows.length >= ((backAt - awayAt) / METRICS_MS - 1) * 0.75;
    }, 60_000);
    const steps = await waitUntil(async () => {
      const rows = await sql`
        select step_type, duration_ms from interaction_steps
        where interaction_id = ${id} and step_type like 'database_%' order by happened_at`;
      return rows.length >= 2 ? rows : undefined;
    }, 60_000);
    expect(steps.map(({ step_type }) => step_type)).toEqual(['database_away', 'database_back']);
    expect(steps[1]?.duration_ms).toBeGreaterThan(OUTAGE_MS - LEASE_MS);

    await customer.leave();
    const [archive] = await waitUntil(async () => {
      const rows = await sql`select facts from interaction_archives where interaction_id = ${id}`;
      return rows.length > 0 ? rows : undefined;
    }, 60_000);
    expect(archive?.facts.messages.customer).toBe(words.length);
  },
);

test(
  'longer than the bound: the customer is told and let go, and the archive is made when the database is back',
  async () => {
    const { sql } = stack.database;
    const { customer, created } = await join();
    const id = created.interaction_id;
    await gateway.close();
    await customer.send('are you there');
    await customer.waitForText('Heard: are you there', PATIENT);
    await customer.waitForText(/out of reach for a while/, { deadlineMs: BOUND_MS + 40_000 });
    await customer.waitFor(() => customer.disconnected !== undefined, PATIENT);
    const [before] = await sql`select status from interactions where id = ${id}`;
    expect(before?.status).toBe('active');
    await gateway.open();
    const [row] = await waitUntil(async () => {
      const rows = await sql`
      select i.status, i.end_reason, i.generation::int, a.facts from interactions i
      join interaction_archives a on a.interaction_id = i.id where i.id = ${id}`;
      return rows.length > 0 ? rows : undefined;
    }, 60_000);
    expect(row).toMatchObject({ status: 'failed', end_reason: 'database_away', generation: 1 });
    const messages = await sql`
    select content from interaction_messages where interaction_id = ${id} order by seq`;
    const contents = messages.map(({ content }) => String(content));
    expect(contents).toContain('are you there');
    expect(contents).toContain('Heard: are you there');
    expect(contents.at(-1)).toMatch(/out of reach for a while/);
    const archives =
      await sql`select count(*)::int as n from interaction_archives where interaction_id = ${id}`;
    expect(archives[0]?.n).toBe(1);
  },
  120_000 + BOUND_MS,
);

/** The process in which the conversation is. */
function processOf(interactionId: string): number {
  const line = stack.log.findLast((one) => one.includes(interactionId) && one.includes('"session began"'));
  return z.object({ pid: z.number() }).parse(JSON.parse(line ?? '{}')).pid;
}

test('a process that dies while the database is away takes nothing with it: what was said is stored once, in order', async () => {
  const { sql } = stack.database;
  const { customer, created } = await join();
  const id = created.interaction_id;
  await customer.send('before');
  await customer.waitForText('Heard: before', PATIENT);
  await own.crash();
  const said = await talk(customer, 3_000);
  process.kill(processOf(id), 'SIGKILL');
  await own.start();
  await customer.send('after');
  await customer.waitForText('Heard: after', PATIENT);
  const rows = await waitUntil(async () => {
    const found = await sql`
      select role, content from interaction_messages where interaction_id = ${id} order by seq`;
    return found.some(({ content }) => content === 'Heard: after') ? found : undefined;
  }, 60_000);
  const words = ['before', ...said, 'after'];
  expect(rows.flatMap(({ role, content }) => (role === 'customer' ? [content] : []))).toEqual(words);
  const heard = words.map((word) => `Heard: ${word}`);
  const answers = rows.map(({ content }) => String(content)).filter((content) => content.startsWith('Heard'));
  expect(answers).toEqual(heard);
  // Nobody was answered again what they had read.
  expect(customer.agentTexts.filter((text) => text.startsWith('Heard'))).toEqual(heard);
  const [row] = await sql`select generation::int, status from interactions where id = ${id}`;
  expect(row).toEqual({ generation: 2, status: 'active' });
}, 180_000);
