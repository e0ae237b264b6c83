import { randomInt } from 'node:crypto';
import { tokenize } from '@livekit/agents';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { renderGreeting } from '../../src/definitions/opening.ts';
import { loadPrompts, PROMPTS_DIRECTORY } from '../../src/definitions/prompts.ts';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { sayClearly } from '../support/clearly.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const AGENTS_VOICE = 'coral';
/** Of the tests' customers. */
const CALLERS_VOICE = 'echo';
const SAID = { deadlineMs: 60_000 };
/** A lookup that a busy machine holds up counts as none, and the words are made anew: then another call is made. */
const TIMES = 3;

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;

beforeAll(async () => {
  speech = await setupSpeech();
  model = await setupModel((request) => `You said: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { silenceFirstMs: 120_000, silenceSecondMs: 130_000, silenceEndMs: 140_000 },
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await speech?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  speech.voice('works');
  for (const customer of customers.splice(0)) await customer.leave();
});

/** An agent whose greeting nobody has heard yet: a second try of a test must not find what its first one left. */
async function setup(words = (line: string) => `Hello from line ${line} of {{business_name}}.`) {
  const line = String(randomInt(100_000, 999_999));
  const { id: supervisorId } = await stack.database.createUser({
    businessId: stack.business.id,
    supervisorType: 'voice',
  });
  const greeting = words(line);
  const sentences = splitGreeting(greeting);
  const voiceSettings = { voice: AGENTS_VOICE };
  const agent = await stack.createAgent({ agentType: 'voice', supervisorId, greeting, voiceSettings });
  const call = async (body = {}) => {
    const joined = await stack.join(agent, body);
    customers.push(joined.customer);
    return joined;
  };
  /** How much of a call's greeting was spoken from what was kept, when all of it has been made or found. */
  const speechOf = ({ created }: Awaited<ReturnType<typeof call>>) =>
    waitUntil(async () => {
      const [row] = await stack.database.sql`
        select count(*)::int as sentences, count(*) filter (where output ->> 'kept' = 'true')::int as kept,
          sum(characters)::int as characters
        from interaction_steps where interaction_id = ${created.interaction_id} and step_type = 'speech'`;
      return row && row.sentences >= sentences ? row : undefined;
    }, 60_000);
  /** The sentences with the number of this line that the speech service was asked for by an agent. */
  const made = () =>
    speech.spoken.filter(({ input, voice }) => input.includes(line) && voice !== CALLERS_VOICE);
  return {
    agent,
    line,
    call,
    speechOf,
    made,
    /** Does that until nothing of this line was made anew for it. */
    async again<T>(act: () => Promise<T>): Promise<T> {
      for (let time = 1; ; time += 1) {
        const { length: before } = made();
        const result = await act();
        if (made().length === before || time === TIMES) {
          expect(made()).toHaveLength(before);
          return result;
        }
        for (const customer of customers.splice(0)) await customer.leave();
      }
    },
    /** A caller who hangs up when all of the greeting has been made. */
    async firstCall(body = {}) {
      const joined = await call(body);
      const spoken = await speechOf(joined);
      await joined.customer.leave();
      return spoken;
    },
  };
}

/** Of how many sentences it consists for the framework, which speaks one by one. */
function splitGreeting(greeting: string): number {
  const { text } = renderGreeting(loadPrompts(PROMPTS_DIRECTORY, 'en'), {
    agent: { name: 'Wren', systemPrompt: '', greeting, language: 'en' },
    business: { name: stack.business.name, timeZone: 'UTC' },
    customer: { name: null, phoneNumber: '+31612345678', phoneSource: 'claimed' },
    channel: 'voice',
    now: new Date(),
  });
  return new tokenize.basic.SentenceTokenizer().tokenize(text).length;
}

test('a greeting is made for the first caller, and the next one hears it from what was kept', async () => {
  const { line, again, call, firstCall, made, speechOf } = await setup();
  const first = await firstCall();
  expect(first.kept).toBeLessThan(first.sentences);
  expect(first.characters).toBeGreaterThan(20);
  expect(made().length).toBeGreaterThan(0);

  const { second, text } = await again(async () => {
    const second = await call();
    const { text } = await second.customer.waitForText(line, SAID);
    return { second, text };
  });
  expect(second.customer.soundBetweenMs(0, Date.now())).toBeGreaterThan(500);
  const { sentences, kept, characters } = await speechOf(second);
  expect(kept).toBe(sentences);
  expect(characters).toBe(0);
  const [said] = await waitUntil(async () => {
    const rows = await stack.database.sql`
      select content, interrupted from interaction_messages where interaction_id = ${second.created.interaction_id}`;
    return rows.length > 0 ? rows : undefined;
  });
  expect(said).toEqual({ content: text, interrupted: false });
  expect(text).toMatch(/^Hello from line .* A\.I\. /);
}, 180_000);

test('new words or another voice are never answered with the old sound', async () => {
  const { agent, line, call, firstCall, made } = await setup();
  await firstCall();
  const { sql } = stack.database;
  await sql`update agents set greeting = ${`Welcome to line ${line}, dear caller.`} where id = ${agent.id}`;
  const welcome = `Welcome to line ${line}, dear caller.`;
  const second = await call();
  await second.customer.waitFor(() => made().some(({ input }) => input === welcome), SAID);
  await sql`update agents set voice_settings = ${sql.json({ voice: 'onyx' })} where id = ${agent.id}`;
  const third = await call();
  await third.customer.waitFor(
    () => made().some(({ input, voice }) => input === welcome && voice === 'onyx'),
    SAID,
  );
}, 180_000);

test('the greeting is heard while the speech service is down', async () => {
  const { line, call, firstCall, speechOf } = await setup();
  await firstCall();
  speech.voice('fails');
  const second = await call();
  await second.customer.waitForText(line, SAID);
  expect(second.customer.soundBetweenMs(0, Date.now())).toBeGreaterThan(500);
  const { sentences, kept } = await speechOf(second);
  expect(kept).toBe(sentences);
  const failed = await stack.database.sql`
    select 1 from interaction_steps
    where interaction_id = ${second.created.interaction_id} and step_type = 'speech_failed'`;
  expect(failed).toHaveLength(0);
}, 180_000);

test('a sentence with the caller’s number is made for each call, and what is said to everybody is not', async () => {
  const { call, firstCall, made, speechOf } = await setup(
    (line) => `You call line ${line} from {{customer_phone}}. It is good that you call.`,
  );
  const caller = { phone_number: '+31612345678' };
  await firstCall(caller);
  const { length: times } = made();
  const { sentences, kept } = await speechOf(await call(caller));
  expect(made().length).toBeGreaterThan(times);
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(sentences);
}, 180_000);

test('a kept greeting that is interrupted is recorded as far as it was heard', async () => {
  const told = Array.from({ length: 12 }, (_, nth) => `This is sentence ${nth + 1} of what we want to say.`);
  const { again, call, firstCall, line } = await setup((number) =>
    [`Hello from line ${number}.`, ...told].join(' '),
  );
  await firstCall();
  const { customer, created } = await again(async () => {
    const joined = await call();
    await joined.customer.prepare('Stop, that is enough.');
    const heard = () => joined.customer.texts.some(({ text }) => text.includes('sentence 2'));
    await joined.customer.waitFor(heard, SAID);
    return joined;
  });
  await sayClearly(customer, 'Stop, that is enough.', /Stop/);
  await customer.waitForText(/You said: Stop/, SAID);
  const said = await waitUntil(async () => {
    const [row] = await stack.database.sql`
      select content, interrupted from interaction_messages
      where interaction_id = ${created.interaction_id} and content like ${`%${line}%`}`;
    return row;
  }, 40_000);
  expect(said.interrupted).toBe(true);
  expect(said.content).toMatch(/^Hello from line/);
  expect(said.content).not.toContain('sentence 12');
}, 240_000);
