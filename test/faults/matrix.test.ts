import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { audit } from './support/audit.ts';
import { MOMENTS, type Moment } from './support/moments.ts';
import { hasRead } from './support/screen.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

/**
 * What dies × when. The short form, in every run, kills the job's process at each moment and the others at some;
 * `npm run faults` runs the whole table.
 */
const WHOLE = process.env.FAULTS === 'all';
let world: World;
let count = 0;

beforeAll(async () => {
  world = await setupWorld();
}, 120_000);

afterAll(() => world?.stop(), 60_000);

/** What dies, and whether it comes back to life. Resolves with what is to be done when a successor has spoken. */
const VICTIMS = {
  'the job': async (visit: Visit) => {
    const { worker, job } = await world.carrier(visit);
    worker.signal(job, 'SIGKILL');
    return undefined;
  },
  'the job, which wakes up later,': async (visit: Visit) => {
    const { worker, job } = await world.carrier(visit);
    worker.signal(job, 'SIGSTOP');
    return async () => worker.signal(job, 'SIGCONT');
  },
  'the worker': async (visit: Visit) => {
    const { worker } = await world.carrier(visit);
    await worker.killWorker();
    return () => world.startWorker();
  },
  'the worker with all its jobs': async (visit: Visit) => {
    const { worker } = await world.carrier(visit);
    await worker.killAll();
    return () => world.startWorker();
  },
} as const;
type Victim = keyof typeof VICTIMS;

async function survive(victim: Victim, moment: Moment): Promise<void> {
  count += 1;
  const order = `n${count}`;
  const question = moment.slow ? 'slowly, question by question,' : 'question';
  const words = `${moment.tool ?? question} ${order}`;
  const visit = await world.visit();
  await visit.say(`before ${order}`);
  await visit.customer.waitForText(`Heard: before ${order}`);
  const first = await world.carrier(visit);
  const hold = moment.arm(world, words, order);
  await visit.say(words);
  if (moment.decided === 'before') await world.decide(visit, order, 'allowed');
  await hold.reached;
  if (moment.decided === 'here') await world.decide(visit, order, 'allowed');
  const comeBack = await VICTIMS[victim](visit);
  hold.release(victim === 'the job, which wakes up later,' || victim === 'the worker' ? undefined : 'lost');
  // Written while nobody is there.
  await visit.say(`meanwhile ${order}`);
  if (moment.decided === 'later') await world.decide(visit, order, 'allowed');
  await visit.customer.waitForText(`Heard: meanwhile ${order}`, { deadlineMs: 40_000 });
  await comeBack?.();
  await visit.say(`after ${order}`);
  await visit.customer.waitForText(`Heard: after ${order}`);
  // Who leaves before an answer has come has not read it.
  await visit.customer.waitFor(() => hasRead(visit.customer, words), {
    what: `an answer to "${words}"`,
    deadlineMs: 40_000,
  });
  expect((await world.carrier(visit)).generation).toBeGreaterThan(first.generation);
  await world.close(visit);
  expect(await audit(world, visit, 1)).toEqual([]);
  if (victim !== 'the job' || !moment.tool || !moment.outcome) return;
  const rows = await world.stack.database
    .sql`select state from tool_calls where interaction_id = ${visit.id}`;
  const runs = world.recorder.calls.filter(({ body }) => body.order === order);
  expect({ state: rows[0]?.state, runs: runs.length }).toEqual(moment.outcome);
}

/** The short form goes through the gate in other tests. */
const everyMoment = WHOLE ? MOMENTS : MOMENTS.filter(({ decided }) => decided === undefined);
const EVERYWHERE: readonly Victim[] = WHOLE ? (Object.keys(VICTIMS) as Victim[]) : ['the job'];
for (const victim of EVERYWHERE) {
  describe(`${victim} dies when`, () => {
    test.each(everyMoment)('$name', { timeout: 120_000 }, (moment) => survive(victim, moment));
  });
}

if (!WHOLE) {
  const samples: [Victim, string][] = [
    ['the job, which wakes up later,', 'the model is asked'],
    ['the job, which wakes up later,', 'a call has started and is not sent'],
    ['the worker', 'a call runs'],
    ['the worker with all its jobs', 'a message is stored and not acknowledged'],
  ];
  test.each(samples)('%s dies when %s', { timeout: 120_000 }, async (victim, name) => {
    const moment = MOMENTS.find((one) => one.name === name);
    if (moment) await survive(victim, moment);
  });
}
