import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const APOLOGY = /lost the connection/;
const PATIENT = { deadlineMs: 60_000 };
const LONG = { timeout: 240_000 };
const WORDS = 'and so on ';

let model: ScriptedModel;
let recorder: ToolRecorder;
let stack: Stack;
let agent: Agent;
let loadedModules: string;
const customers: Customer[] = [];

const calls = (count: number, sum: number) =>
  Array.from({ length: count }, (_, number) => ({
    name: 'look_up',
    arguments: { order: `${sum}-${number}` },
  }));

/** Does what customers say that it should do for ever, as far as it is let. */
function endlessModel(request: ModelRequest) {
  const { lastUser, toolResults, lastMessage } = request;
  const mustSpeak = request.body.tool_choice === 'none';
  if (/one after the other/.test(lastUser))
    return mustSpeak ? `Enough after ${toolResults.length}.` : { toolCalls: calls(1, toolResults.length) };
  if (/all at once/.test(lastUser))
    return mustSpeak ? `Enough of ${toolResults.length}.` : { toolCalls: calls(60, 0) };
  if (/never ends/.test(lastUser)) return { text: WORDS.repeat(3_600) };
  if (/wait for it/.test(lastUser)) {
    if (lastMessage?.role !== 'tool') return { toolCalls: [{ name: 'stall', arguments: {} }] };
    return `It says: ${toolResults.at(-1)?.output}`;
  }
  return `Heard: ${lastUser}`;
}

beforeAll(async () => {
  model = await setupModel(endlessModel);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  loadedModules = await mkdtemp(joinPath(tmpdir(), 'floorwalker-loaded-'));
  const before = ['saboteur', 'loaded-modules'].map(
    (name) => `--import=${new URL(`../support/${name}.ts`, import.meta.url)}`,
  );
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    maxInteractions: 20,
    env: {
      LIMIT_ADDRESS_OPEN: '50',
      LIMIT_ADDRESS_PER_MINUTE: '100',
      WORKER_CHAT_PROCESS_MB: '600',
      NODE_OPTIONS: before.join(' '),
      LOADED_MODULES: loadedModules,
    },
    figures: { rejoinChatMs: 2_000, toolTimeoutMs: 2_000 },
  });
  const tool = (toolName: string, properties: Record<string, { type: string }>) => ({
    toolName,
    toolConfig: {
      endpoint: `${recorder.url}/${toolName}`,
      method: 'POST',
      description: `The tool ${toolName}.`,
      input_schema: { type: 'object', properties },
    },
  });
  agent = await stack.createAgent({
    maxConcurrentInteractions: 20,
    tools: [tool('look_up', { order: { type: 'string' } }), tool('stall', {})],
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await recorder?.stop();
  await model?.stop();
  if (loadedModules) await rm(loadedModules, { recursive: true, force: true });
}, 60_000);

afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-80).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

async function join(): Promise<{ customer: Customer; id: string }> {
  const { customer, created } = await stack.join(agent);
  customers.push(customer);
  await customer.waitForText(/AI assistant/, PATIENT);
  return { customer, id: created.interaction_id };
}

async function converse(customer: Customer, words: string): Promise<void> {
  await customer.send(words);
  await customer.waitForText(`Heard: ${words}`, PATIENT);
}

/** What is written to the log with these words, as fields; `since` that many lines of it. */
function logged(words: string, since = 0): Record<string, unknown>[] {
  return stack.log
    .slice(since)
    .filter((line) => line.includes(words))
    .map((line) => z.looseObject({}).parse(JSON.parse(line)));
}

/** Processes of chats that registered with LiveKit, oldest first. */
const processes = (): unknown[] => logged('a process of chats is registered').map(({ child }) => child);

async function statusOf(id: string) {
  const [row] = await stack.database.sql`select status, end_reason from interactions where id = ${id}`;
  return row;
}

async function stepsOf(id: string, type: string): Promise<unknown[]> {
  const rows = await stack.database.sql`
    select output from interaction_steps where interaction_id = ${id} and step_type = ${type}`;
  return rows.map(({ output }) => output);
}

/** Whether each process that held this conversation and had to end has handed it over in good order. */
const leftInOrder = (id: string): unknown[] =>
  logged('session left the interaction')
    .filter(({ interaction, why }) => interaction === id && why === 'the worker stops')
    .map(({ handedOver }) => handedOver);

const times = (customer: Customer, words: string): number =>
  customer.agentTexts.filter((text) => text.includes(words)).length;

test('a process of chats loads nothing of voice, also when it has talked', LONG, async () => {
  const { customer } = await join();
  await converse(customer, 'hello');
  const chats = String(processes().at(-1));
  const loaded = async (pid: string) => (await readFile(joinPath(loadedModules, pid), 'utf8')).split('\n');
  const ofVoice = (urls: string[]) =>
    urls.filter((url) => /deepgram|silero|onnxruntime|local-inference/.test(url));
  const everywhere = await Promise.all((await readdir(loadedModules)).map(loaded));
  // The process that waits for a call has loaded it: that nothing is found here says something.
  expect(ofVoice(everywhere.flat())).not.toEqual([]);
  expect((await loaded(chats)).some((url) => url.includes('session/dialogue.ts'))).toBe(true);
  expect(ofVoice(await loaded(chats))).toEqual([]);
});

test('a session that fails in its own course goes on, or ends, alone', LONG, async () => {
  const [one, neighbour] = await Promise.all([join(), join()]);
  const before = processes();
  await one.customer.send('please stumble');
  await one.customer.waitForText(/only read text/, PATIENT);
  await Promise.all([converse(neighbour.customer, 'hello'), converse(one.customer, 'again')]);
  expect(processes()).toEqual(before);
});

test(
  'an exception that nobody catches: all leave for another process, only the culprit is told so, and only twice',
  LONG,
  async () => {
    const since = stack.log.length;
    const [culprit, ...neighbours] = await Promise.all([join(), join(), join()]);
    await Promise.all(
      [culprit, ...neighbours].map(({ customer }, number) => converse(customer, `hello from ${number}`)),
    );
    for (const round of ['first', 'second']) {
      const before = processes().length;
      await Promise.all([
        culprit.customer.send(`please bring everything down, ${round}`),
        ...neighbours.map(({ customer }) => customer.send(`meanwhile, ${round}`)),
      ]);
      await Promise.all(
        neighbours.map(({ customer }) => customer.waitForText(`Heard: meanwhile, ${round}`, PATIENT)),
      );
      await expect.poll(() => processes().length, { timeout: 60_000 }).toBeGreaterThan(before);
      await Promise.all(neighbours.map(({ customer }) => converse(customer, `and now, ${round}`)));
      if (round === 'first') await culprit.customer.waitForText(APOLOGY, PATIENT);
    }
    await expect
      .poll(() => statusOf(culprit.id), { timeout: 60_000, interval: 250 })
      .toEqual({ status: 'failed', end_reason: 'recovery_failed' });
    for (const { customer, id } of neighbours) {
      expect(leftInOrder(id)).toEqual([true, true]);
      for (const round of ['first', 'second']) {
        expect(times(customer, `Heard: meanwhile, ${round}`)).toBe(1);
        expect(times(customer, `Heard: and now, ${round}`)).toBe(1);
      }
      expect(await statusOf(id)).toMatchObject({ status: 'active' });
    }
    const failed = logged('a session failed in the middle of something', since);
    const sessions = failed.map(({ session }) => String(session));
    expect(sessions.length).toBeGreaterThan(0);
    expect(sessions.filter((session) => !session.includes(culprit.id))).toEqual([]);
  },
);

test(
  'a process that has grown too large hands its chats over in good order and is replaced',
  LONG,
  async () => {
    const [large, neighbour] = await Promise.all([join(), join()]);
    await Promise.all([converse(large.customer, 'hello'), converse(neighbour.customer, 'hello')]);
    const [pid] = processes().slice(-1);
    await converse(large.customer, 'please keep 500 megabytes');
    await waitUntil(
      () => logged('a process of chats is too large').some(({ child }) => child === pid),
      60_000,
    );
    await waitUntil(() => {
      try {
        return !process.kill(Number(pid), 0);
      } catch {
        return true;
      }
    }, 60_000);
    await Promise.all([converse(large.customer, 'and now?'), converse(neighbour.customer, 'and now?')]);
    for (const { customer, id } of [large, neighbour]) {
      expect(new Set(leftInOrder(id))).toEqual(new Set([true]));
      expect(times(customer, 'Heard: hello')).toBe(1);
    }
    const [told] = logged('a process of chats is too large').filter(({ child }) => child === pid);
    // Those that hold most are named: what they hold is the first thing to look at.
    expect(JSON.stringify(told?.largest)).toContain(large.id);
  },
);

test('a model that calls tools without end has to answer, one by one or all at once', LONG, async () => {
  const { customer, id } = await join();
  await customer.send('one after the other');
  await customer.waitForText(/Enough after 8\./, PATIENT);
  await expect.poll(() => stepsOf(id, 'turn_limited'), { timeout: 20_000 }).toEqual([{ why: 'steps' }]);
  const sofar = recorder.calls.length;
  await customer.send('all at once');
  await customer.waitForText(/Enough of \d+\./, PATIENT);
  expect(recorder.calls.length - sofar).toBe(40);
  await expect
    .poll(() => stepsOf(id, 'turn_limited'), { timeout: 20_000 })
    .toEqual([{ why: 'steps' }, { why: 'calls' }]);
  expect(model.turns.at(-1)?.system).toContain('as many tools as you may');
  await converse(customer, 'thank you');
});

test('an answer without end is stopped, and the customer is heard again', LONG, async () => {
  const { customer, id } = await join();
  await customer.send('something that never ends');
  await expect.poll(() => stepsOf(id, 'turn_limited'), { timeout: 60_000 }).toEqual([{ why: 'words' }]);
  await converse(customer, 'enough');
  const [row] = await stack.database.sql`
    select max(length(content))::int as longest from interaction_messages where interaction_id = ${id}`;
  expect(row?.longest).toBeLessThan(40_000);
});

test('a tool that never returns ends at its time, and the customer is told honestly', LONG, async () => {
  const release = recorder.hold('/stall');
  const [{ customer, id }, neighbour] = await Promise.all([join(), join()]);
  await customer.send('wait for it');
  await Promise.all([customer.waitForText(/It says: /, PATIENT), converse(neighbour.customer, 'hello')]);
  const [row] = await stack.database.sql`select state from tool_calls where interaction_id = ${id}`;
  expect(['failed', 'unknown']).toContain(row?.state);
  release();
  await converse(customer, 'thank you');
});
