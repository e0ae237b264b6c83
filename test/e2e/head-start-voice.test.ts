import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Created, type Stack, setupStack, waitUntil } from '../support/stack.ts';

const QUESTION = 'I would like to know when my parcel arrives.';
/** The model takes its time for it. */
const HARD_QUESTION = 'Please find out where my other parcel is.';
const REFUND = 'Please refund my order.';
const MORE = 'No, wait, tell me first what it costs.';
const QUIET_MS = 700;
const DEADLINE_MS = 25_000;
/** Of a caller who thinks: longer than it takes until the words are there, and shorter than the time that is given. */
const THINKS_MS = 300;
/** What has not come by then was lost on a busy machine. */
const TRY_MS = 10_000;
/** A busy machine may hear too late that a caller goes on, and loses sound; then it is said again. */
const TIMES = 6;

let model: ScriptedModel;
let speech: TestSpeech;
let recorder: ToolRecorder;
let stack: Stack;
let agent: Agent;
let supervisor: Person;

/** Each request has an answer of its own, by its number. */
const answerTo = (turn: number): string => `Answer number ${turn}.`;

beforeAll(async () => {
  speech = await setupSpeech();
  recorder = await setupRecorder();
  model = await setupModel((request) => {
    const refund = request.lastUser.endsWith(REFUND) && request.lastMessage?.role === 'user';
    if (refund) return { toolCalls: [{ name: 'refund_order', arguments: { order: '1042' } }] };
    const delayMs = request.lastUser === HARD_QUESTION ? 3_000 : 0;
    return { text: answerTo(model.turns.length), delayMs };
  });
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { HEAD_START: '1', LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    // Nothing but answers is said, however slow they are.
    figures: { fillerMs: 120_000, silenceFirstMs: 120_000, silenceSecondMs: 130_000, silenceEndMs: 140_000 },
  });
  agent = await stack.createAgent({
    agentType: 'voice',
    greeting: 'Hello from {{business_name}}.',
    maxConcurrentInteractions: 10,
    tools: [
      {
        toolName: 'refund_order',
        toolConfig: {
          endpoint: `${recorder.url}/refund`,
          method: 'POST',
          description: 'Refunds an order.',
          input_schema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
        },
      },
    ],
  });
  supervisor = await stack.supervisorOf(agent);
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await recorder?.stop();
  await speech?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

interface Call {
  readonly customer: Customer;
  readonly created: Created;
}

async function begin(): Promise<Call> {
  const call = await stack.join(agent);
  const { customer } = call;
  customers.push(customer);
  await customer.prepare(QUESTION, HARD_QUESTION, REFUND, MORE);
  await customer.waitForText(/Hello from Harbour Goods/, { deadlineMs: 50_000 });
  return call;
}

/** Somebody who has talked into two answers at their beginning: they are given more time to go on from then on. */
async function beginWithSomebodyWhoThinks(): Promise<Call> {
  const call = await begin();
  for (let time = 0; time < 2; time += 1) {
    await settled(call);
    const { endedAt } = await call.customer.say(QUESTION);
    await call.customer.waitForSound(endedAt, { deadlineMs: DEADLINE_MS });
    await call.customer.say(MORE);
  }
  return call;
}

interface Row {
  readonly role: string;
  readonly content: string;
  readonly at: number;
}

async function transcript({ created }: Call, since = 0): Promise<Row[]> {
  const rows = await stack.database.sql<{ role: string; content: string; spoken_at: Date }[]>`
    select role, content, spoken_at from interaction_messages
    where interaction_id = ${created.interaction_id} order by seq`;
  return rows
    .map(({ role, content, spoken_at }) => ({ role, content, at: spoken_at.getTime() }))
    .filter(({ at }) => at >= since);
}

/** Everything has been answered, and the answer is over. */
async function settled(call: Call): Promise<void> {
  await call.customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
  await waitUntil(async () => (await transcript(call)).at(-1)?.role === 'agent', DEADLINE_MS);
  await call.customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
}

/** What it gives, or undefined when it has not come in the time of one try. */
const inTime = <T>(look: () => Promise<T | undefined>): Promise<T | undefined> =>
  waitUntil(look, TRY_MS).catch(() => undefined);

const turnOf = (call: Call, since: number, words: RegExp): Promise<Row | undefined> =>
  inTime(async () =>
    (await transcript(call, since)).find(({ role, content }) => role === 'customer' && words.test(content)),
  );

interface Guesses {
  readonly used: number;
  readonly void: number;
}

/** What became of the requests that were made before their turn was over, as the operator reads it. */
async function guesses({ created }: Call): Promise<Guesses> {
  const rows = await stack.database.sql<{ became: 'used' | 'void' }[]>`
    select output ->> 'ahead_of_turn' as became from interaction_steps
    where interaction_id = ${created.interaction_id} and output ? 'ahead_of_turn'`;
  const count = (state: string) => rows.filter(({ became }) => became === state).length;
  return { used: count('used'), void: count('void') };
}

const newGuess = (call: Call, before: Guesses): Promise<'used' | 'void' | undefined> =>
  inTime(async () => {
    const now = await guesses(call);
    return now.used > before.used ? 'used' : now.void > before.void ? 'void' : undefined;
  });

/** Says something when all is quiet. @returns the number that the next request has. */
async function ask(call: Call, words: string) {
  await settled(call);
  const before = await guesses(call);
  const since = Date.now();
  const number = model.turns.length + 1;
  await call.customer.say(words);
  return { number, since, before };
}

/** What was said since then, when an answer is part of it. */
const answered = (call: Call, since: number): Promise<string[]> =>
  waitUntil(async () => {
    const rows = await transcript(call, since);
    return rows.some(({ role }) => role === 'agent') ? rows.map(({ content }) => content) : undefined;
  }, DEADLINE_MS);

/** The answers to requests after this one about just these words. */
const answersAbout = (words: string, after: number): string[] =>
  model.turns.flatMap(({ lastUser }, nth) => (nth >= after && lastUser === words ? [answerTo(nth + 1)] : []));

test('a complete sentence: the model is asked before the turn is over, and answers it once', async () => {
  const call = await begin();
  for (let time = 1; ; time += 1) {
    const { number, since, before } = await ask(call, QUESTION);
    await model.waitForTurns(number, DEADLINE_MS);
    const askedAt = model.turns[number - 1]?.at ?? Number.POSITIVE_INFINITY;
    const turn = await turnOf(call, since, /./);
    const became = await newGuess(call, before);
    const ahead = turn !== undefined && askedAt < turn.at;
    // Not understood, or too late on a busy machine.
    if ((turn?.content !== QUESTION || !ahead || became !== 'used') && time < TIMES) continue;
    expect({ words: turn?.content, ahead, became }).toEqual({ words: QUESTION, ahead: true, became: 'used' });
    await call.customer.waitForText(answerTo(number), { deadlineMs: DEADLINE_MS });
    await settled(call);
    expect(await answered(call, since)).toEqual([QUESTION, answerTo(number)]);
    expect(model.turns).toHaveLength(number);
    return;
  }
}, 300_000);

test.each([
  ['a request', HARD_QUESTION],
  ['a tool call', REFUND],
])(
  'who goes on after a sentence: %s that was begun is void, and the next knows all the words',
  async (_what, first) => {
    const call = await begin();
    const { customer, created } = call;
    const toolCalls = async () =>
      (await stack.database.sql`select id from tool_calls where interaction_id = ${created.interaction_id}`)
        .length;
    const whole = `${first} ${MORE}`;
    for (let time = 1; ; time += 1) {
      await settled(call);
      const [requests, rows] = [recorder.calls.length, await toolCalls()];
      const { number, since, before } = await ask(call, first);
      await pause(THINKS_MS);
      await customer.say(MORE);
      const turn = await turnOf(call, since, /costs|not recognised/);
      const guessed = model.turns[number - 1]?.lastUser === first && turn?.content === whole;
      if (!guessed && time < TIMES) continue;
      expect(turn?.content).toBe(whole);
      await settled(call);
      await waitUntil(async () => (await guesses(call)).void > before.void, DEADLINE_MS);
      const [words, answer, ...more] = await answered(call, since);
      expect([words, ...more]).toEqual([whole]);
      expect(answersAbout(whole, number)).toContain(answer);
      expect(customer.texts.filter(({ text }) => text.includes(answerTo(number)))).toEqual([]);
      expect([recorder.calls.length, await toolCalls()]).toEqual([requests, rows]);
      return;
    }
  },
  300_000,
);

test('taken over while the caller is still given time: the answer is void, and the question answered later', async () => {
  const call = await beginWithSomebodyWhoThinks();
  const { customer, created } = call;
  const path = `/v1/interactions/${created.interaction_id}`;
  for (let time = 1; ; time += 1) {
    const { number, since, before } = await ask(call, QUESTION);
    await model.waitForTurns(number, DEADLINE_MS);
    const taken = await stack.request(`${path}/takeover`, { body: {}, as: supervisor });
    expect(taken.status).toBe(200);
    const turn = await turnOf(call, since, /./);
    const became = await newGuess(call, before);
    const asked = model.turns.length;
    const back = await stack.request(`${path}/handback`, { body: {}, as: supervisor });
    expect(back.status).toBe(204);
    if ((became !== 'void' || turn?.content !== QUESTION || asked !== number) && time < TIMES) continue;
    expect({ words: turn?.content, became, asked }).toEqual({
      words: QUESTION,
      became: 'void',
      asked: number,
    });
    await settled(call);
    const [words, answer, ...more] = await answered(call, since);
    expect([words, ...more]).toEqual([QUESTION]);
    expect(answersAbout(QUESTION, number)).toContain(answer);
    expect(customer.texts.filter(({ text }) => text.includes(answerTo(number)))).toEqual([]);
    return;
  }
}, 300_000);
