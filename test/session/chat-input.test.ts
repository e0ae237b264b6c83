import type { Room, TextStreamReader } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { ChatInput, type IncomingMessage, MESSAGE_LIMIT_BYTES } from '../../src/session/chat-input.ts';
import type { StoreResult } from '../../src/session/outbox.ts';
import { TextInbox } from '../../src/session/text-inbox.ts';
import { ManualClock, settled } from '../support/clock.ts';

type Handler = (reader: TextStreamReader, from: { identity: string }) => void;

/** The two things that the input uses of a room, so that streams can be fed by hand, broken ones included. */
function setup(options: { stored?: StoreResult; open?: boolean } = {}) {
  const { stored = 'stored' } = options;
  const handlers = new Map<string, Handler>();
  const clock = new ManualClock();
  const messages: IncomingMessage[] = [];
  const rejected: string[] = [];
  const refused: string[] = [];
  const sent: { text: string; topic?: string; destinationIdentities?: string[] }[] = [];
  const room = {
    registerTextStreamHandler: (topic: string, handler: Handler) => handlers.set(topic, handler),
    unregisterTextStreamHandler: (topic: string) => handlers.delete(topic),
    localParticipant: {
      sendText: async (text: string, options: object) => void sent.push({ text, ...options }),
    },
  } as unknown as Room;
  const inbox = new TextInbox(room);
  const input = new ChatInput({
    room,
    inbox,
    roleOf: (identity) => (identity === 'customer-1' ? 'customer' : undefined),
    onMessage: async (message) => {
      messages.push(message);
      return stored;
    },
    onRejected: (_identity, why) => rejected.push(why),
    onRefused: () => refused.push('refused'),
    clock,
    log: createLog({ level: 'silent' }),
  });
  if (options.open ?? true) input.open();
  const feed = (parts: AsyncIterable<string>, options: { from?: string; messageId?: string } = {}) => {
    const attributes = options.messageId === undefined ? {} : { message_id: options.messageId };
    const reader = Object.assign(parts, { info: { streamId: 'stream-1', attributes } });
    handlers.get('lk.chat')?.(reader as unknown as TextStreamReader, {
      identity: options.from ?? 'customer-1',
    });
  };
  const write = async (text: string, options: { from?: string; messageId?: string } = {}) => {
    feed(partsOf(text), options);
    await settled();
  };
  return { input, handlers, clock, messages, rejected, refused, sent, feed, write };
}

async function* partsOf(text: string): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += 15_000) yield text.slice(at, at + 15_000);
}

it('takes what the customer writes and acknowledges it to them alone, by the id they gave it', async () => {
  const { messages, sent, write } = setup();
  await write('  hello\nthere ', { messageId: 'm-1' });
  expect(messages).toMatchObject([{ from: 'customer', text: 'hello\nthere', id: 'customer:m-1' }]);
  expect(sent).toEqual([{ text: 'm-1', topic: 'floorwalker.ack', destinationIdentities: ['customer-1'] }]);
});

it('without an id of the sender the stream’s own id counts', async () => {
  const { sent, write } = setup();
  await write('hello');
  expect(sent.map(({ text }) => text)).toEqual(['stream-1']);
});

it.for(['stale', 'lost'] as const)('does not acknowledge what was not stored: %s', async (result) => {
  const { messages, sent, write } = setup({ stored: result });
  await write('hello');
  expect(messages).toHaveLength(1);
  expect(sent).toEqual([]);
});

it('nobody but the customer is heard', async () => {
  const { messages, rejected, sent, write } = setup();
  await write('let me in', { from: 'customer-2' });
  await write('x'.repeat(MESSAGE_LIMIT_BYTES + 1), { from: 'agent-1' });
  expect([messages, rejected, sent]).toEqual([[], [], []]);
});

it('a message of 128 kB is taken whole; one byte more is refused, counted in bytes', async () => {
  const { messages, rejected, write } = setup();
  await write('x'.repeat(MESSAGE_LIMIT_BYTES));
  expect(messages[0]?.text).toHaveLength(MESSAGE_LIMIT_BYTES);
  await write(`${'é'.repeat(MESSAGE_LIMIT_BYTES / 2)}x`);
  expect(messages).toHaveLength(1);
  expect(rejected).toEqual(['too_long']);
});

it('what has no readable text in it is refused; control characters in text are dropped', async () => {
  const { messages, rejected, write } = setup();
  await write('\u0000\u0001\u0002');
  await write(' \n\t ');
  expect(rejected).toEqual(['unreadable', 'unreadable']);
  await write('a\u0000b\tc\u0007\ud800');
  expect(messages.map(({ text }) => text)).toEqual(['ab\tc\ufffd']);
});

it('card numbers are masked before anybody keeps the message', async () => {
  const { messages, write } = setup();
  await write('4111 1111 1111 1111');
  expect(messages[0]?.text).toBe('[card number ending in 1111]');
});

it.for(['x'.repeat(500), 'agent-1 item', 'ümlaut', '../up'])(
  'an id of the sender’s choice can be neither long nor odd, and is acknowledged as it was sent: %#',
  async (odd) => {
    const { messages, sent, write } = setup();
    await write('hello', { messageId: odd });
    expect(messages[0]?.id).toMatch(/^customer:[0-9a-f]{64}$/);
    expect(sent[0]?.text).toBe(odd);
  },
);

it('a stream that breaks is refused; one that never ends holds up the next for a moment at most', async () => {
  const { clock, messages, rejected, feed, write } = setup();
  feed(
    (async function* () {
      yield 'half a';
      throw new Error('the sender is gone');
    })(),
  );
  feed(
    (async function* () {
      yield 'never';
      await new Promise(() => {});
    })(),
  );
  await write('still here');
  await clock.advance(1_000);
  expect(rejected).toEqual(['unreadable']);
  expect(messages.map(({ text }) => text)).toEqual(['still here']);
});

it('hears nothing after it was closed', async () => {
  const { input, handlers } = setup();
  input.close();
  expect(handlers.size).toBe(0);
});

it('what is written while the session is still being made is taken when it is there', async () => {
  const { input, messages, sent, write } = setup({ open: false });
  await write('before anybody listened', { messageId: 'early' });
  expect(messages).toEqual([]);
  input.open();
  await settled();
  expect(messages).toMatchObject([{ text: 'before anybody listened', resends: true }]);
  expect(sent).toMatchObject([{ text: 'early' }]);
  await write('and after');
  expect(messages).toMatchObject([{}, { text: 'and after', resends: false }]);
});
