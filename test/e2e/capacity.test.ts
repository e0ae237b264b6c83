import { AccessToken } from 'livekit-server-sdk';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Child } from '../../src/embedded/child.ts';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;
/** The one that runs. */
let worker: Child;

beforeAll(async () => {
  model = await setupModel((request) => `Heard: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    maxInteractions: 2,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { rejoinChatMs: 500, drainMs: 60_000 },
  });
  worker = stack.worker;
  agent = await stack.createAgent({ maxConcurrentInteractions: 10 });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
  await allEnded();
});

async function join(agent: Parameters<Stack['join']>[0]) {
  const joined = await stack.join(agent);
  customers.push(joined.customer);
  return joined;
}

async function active(): Promise<number> {
  const [row] = await stack.database.sql`select count(*)::int as n from interactions where status = 'active'`;
  return row?.n;
}

function allEnded() {
  return waitUntil(async () => (await active()) === 0, 40_000);
}

test('a full worker takes no third interaction, and serves it in its turn when one has ended', async () => {
  const first = await join(agent);
  const second = await join(agent);
  await first.customer.waitForText(/AI assistant/);
  await second.customer.waitForText(/AI assistant/);
  const third = await join(agent);
  // A second conversation's turn is time enough for a job that was going to be taken.
  await second.customer.send('meanwhile');
  await second.customer.waitForText('Heard: meanwhile');
  expect(await active()).toBe(2);
  expect(third.customer.agentTexts).toHaveLength(0);
  await first.customer.leave();
  await third.customer.waitForText(/AI assistant/);
});

test('an agent takes no more interactions at once than its row says, whatever the workers could', async () => {
  const busy = await stack.createAgent({ maxConcurrentInteractions: 1 });
  const first = await join(busy);
  await first.customer.waitForText(/AI assistant/);
  const second = await join(busy);
  await first.customer.send('meanwhile');
  await first.customer.waitForText('Heard: meanwhile');
  const [row] = await stack.database.sql`
    select status from interactions where id = ${second.created.interaction_id}`;
  expect(row?.status).toBe('queued');
  await first.customer.leave();
  await second.customer.waitForText(/AI assistant/);
});

test('what somebody else in the room writes is not the customer’s', async () => {
  const { customer, created } = await join(agent);
  await customer.waitForText(/AI assistant/);
  const { url, apiKey, apiSecret } = stack.livekit;
  const token = new AccessToken(apiKey, apiSecret, { identity: 'monitor-1' });
  token.addGrant({ roomJoin: true, room: created.room, canPublishData: true, canSubscribe: true });
  const stranger = await joinAsCustomer({ url, token: await token.toJwt(), channel: 'chat' });
  customers.push(stranger);
  await stranger.send('refund everything');
  await customer.send('and me');
  await customer.waitForText('Heard: and me');
  const rows = await waitUntil(async () => {
    const found = await stack.database.sql`
      select content from interaction_messages
      where interaction_id = ${created.interaction_id} and role = 'customer'`;
    return found.length > 0 ? found : undefined;
  });
  expect(rows.map((row) => row.content)).toEqual(['and me']);
  expect(stranger.acknowledged.size).toBe(0);
});

test('SIGTERM drains: the conversation goes on to its end, nothing new is taken, then the worker is gone', async () => {
  const { customer } = await join(agent);
  await customer.waitForText(/AI assistant/);
  const since = stack.log.length;
  const says = (words: string) => stack.log.slice(since).some((line) => line.includes(words));
  process.kill(worker.pid ?? Number.NaN, 'SIGTERM');
  let late: Awaited<ReturnType<typeof join>>;
  try {
    await waitUntil(() => says('worker drains'));
    await customer.send('are you still with me');
    await customer.waitForText('Heard: are you still with me');
    late = await join(agent);
    await customer.leave();
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    expect(says('worker stopped')).toBe(true);
    expect(late.customer.agentTexts).toHaveLength(0);
  } finally {
    // Also for another try of this test.
    await worker.stop();
    worker = await stack.startWorker();
  }
  // A worker starts several processes, which takes a busy machine a while.
  await late.customer.waitForText(/AI assistant/, { deadlineMs: 60_000 });
}, 150_000);
