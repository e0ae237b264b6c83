import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../support/stack.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

/** The database is away, and the worker dies with all its processes in that time: two faults at once. */
const PATIENT = { deadlineMs: 60_000 };
const LONG = { timeout: 200_000 };

let world: World;
const folders: string[] = [];
beforeAll(async () => {
  world = await setupWorld({ workers: 0 });
}, 120_000);
afterAll(async () => {
  await world?.stop();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}, 60_000);

/** The disk of a machine. */
async function disk(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'spool-test-'));
  folders.push(folder);
  return { WORKER_SPOOL_DIR: folder };
}

async function ask(visit: Visit, words: string): Promise<void> {
  await visit.say(words);
  await visit.customer.waitForText(`Heard: ${words}`, PATIENT);
}

async function transcript({ id }: Visit) {
  return await world.stack.database.sql<{ role: string; content: string; spoken_at: Date }[]>`
    select role, content, spoken_at from interaction_messages where interaction_id = ${id} order by seq`;
}

/** What was said of these words, each with its answer, in the order of the transcript. */
async function exchange(visit: Visit, words: string[]): Promise<string[]> {
  const rows = await transcript(visit);
  const known = new Set(words.flatMap((word) => [word, `Heard: ${word}`]));
  return rows.flatMap(({ content }) => (known.has(content) ? [content] : []));
}

/** Says some things while the database is away; the worker dies with all its processes before it is back. */
async function loseWorkerInOutage(visit: Visit) {
  const { proxy } = world;
  const { worker } = await world.carrier(visit);
  const from = Date.now();
  proxy.cut();
  const said = ['away 1', 'away 2', 'away 3'];
  for (const words of said) await ask(visit, words);
  await worker.killAll();
  const until = Date.now();
  proxy.mend();
  return { said, from, until };
}

async function expectTimes(
  visit: Visit,
  { said, from, until }: { said: string[]; from: number; until: number },
) {
  const rows = await transcript(visit);
  const away = rows.filter(({ content }) => said.includes(content.replace('Heard: ', '')));
  expect(away).toHaveLength(said.length * 2);
  for (const { spoken_at } of away) {
    expect(+spoken_at).toBeGreaterThanOrEqual(from);
    expect(+spoken_at).toBeLessThanOrEqual(until);
  }
}

test(
  'the next worker on that machine stores what was said, before it carries the conversation on',
  LONG,
  async () => {
    const machine = await disk();
    await world.startWorker(machine);
    const visit = await world.visit();
    await ask(visit, 'before');
    const lost = await loseWorkerInOutage(visit);
    const next = await world.startWorker(machine);
    await ask(visit, 'after');
    const words = ['before', ...lost.said, 'after'];
    await waitUntil(async () => (await exchange(visit, words)).length >= words.length * 2, 60_000);
    expect(await exchange(visit, words)).toEqual(words.flatMap((word) => [word, `Heard: ${word}`]));
    await expectTimes(visit, lost);
    // What they had read is not said again.
    for (const word of words) {
      expect(visit.customer.agentTexts.filter((text) => text.includes(`Heard: ${word}`))).toHaveLength(1);
    }
    expect((await world.carrier(visit)).generation).toBe(2);
    await world.close(visit);
    await next.killAll();
  },
);

test(
  'somebody else has taken over by then: what was said still comes to its place, at its time',
  LONG,
  async () => {
    const [machine, another] = [await disk(), await disk()];
    await world.startWorker(machine);
    const visit = await world.visit();
    await ask(visit, 'before');
    const elsewhere = await world.startWorker(another);
    const lost = await loseWorkerInOutage(visit);
    await ask(visit, 'after');
    expect((await world.carrier(visit)).worker).toBe(elsewhere);
    await world.startWorker(machine);
    await waitUntil(async () => (await exchange(visit, lost.said)).length >= lost.said.length * 2, 60_000);
    const words = ['before', ...lost.said, 'after'];
    const asked = (await exchange(visit, words)).filter((content) => !content.startsWith('Heard: '));
    expect(asked).toEqual(words);
    await ask(visit, 'at the end');
    await world.close(visit);
    const [archive] = await world.stack.database.sql<{ facts: { messages: { customer: number } } }[]>`
    select facts from interaction_archives where interaction_id = ${visit.id}`;
    expect(archive?.facts.messages.customer).toBe(words.length + 1);
  },
);
