import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type Gateway, setupGateway } from '../support/gateway.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

/** Scaled down together: the outage lasts several leases, and the bound is longer still. */
const LEASE_MS = 4_000;
const METRICS_MS = 500;
const OUTAGE_MS = 9_000;
const BOUND_MS = 14_000;

let model: ScriptedModel;
let recorder: ToolRecorder;
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
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    through: async (url) => {
      gateway = await setupGateway(url);
      return gateway.url;
    },
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: {
      leaseMs: LEASE_MS,
      heartbeatMs: LEASE_MS / 4,
      pollMs: 200,
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
  await gateway?.open();
  await stack?.stop();
  await gateway?.stop();
  await recorder?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
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
    await customer.waitForText(`Heard: ${words}`);
    said.push(words);
    // A person takes a moment before the next sentence, and an outage lasts as long as it lasts.
    const next = Date.now() + 700;
    await waitUntil(() => Date.now() >= next);
  }
  return said;
}

test.for(['closed', 'stalled'] as const)(
  'the database is %s for several leases: the customer goes on talking, nothing is lost, nobody else takes over',
  { timeout: 90_000 },
  async (how) => {
    const { sql } = stack.database;
    const { customer, created } = await join();
    const id = created.interaction_id;
    await customer.send('before');
    await customer.waitForText('Heard: before');
    const ranBefore = recorder.calls.length;
    const awayAt = Date.now();
    if (how === 'closed') await gateway.close();
    else gateway.stall();

    await customer.send('refund', 'asked-while-away');
    await customer.waitForText('I will ask for that.');
    const said = await talk(customer, OUTAGE_MS);
    expect(said.length).toBeGreaterThan(3);
    // Nothing that needs a decision is even asked for, and what was written is not acknowledged as stored.
    const [asked] = await sql`select count(*)::int as n from tool_calls where interaction_id = ${id}`;
    expect(asked?.n).toBe(0);
    expect(customer.acknowledged.has('asked-while-away')).toBe(false);
    const backAt = Date.now();
    await gateway.open();

    const [permission] = await waitUntil(async () => {
      const rows =
        await sql`select id from tool_permissions where interaction_id = ${id} and status = 'pending'`;
      return rows.length > 0 ? rows : undefined;
    });
    await customer.waitFor(() => customer.acknowledged.has('asked-while-away'));
    const decided = await stack.request(`/v1/permissions/${permission?.id}/decision`, {
      body: { decision: 'allowed' },
      as: await stack.supervisorOf(agent),
    });
    expect(decided.status).toBe(200);
    await customer.waitForText(/Result: .*ref-/);
    expect(recorder.calls.length - ranBefore).toBe(1);

    // One holder from beginning to end, of the same generation.
    const [row] =
      await sql`select generation::int, claim_attempts, status from interactions where id = ${id}`;
    expect(row).toEqual({ generation: 1, claim_attempts: 1, status: 'active' });
    expect(customer.agentsSeen).toHaveLength(1);

    const messages = await sql`
      select role, content, spoken_at from interaction_messages where interaction_id = ${id} order by seq`;
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
    // The metrics have no hole where the outage was.
    const ticks = await waitUntil(async () => {
      const rows = await sql`
        select "timestamp" as at from realtime_metrics
        where interaction_id = ${id} and "timestamp" between ${new Date(awayAt)} and ${new Date(backAt)}
        order by 1`;
      return rows.length >= Math.floor((backAt - awayAt) / METRICS_MS) - 1 ? rows : undefined;
    });
    expect(ticks.length).toBeGreaterThan(10);
    const steps = await sql`
      select step_type, duration_ms from interaction_steps
      where interaction_id = ${id} and step_type like 'database_%' order by happened_at`;
    expect(steps.map(({ step_type }) => step_type)).toEqual(['database_away', 'database_back']);
    expect(steps[1]?.duration_ms).toBeGreaterThan(OUTAGE_MS - LEASE_MS);

    await customer.leave();
    const [archive] = await waitUntil(async () => {
      const rows = await sql`select facts from interaction_archives where interaction_id = ${id}`;
      return rows.length > 0 ? rows : undefined;
    }, 30_000);
    expect(archive?.facts.messages.customer).toBe(words.length);
  },
);

test('longer than the bound: the customer is told and let go, and the archive is made when the database is back', async () => {
  const { sql } = stack.database;
  const { customer, created } = await join();
  const id = created.interaction_id;
  await gateway.close();
  await customer.send('are you there');
  await customer.waitForText('Heard: are you there');
  await customer.waitForText(/out of reach for a while/, { deadlineMs: BOUND_MS + 10_000 });
  await customer.waitFor(() => customer.disconnected !== undefined, { deadlineMs: 20_000 });
  const [before] = await sql`select status from interactions where id = ${id}`;
  expect(before?.status).toBe('active');
  await gateway.open();
  const [row] = await waitUntil(async () => {
    const rows = await sql`
      select i.status, i.end_reason, i.generation::int, a.facts from interactions i
      join interaction_archives a on a.interaction_id = i.id where i.id = ${id}`;
    return rows.length > 0 ? rows : undefined;
  }, 30_000);
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
}, 90_000);
