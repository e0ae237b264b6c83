import { Room } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const WRAP_UP = {
  summary: 'The customer asked where the parcel is and was told.',
  issues: [{ issue: 'Late parcel', status: 'resolved', priority: 'medium' }],
  tags: {
    topics: ['orders', 'not_a_topic'],
    sentiment: 'good',
    issues: [{ tag: 'late_delivery', status: 'resolved' }],
  },
  csat_score: 80,
};

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;
let wrapUps = 0;

/** Files a conversation well, after one try that can't be used, or never, as the conversation asks for it. */
function file(request: ModelRequest): string {
  if (/never file this/.test(request.text)) return 'I would rather not.';
  if (/file this badly first/.test(request.text)) {
    wrapUps += 1;
    if (wrapUps === 1) return 'Here you are: {"summary": ""}';
    return `\`\`\`json\n${JSON.stringify(WRAP_UP).slice(0, -1)},}\n\`\`\``;
  }
  return JSON.stringify(WRAP_UP);
}

beforeAll(async () => {
  model = await setupModel((request) => {
    if (request.lastMessage?.role === 'tool') return `Result: ${request.toolResults.at(-1)?.output}`;
    if (/goodbye/.test(request.lastUser)) {
      return { text: 'Take care!', toolCalls: [{ name: 'end_interaction', arguments: { reason: 'done' } }] };
    }
    if (/my number is/.test(request.lastUser)) {
      return {
        toolCalls: [{ name: 'record_phone_number', arguments: { phone_number: '+351 912 345 678' } }],
      };
    }
    if (/a human/.test(request.lastUser)) {
      return { toolCalls: [{ name: 'request_supervisor', arguments: { reason: 'wants a person' } }] };
    }
    return `Heard: ${request.lastUser}`;
  });
  model.background(wantsJson, file);
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 400, rejoinChatMs: 5_000, joinTimeoutMs: 6_000 },
  });
  agent = await stack.createAgent({ maxConcurrentInteractions: 20 });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-40).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

async function join() {
  const joined = await stack.join(agent);
  customers.push(joined.customer);
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

function archiveOf(interactionId: string, summarySource: 'facts' | 'model' = 'model') {
  return waitUntil(async () => {
    const [row] = await stack.database.sql`
      select i.status, i.end_reason, i.duration_seconds, a.* from interactions i
      join interaction_archives a on a.interaction_id = i.id
      where i.id = ${interactionId} and a.summary_source = ${summarySource}`;
    return row;
  }, 30_000);
}

test('a row of metrics comes at every tick, none after the end, and the archive keeps the series', async () => {
  const { customer, created } = await join();
  await customer.send('where is my parcel');
  await customer.waitForText(/Heard/);
  const rows = await waitUntil(async () => {
    const found = await stack.database.sql`
      select "timestamp", sentiment, satisfaction_score, feed_text from realtime_metrics
      where interaction_id = ${created.interaction_id} order by "timestamp"`;
    return found.length >= 4 ? found : undefined;
  });
  const gaps = rows
    .slice(1)
    .map((row, index) => row.timestamp.getTime() - (rows[index]?.timestamp.getTime() ?? 0));
  expect(gaps.every((gap) => gap % 400 === 0)).toBe(true);
  expect(rows.every((row) => row.feed_text.length > 0 && row.feed_text.length <= 120)).toBe(true);
  expect(rows.every((row) => !row.feed_text.includes('where is my parcel'))).toBe(true);
  await customer.send('goodbye');
  const archive = await archiveOf(created.interaction_id);
  expect(archive.metrics_series.points).toBeGreaterThanOrEqual(4);
  const left = await stack.database
    .sql`select 1 from realtime_metrics where interaction_id = ${created.interaction_id}`;
  expect(left).toHaveLength(0);
});

test('the agent ends: goodbye is said, the room closes, facts and the model’s summary are filed', async () => {
  const { customer, created } = await join();
  await customer.send('where is my parcel');
  await customer.waitForText('Heard: where is my parcel');
  await customer.send('goodbye');
  await customer.waitForText('Take care!');
  await customer.waitFor(() => customer.disconnected);
  const archive = await archiveOf(created.interaction_id);
  expect(archive).toMatchObject({
    status: 'completed',
    end_reason: 'agent_ended',
    summary: WRAP_UP.summary,
    issues: WRAP_UP.issues,
    fcr_status: true,
  });
  expect(archive.tags).toMatchObject({ topics: ['orders'], issues: WRAP_UP.tags.issues });
  expect(Number(archive.csat_score)).toBe(80);
  expect(customer.agentTexts.filter((text) => /Take care|bye/i.test(text))).toHaveLength(1);
});

test('a wrap-up that can not be used is asked for again and repaired', async () => {
  const { customer, created } = await join();
  wrapUps = 0;
  await customer.send('file this badly first');
  await customer.waitForText(/Heard/);
  await customer.send('goodbye');
  const archive = await archiveOf(created.interaction_id);
  expect(archive.summary).toBe(WRAP_UP.summary);
  expect(wrapUps).toBe(2);
});

test('a model that files nothing leaves the facts, and nothing stays active', async () => {
  const { customer, created } = await join();
  await customer.send('never file this');
  await customer.waitForText(/Heard/);
  await customer.send('goodbye');
  const archive = await archiveOf(created.interaction_id, 'facts');
  expect(archive.status).toBe('completed');
  expect(archive.summary).toMatch(/Chat of .* from the customer/);
});

test('the customer’s own rating wins over the model’s estimate', async () => {
  const { customer, created } = await join();
  await customer.send('goodbye');
  await archiveOf(created.interaction_id);
  const answer = await stack.request(`/v1/interactions/${created.interaction_id}/rating`, {
    body: { resume_token: created.resume_token, score: 2, comment: 'slow' },
  });
  expect(answer.status).toBeLessThan(300);
  const archive = await archiveOf(created.interaction_id);
  expect(Number(archive.csat_score)).toBe(25);
  expect(archive.csat_source).toBe('customer');
});

test('a supervisor ends the interaction over the API', async () => {
  const { customer, created } = await join();
  const answer = await stack.request(`/v1/interactions/${created.interaction_id}/end`, {
    body: {},
    as: stack.supervisor,
  });
  expect(answer.status).toBeLessThan(300);
  const archive = await archiveOf(created.interaction_id);
  expect(archive.status).toBe('completed');
  await customer.waitFor(() => customer.disconnected);
});

test('a customer who says that they are done is not waited for: cut off, archived, and the room is closed', async () => {
  const { customer, created } = await join();
  await customer.send('tell me everything');
  await customer.waitFor(() => customer.texts.some(({ text }) => text.startsWith('Heard: tell me')));
  const path = `/v1/interactions/${created.interaction_id}/leave`;
  const body = { resume_token: created.resume_token };
  expect(await stack.request(path, { body })).toMatchObject({ status: 202, body: { status: 'active' } });
  // They have come no nearer to the end of the time that one who is only away has to come back.
  await customer.waitFor(() => customer.disconnected);
  const archive = await archiveOf(created.interaction_id);
  expect(archive).toMatchObject({ status: 'completed', end_reason: 'customer_ended', fcr_status: true });
  expect(customer.agentTexts.join(' ')).not.toMatch(/bye/i);
  expect(await stack.request(path, { body })).toMatchObject({ status: 202, body: { status: 'completed' } });
});

test('a customer who reloads the page finds the conversation again; one who stays away is let go', async () => {
  const { customer, created } = await join();
  await customer.send('remember the blue one');
  await customer.waitForText('Heard: remember the blue one');
  await customer.leave();
  const again = await stack.rejoin(created);
  customers.push(again);
  const history = await again.waitFor(() => again.history.length > 0 && again.history);
  expect(history.map(({ role }) => role)).toEqual(['agent', 'customer', 'agent']);
  await again.send('still here');
  await again.waitForText('Heard: still here');
  expect(again.agentTexts.join(' ')).not.toMatch(/AI assistant/);
  await again.leave();
  const archive = await archiveOf(created.interaction_id);
  expect(archive.end_reason).toBe('customer_left');
});

test('an interaction that nobody joins is given up', async () => {
  const created = await stack.create(agent);
  const [row] = await waitUntil(async () => {
    const found = await stack.database.sql`
      select status, end_reason from interactions where id = ${created.interaction_id} and ended_at is not null`;
    return found.length > 0 ? found : undefined;
  }, 30_000);
  expect(row?.end_reason).toMatch(/joined/);
});

test('the built-in tools record the phone number and call a person, honestly when nobody is there', async () => {
  const { customer, created } = await join();
  await customer.send('my number is +351 912 345 678');
  await customer.waitForText(/Stored/);
  const [row] = await stack.database.sql`
    select i.phone_number, i.phone_source, c.phone_number as of_customer from interactions i
    left join customers c on c.id = i.customer_id where i.id = ${created.interaction_id}`;
  expect(row).toEqual({
    phone_number: '+351912345678',
    phone_source: 'claimed',
    of_customer: '+351912345678',
  });
  await customer.send('I want a human');
  await customer.waitForText(/No supervisor is there/);
  const [requested] = await stack.database.sql`
    select supervisor_requested_at from interactions where id = ${created.interaction_id}`;
  expect(requested?.supervisor_requested_at).not.toBeNull();
});

test('the framework’s control channel does not exist: a customer’s getAgentInfo is unanswered', async () => {
  const { created, customer } = await join();
  await customer.leave();
  const answer = await stack.request(`/v1/interactions/${created.interaction_id}/rejoin`, {
    body: { resume_token: created.resume_token },
  });
  const room = new Room();
  let bytes = 0;
  room.registerByteStreamHandler('lk.agent.session', () => {
    bytes += 1;
  });
  await room.connect(String(answer.body.url), String(answer.body.token), {
    autoSubscribe: true,
    dynacast: false,
  });
  const agentIdentity = [...room.remoteParticipants.keys()].find((identity) => identity.startsWith('agent-'));
  expect(agentIdentity).toBeDefined();
  const rpc = room.localParticipant?.performRpc({
    destinationIdentity: agentIdentity ?? '',
    method: 'getAgentInfo',
    payload: '{}',
    responseTimeout: 3_000,
  });
  await expect(rpc).rejects.toThrow();
  await room.localParticipant?.sendText('anything', { topic: 'lk.chat' });
  await waitUntil(async () => {
    const rows = await stack.database.sql`
      select 1 from interaction_messages where interaction_id = ${created.interaction_id} and content = 'anything'`;
    return rows.length > 0;
  });
  expect(bytes).toBe(0);
  await room.disconnect();
});
