import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;
const customers: Customer[] = [];

beforeAll(async () => {
  model = await setupModel((request) =>
    request.lastUser.includes('measure')
      ? { toolCalls: [{ name: 'measure', arguments: { size: `${'a'.repeat(60)}!` } }] }
      : `Heard: ${request.lastUser}`,
  );
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    maxInteractions: 20,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { rejoinChatMs: 500 },
  });
  agent = await stack.createAgent({
    maxConcurrentInteractions: 20,
    tools: [
      {
        toolName: 'measure',
        toolConfig: {
          endpoint: 'https://tools.example.com/measure',
          method: 'GET',
          description: 'Measures a parcel.',
          input_schema: {
            type: 'object',
            // Somebody's mistake: for words that nearly fit, it tries all of their two to the power of 60 divisions.
            properties: { size: { type: 'string', pattern: '^(a+)+$' } },
          },
        },
      },
    ],
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
}, 60_000);

afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

/** Processes of chats that registered with LiveKit, oldest first. */
function processes(): number[] {
  const lines = stack.log.filter((line) => line.includes('a process of chats is registered'));
  return lines.map((line) => z.looseObject({ child: z.number() }).parse(JSON.parse(line)).child);
}

async function joinWithIds(count: number): Promise<{ customer: Customer; id: string }[]> {
  const joined = await Promise.all(Array.from({ length: count }, () => stack.join(agent)));
  customers.push(...joined.map(({ customer }) => customer));
  await Promise.all(joined.map(({ customer }) => customer.waitForText(/AI assistant/)));
  return joined.map(({ customer, created }) => ({ customer, id: created.interaction_id }));
}

async function join(count: number): Promise<Customer[]> {
  return (await joinWithIds(count)).map(({ customer }) => customer);
}

async function converse(customer: Customer, words: string): Promise<void> {
  await customer.send(words);
  await customer.waitForText(`Heard: ${words}`);
}

test('chats that begin together share one process, and each is answered with its own words', async () => {
  const chats = await join(6);
  await Promise.all(chats.map((customer, number) => converse(customer, `I am number ${number}`)));
  for (const [number, customer] of chats.entries()) {
    const others = customer.agentTexts.filter(
      (text) => /number \d/.test(text) && !text.includes(`number ${number}`),
    );
    expect(others).toEqual([]);
  }
  const [pid] = processes();
  expect(processes()).toEqual([pid]);
  const holders = await stack.database
    .sql`select distinct worker_id from interactions where status = 'active'`;
  expect(holders.map(({ worker_id }) => worker_id)).toEqual([expect.stringMatching(new RegExp(`-${pid}-`))]);
});

test('a process of chats that stands still is replaced, and its chats go on in another', async () => {
  const chats = await join(3);
  // What was stored is what the next one knows; a greeting that was not is said again.
  await Promise.all(chats.map((customer) => converse(customer, 'hello')));
  const [stalled = 0] = processes().slice(-1);
  process.kill(stalled, 'SIGSTOP');
  // Nobody lets it go on: only its end by the worker frees its chats.
  await Promise.all(
    chats.map((customer) => customer.waitForText(/lost the connection/, { deadlineMs: 40_000 })),
  );
  await Promise.all(chats.map((customer) => converse(customer, 'still there?')));
  expect(stack.log.some((line) => line.includes('stands still'))).toBe(true);
  expect(() => process.kill(stalled, 0)).toThrow();
});

const culpritSchema = z.looseObject({ interaction: z.string(), frames: z.array(z.string()) });

test('a session that holds up its process is named; the second time it is given up, and the others go on', async () => {
  const since = stack.log.length;
  const [culprit, neighbour] = await joinWithIds(2);
  if (!culprit || !neighbour) throw new Error('two were asked for');
  await Promise.all([culprit, neighbour].map(({ customer }) => converse(customer, 'hello')));
  await culprit.customer.send('please measure my parcel');
  const status = async () => {
    const [row] = await stack.database
      .sql`select status, end_reason from interactions where id = ${culprit.id}`;
    return row;
  };
  await expect
    .poll(status, { timeout: 90_000, interval: 250 })
    .toEqual({ status: 'failed', end_reason: 'recovery_failed' });
  const named = stack.log
    .slice(since)
    .filter((line) => line.includes('this interaction holds it up'))
    .map((line) => culpritSchema.parse(JSON.parse(line)));
  expect(named.map(({ interaction }) => interaction)).toEqual([culprit.id, culprit.id]);
  // Where it is, for whoever has to mend it.
  expect(named[0]?.frames.join(' ')).toContain('input-schema.ts');
  await neighbour.customer.waitForText(/lost the connection/, { deadlineMs: 40_000 });
  await converse(neighbour.customer, 'still there?');
}, 180_000);
