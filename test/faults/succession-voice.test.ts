import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, joinAsCustomer, SOUND_DB } from '../../src/embedded/rehearsal/caller/caller.ts';
import { waitUntil } from '../support/stack.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

const QUESTION = 'What time do you close?';
const ORDER = 'Where is my order?';
const PRICE = 'What does the blue lamp cost?';
const SIZE = 'Do you have it in green?';
const OFFER = 'Hello, this is Vera. You get a new parcel tomorrow.';
const APOLOGY = /we were cut off for a moment/;
const LONG = { timeout: 280_000 };
const PATIENT = { deadlineMs: 90_000 };

let world: World;
beforeAll(async () => {
  world = await setupWorld({
    voice: true,
    workers: 2,
    figures: {
      leaseMs: 8_000,
      heartbeatMs: 2_000,
      rejoinVoiceMs: 20_000,
      // Longer than a busy machine takes for a successor: nobody is to be asked whether they are still there.
      takeoverGraceMs: 60_000,
      silenceFirstMs: 120_000,
      silenceSecondMs: 150_000,
      silenceEndMs: 180_000,
    },
  });
}, 180_000);
afterAll(() => world?.stop(), 60_000);

const people: Customer[] = [];
/** What the test waited for last: one that takes its whole time does not say so itself. */
const stages: string[] = [];
const stage = (what: string): void => {
  stages.push(`${new Date().toISOString()} ${what}`);
};
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error([...stages, world.tail()].join('\n'));
  stages.length = 0;
  for (const person of people.splice(0)) await person.leave();
});

async function call(): Promise<Visit> {
  stage('a call begins');
  const visit = await world.visit();
  people.push(visit.customer);
  stage('the words of the caller are made');
  await visit.customer.prepare(QUESTION, ORDER, PRICE, SIZE);
  stage('the greeting ends');
  await visit.customer.waitForQuiet(1_000, PATIENT);
  return visit;
}

/** Says it and waits for the answer; once more when recognition had not begun yet. */
async function ask({ customer }: Visit, words: string): Promise<{ from: string; at: number }> {
  const since = Date.now();
  for (let attempt = 1; ; attempt += 1) {
    stage(`the caller says “${words}”`);
    await customer.say(words);
    stage('the answer');
    const answer = customer.waitForText(`Heard: ${words}`, { since, deadlineMs: 30_000 });
    try {
      const { from } = await answer;
      return { from, at: await customer.waitForSound(since, PATIENT) };
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

const generationOf = (identity: string): number => Number(/-g(\d+)$/.exec(identity)?.[1] ?? 0);

/** Of which generations there was sound after this moment. */
const voicesAfter = ({ customer }: Visit, since: number): number[] => [
  ...new Set(
    customer.sounds
      .filter(({ at, levelDb }) => at > since && levelDb > SOUND_DB)
      .map(({ identity }) => generationOf(identity)),
  ),
];

async function successor(visit: Visit, generation: number): Promise<void> {
  stage(`generation ${generation + 1}`);
  await waitUntil(async () => (await world.carrier(visit)).generation > generation, 90_000);
}

test(
  'the process of a call is killed, the next one stopped: one apology each, the successor answers, no second voice',
  LONG,
  async () => {
    const visit = await call();
    const { customer } = visit;
    expect(generationOf((await ask(visit, QUESTION)).from)).toBe(1);
    for (const [generation, signal] of [
      [1, 'SIGKILL'],
      [2, 'SIGSTOP'],
    ] as const) {
      const { worker, job } = await world.carrier(visit);
      worker.signal(job, signal);
      await successor(visit, generation);
      await customer.waitFor(
        () => customer.agents.some((one) => generationOf(one) === generation + 1),
        PATIENT,
      );
      const apologies = () => customer.texts.filter(({ text }) => APOLOGY.test(text));
      await customer.waitFor(() => apologies().length === generation, PATIENT);
      expect(apologies().map(({ from }) => generationOf(from))).toEqual([2, 3].slice(0, generation));
      await customer.waitForQuiet(1_500, PATIENT);
      const answer = await ask(visit, signal === 'SIGKILL' ? ORDER : PRICE);
      expect(generationOf(answer.from)).toBe(generation + 1);
      if (signal === 'SIGSTOP') {
        const wokenAt = Date.now();
        worker.signal(job, 'SIGCONT');
        await ask(visit, SIZE);
        expect(voicesAfter(visit, wokenAt)).toEqual([3]);
      }
    }
    expect(customer.texts.filter(({ text }) => APOLOGY.test(text))).toHaveLength(2);
    // Each generation was heard in one stretch, and none after its successor.
    const order = customer.sounds
      .filter(({ levelDb }) => levelDb > SOUND_DB)
      .map(({ identity }) => generationOf(identity));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    await world.close(visit);
  },
);

test(
  'a call that was taken over loses its process: the person keeps it and is written down; given up, the caller hears so',
  LONG,
  async () => {
    const { sql } = world.stack.database;
    const visit = await call();
    const { customer, id } = visit;
    const as = await world.stack.supervisorOf(world.agent);
    const path = `/v1/interactions/${id}`;
    const taken = await world.stack.request(`${path}/takeover`, { body: {}, as });
    const { url, token } = taken.body as { url: string; token: string };
    const speech = { baseUrl: world.speech?.openaiBaseUrl ?? '', voice: 'alloy' };
    const human = await joinAsCustomer({ url, token, channel: 'voice', agentPrefix: 'customer-', speech });
    people.push(human);
    await human.prepare(OFFER);
    await waitUntil(async () => {
      const rows = await sql`
        select 1 from interaction_steps where interaction_id = ${id} and step_type = 'silenced'`;
      return rows.length > 0;
    });
    const killedAt = Date.now();
    const { worker, job } = await world.carrier(visit);
    worker.signal(job, 'SIGKILL');
    await successor(visit, 1);
    const transcribed = (role: string, words: RegExp, speak: () => Promise<unknown>) =>
      waitUntil(async () => {
        await speak();
        return waitUntil(async () => {
          const rows = await sql`
            select metadata ->> 'by_name' as by from interaction_messages
            where interaction_id = ${id} and role = ${role} and content ~* ${words.source}`;
          return rows[0];
        }, 20_000).catch(() => undefined);
      }, 60_000);
    const said = await transcribed('supervisor', /new parcel tomorrow/, () => human.say(OFFER));
    expect(said.by).toBe('Vera Voice');
    await transcribed('customer', /time do you close/, () => customer.say(QUESTION));
    const [row] = await sql`select control, controlled_by_name from interactions where id = ${id}`;
    expect(row).toEqual({ control: 'supervisor', controlled_by_name: 'Vera Voice' });
    expect(voicesAfter(visit, killedAt)).toEqual([]);
    expect(customer.texts.filter(({ role, at }) => role === 'agent' && at > killedAt)).toEqual([]);

    expect((await world.stack.request(`${path}/handback`, { body: {}, as })).status).toBe(204);
    const answer = await customer.waitForText(`Heard: ${QUESTION}`, PATIENT);
    expect(generationOf(answer.from)).toBe(2);
    expect(world.model.turns.at(-1)?.text).toContain('new parcel tomorrow');

    // As after eight losses within a short time: the ninth is the last.
    await sql`update interactions set recoveries = 8 where id = ${id}`;
    const carrier = await world.carrier(visit);
    const lostAt = Date.now();
    carrier.worker.signal(carrier.job, 'SIGKILL');
    const farewell = await customer.waitForText(/cut off several times/, PATIENT);
    expect(generationOf(farewell.from)).toBe(3);
    await customer.waitFor(() => customer.disconnected, PATIENT);
    expect(voicesAfter(visit, lostAt)).toContain(3);
    const [ended] = await sql`select status, end_reason from interactions where id = ${id}`;
    expect(ended).toEqual({ status: 'failed', end_reason: 'recovery_failed' });
  },
);

test(
  'the worker of a call stops in mid-sentence: the caller hears it to its end, once, and the next one just goes on',
  LONG,
  async () => {
    const visit = await call();
    const { customer } = visit;
    // Recognition is there from here on.
    expect(generationOf((await ask(visit, PRICE)).from)).toBe(1);
    await customer.waitForQuiet(1_000, PATIENT);
    const { worker } = await world.carrier(visit);
    stage('another worker starts');
    await world.startWorker();
    stage('the caller asks');
    const since = Date.now();
    await customer.say(QUESTION);
    stage('the answer begins');
    await customer.waitForSound(since, PATIENT);
    stage('the worker ends');
    await worker.drain();
    stage('the next one');
    await successor(visit, 1);
    await customer.waitFor(() => customer.agents.some((one) => generationOf(one) === 2), PATIENT);
    expect(generationOf((await ask(visit, ORDER)).from)).toBe(2);
    const said = customer.texts.filter(({ role, at, text }) => {
      return role === 'agent' && at >= since && (text.startsWith('Heard: ') || APOLOGY.test(text));
    });
    expect(said.map(({ text, final }) => [text, final])).toEqual([
      [`Heard: ${QUESTION}`, true],
      [`Heard: ${ORDER}`, true],
    ]);
    const cutOff = await world.stack.database.sql`
      select content from interaction_messages where interaction_id = ${visit.id} and role = 'agent' and interrupted`;
    expect([...cutOff]).toEqual([]);
    const [joined] = await world.stack.database.sql`
      select output from interaction_steps
      where interaction_id = ${visit.id} and step_type = 'joined' and (output ->> 'recovered')::boolean`;
    expect(joined?.output).toMatchObject({ handedOver: true });
    stage('the call ends');
    await world.close(visit);
  },
);
