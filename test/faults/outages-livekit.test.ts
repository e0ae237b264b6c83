import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findLiveKitServer } from '../../src/embedded/livekit-binary.ts';
import {
  type EmbeddedLiveKit,
  generateLiveKitKeys,
  startLiveKit,
} from '../../src/embedded/livekit-server.ts';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const REJOIN_MS = 15_000;

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;
let server: EmbeddedLiveKit;
let start: () => Promise<EmbeddedLiveKit>;

beforeAll(async () => {
  const found = await findLiveKitServer(process.env);
  if (!found) throw new Error('no livekit-server was found');
  const keys = generateLiveKitKeys();
  const port = await freeTcpPort();
  start = () => startLiveKit({ binary: found.path, keys, port });
  server = await start();
  model = await setupModel((request) => `Heard: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    livekit: server,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { rejoinChatMs: REJOIN_MS },
  });
  agent = await stack.createAgent();
}, 120_000);

afterAll(async () => {
  await stack?.stop();
  await server?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

test('LiveKit restarts and its rooms are gone: who comes back goes on in the same conversation, who does not is wrapped up', async () => {
  const { sql } = stack.database;
  const [comesBack, stays] = [await stack.join(agent), await stack.join(agent)];
  customers.push(comesBack.customer, stays.customer);
  for (const { customer } of [comesBack, stays]) await customer.waitForText(/AI assistant/);
  await comesBack.customer.send('before the restart');
  await comesBack.customer.waitForText('Heard: before the restart');

  await server.stop();
  server = await start();
  // The page's client gives up its dead connection; the other customer has closed theirs.
  await Promise.all([comesBack.customer.leave(), stays.customer.leave()]);
  const again = await waitUntil(() => stack.rejoin(comesBack.created).catch(() => undefined), 30_000);
  customers.push(again);
  await again.waitFor(() => again.agents.length > 0, { deadlineMs: 60_000 });
  await again.send('after the restart');
  await again.waitForText('Heard: after the restart', { deadlineMs: 30_000 });
  const asked = model.turns.find(({ lastUser }) => lastUser === 'after the restart');
  expect(asked?.text).toContain('before the restart');
  const said = await sql`
    select content from interaction_messages
    where interaction_id = ${comesBack.created.interaction_id} and role = 'customer' order by seq`;
  expect(said.map(({ content }) => content)).toEqual(['before the restart', 'after the restart']);
  expect(again.agentTexts.filter((text) => text === 'Heard: after the restart')).toHaveLength(1);

  const ended = await waitUntil(async () => {
    const [row] = await sql`
      select i.status, i.end_reason from interactions i
      join interaction_archives a on a.interaction_id = i.id
      where i.id = ${stays.created.interaction_id}`;
    return row;
  }, REJOIN_MS + 60_000);
  expect(ended).toEqual({ status: 'completed', end_reason: 'customer_left' });
}, 180_000);
