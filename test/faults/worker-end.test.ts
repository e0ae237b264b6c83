import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { waitUntil } from '../support/stack.ts';
import { setupLine } from './support/line.ts';
import { WorkerProcess } from './support/worker-process.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

/** Longer than a busy machine takes to end a process that has only just been started. */
const END_MS = 60_000;
const ENDS = 160_000;
/** Where one is waited for that does not end. */
const SOON = { FLOORWALKER_END_MS: '5000' };
const LONG = { timeout: 280_000 };
const ISOLATED = { WORKER_CHAT_EXECUTION: 'isolated' };
const SHARED = { WORKER_CHAT_EXECUTION: 'shared' };

let world: World;
beforeAll(async () => {
  world = await setupWorld({
    workers: 0,
    // Nobody waits here for a lease to run out: what a killed process held is given back.
    figures: { leaseMs: 600_000, heartbeatMs: 1_000, endMs: END_MS },
  });
}, 120_000);
afterAll(() => world?.stop(), 60_000);
beforeEach(async () => {
  for (const worker of world.workers) if (worker.alive) await worker.killAll();
});
afterEach((context) => {
  if (context.task.result?.state === 'fail') console.error(world.tail());
});

const incomplete = ({ lines }: WorkerProcess) =>
  lines
    .filter(({ msg }) => msg === 'a step of the end did not come to its end; the end goes on')
    .map(({ step, instead, err }) => ({ step, instead, err }));

async function ask(visit: Visit, words: string): Promise<void> {
  await visit.say(words);
  await visit.customer.waitForText(words, { deadlineMs: 90_000 });
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.each([
  ['of one conversation', { ...ISOLATED, ...SOON }, 'job processes'],
  ['of many conversations', { ...SHARED, ...SOON }, 'a process of chats'],
])(
  'a process %s does not end when its worker is stopped: it is killed in time, and another worker goes on at once',
  LONG,
  async (_what, env, step) => {
    await world.startWorker(env);
    const visit = await world.visit();
    await ask(visit, 'before');
    const { worker, job } = await world.carrier(visit);
    await world.startWorker(env);
    worker.signal(job, 'SIGSTOP');
    expect(await worker.drain(ENDS)).toBe(1);
    expect(incomplete(worker)).toContainEqual({
      step,
      instead: expect.stringContaining('killed'),
      err: expect.objectContaining({ code: 'stop_incomplete' }),
    });
    await waitUntil(() => !isThere(job));
    await ask(visit, 'after');
    expect((await world.carrier(visit)).worker).not.toBe(worker);
    await world.close(visit);
  },
);

test(
  'somebody holds a connection to the port of a worker and asks nothing: it ends as always',
  LONG,
  async () => {
    const worker = await world.startWorker(ISOLATED);
    const socket = connect(worker.port, '127.0.0.1');
    socket.on('error', () => {});
    try {
      await once(socket, 'connect');
      expect(await worker.drain(ENDS)).toBe(0);
      expect(incomplete(worker)).toEqual([]);
    } finally {
      socket.destroy();
    }
  },
);

test(
  'LiveKit does not answer any more when a worker signs off: it ends without the answer',
  LONG,
  async () => {
    const line = await setupLine(Number(new URL(world.stack.livekit.url).port));
    try {
      const url = `ws://127.0.0.1:${line.port}`;
      const worker = await world.startWorker({ ...ISOLATED, LIVEKIT_URL: url });
      line.hold();
      expect(await worker.drain(ENDS)).toBe(1);
      expect(incomplete(worker)).toMatchObject([{ step: 'framework' }]);
    } finally {
      await line.stop();
    }
  },
);

test(
  'a worker that is stopped while its first process starts ends, and none of its processes stays',
  LONG,
  async () => {
    const worker = await WorkerProcess.begin({ ...world.stack.env, ...ISOLATED });
    try {
      const started = await waitUntil(async () => {
        const pids = await worker.children();
        return pids.length > 0 ? pids : undefined;
      }, 60_000);
      expect(await worker.drain(ENDS)).toBe(0);
      expect(incomplete(worker)).toEqual([]);
      await waitUntil(() => !started.some(isThere));
    } finally {
      if (worker.alive) await worker.killAll();
    }
  },
);
