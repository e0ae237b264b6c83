import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Connection, EventStream } from '../../src/console/live/event-stream.ts';

/** A server whose streams a test opens, writes to and breaks; and timers that only a test moves. */
function setup(options: { random?: number } = {}) {
  const asked: (string | undefined)[] = [];
  const writers: ReadableStreamDefaultController<Uint8Array>[] = [];
  const answers: (() => Response)[] = [];
  const events: string[] = [];
  const states: Connection[] = [];
  const timers: { run: () => void; delayMs: number; live: boolean }[] = [];
  const stream = new EventStream({
    open: async (lastEventId) => {
      asked.push(lastEventId);
      const refuse = answers.shift();
      if (refuse) return refuse();
      const body = new ReadableStream<Uint8Array>({ start: (controller) => void writers.push(controller) });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    },
    onEvent: ({ event, data }) => events.push(`${event}:${data}`),
    onConnection: (state) => states.push(state),
    timers: {
      setTimeout: ((run: () => void, delayMs: number) => timers.push({ run, delayMs, live: true })) as never,
      clearTimeout: ((id: number | undefined) => {
        const timer = id === undefined ? undefined : timers[id - 1];
        if (timer) timer.live = false;
      }) as never,
    },
    random: () => options.random ?? 0,
  });
  const settle = async () => {
    for (let turn = 0; turn < 8; turn += 1) await nextTurn();
  };
  return {
    stream,
    asked,
    answers,
    events,
    states,
    writers,
    settle,
    write: async (text: string) => {
      writers.at(-1)?.enqueue(new TextEncoder().encode(text));
      await settle();
    },
    /** Lets the pending retry (not the watch for silence) come due, and says how long it would have waited. */
    retry: async () => {
      const timer = timers.findLast(({ live, delayMs }) => live && delayMs <= 15_000);
      if (!timer) throw new Error('no retry is due');
      timer.live = false;
      timer.run();
      await settle();
      return timer.delayMs;
    },
    silence: async () => {
      const timer = timers.findLast(({ live, delayMs }) => live && delayMs > 15_000);
      timer?.run();
      await settle();
    },
  };
}

test('events arrive in order, also when one is cut in two on the way', async () => {
  const { stream, write, events, states, settle } = setup();
  stream.start();
  await settle();
  await write('event: ready\ndata: {}\n\nid: 1\nevent: a\nda');
  await write('ta: x\n\n');
  expect(events).toEqual(['ready:{}', 'a:x']);
  expect(states).toEqual([{ state: 'connecting' }, { state: 'live' }]);
  stream.stop();
});

test('a broken stream is opened again with the last id, and says that it is lost meanwhile', async () => {
  const { stream, write, writers, asked, states, retry, settle } = setup();
  stream.start();
  await settle();
  await write('event: ready\ndata: {}\n\nid: 7\nevent: a\ndata: x\n\n');
  writers[0]?.error(new TypeError('network'));
  await settle();
  expect(states.at(-1)).toEqual({ state: 'lost', reason: 'broken' });
  await retry();
  expect(asked).toEqual([undefined, '7']);
  await write('event: ready\ndata: {}\n\n');
  expect(states.at(-1)).toEqual({ state: 'live' });
  stream.stop();
});

test('each failure waits longer, up to a limit, and success begins anew', async () => {
  const { stream, answers, retry, settle, write, writers } = setup({ random: 1 });
  for (let count = 0; count < 7; count += 1) answers.push(() => new Response('', { status: 503 }));
  stream.start();
  await settle();
  const waited = [];
  for (let count = 0; count < 7; count += 1) waited.push(await retry());
  expect(waited).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  await write('event: ready\ndata: {}\n\n');
  writers.at(-1)?.close();
  await settle();
  expect(await retry()).toBe(500);
  stream.stop();
});

test('listeners of a restarted server do not come back in one instant', async () => {
  for (const [random, delayMs] of [
    [0, 250],
    [1, 500],
  ] as const) {
    const { stream, answers, retry, settle } = setup({ random });
    answers.push(() => new Response('', { status: 502 }));
    stream.start();
    await settle();
    expect(await retry()).toBe(delayMs);
    stream.stop();
  }
});

test('a stream without heartbeats is dead, whatever TCP says', async () => {
  const { stream, write, states, silence, settle } = setup();
  stream.start();
  await settle();
  await write('event: ready\ndata: {}\n\n');
  await silence();
  expect(states.at(-1)).toEqual({ state: 'lost', reason: 'broken' });
  stream.stop();
});

test('without a network it says so at once, and comes back when the network does', async () => {
  const { stream, write, asked, states, settle } = setup();
  stream.start();
  await settle();
  await write('event: ready\ndata: {}\n\nid: 3\nevent: a\ndata: x\n\n');
  stream.goOffline();
  expect(states.at(-1)).toEqual({ state: 'lost', reason: 'offline' });
  stream.renew();
  await settle();
  expect(asked).toEqual([undefined, '3']);
  stream.stop();
});

test('another token is taken up without a word, and what the old stream still says is not heard twice', async () => {
  const { stream, write, writers, asked, events, states, settle } = setup();
  stream.start();
  await settle();
  await write('event: ready\ndata: {}\n\nid: 3\nevent: a\ndata: x\n\n');
  stream.renew();
  await settle();
  writers[0]?.enqueue(new TextEncoder().encode('id: 4\nevent: a\ndata: late\n\n'));
  await write('event: ready\ndata: {}\n\nid: 4\nevent: a\ndata: late\n\n');
  expect(asked).toEqual([undefined, '3']);
  expect(events.filter((event) => event === 'a:late')).toHaveLength(1);
  expect(states.some(({ state }) => state === 'lost')).toBe(false);
  stream.stop();
});

test('after it was stopped it never comes back', async () => {
  const { stream, writers, asked, retry, settle } = setup();
  stream.start();
  await settle();
  stream.stop();
  writers[0]?.error(new TypeError('network'));
  await settle();
  stream.renew();
  await settle();
  await expect(retry()).rejects.toThrow('no retry is due');
  expect(asked).toHaveLength(1);
});
