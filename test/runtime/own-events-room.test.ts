import { randomUUID } from 'node:crypto';
import { RoomEvent } from '@livekit/rtc-node';
import { expect, test } from 'vitest';
import { concernsRoom } from '../../src/runtime/own-events-room.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { setupRooms } from '../support/own-room.ts';

const livekit = setupLiveKit();
const join = setupRooms(livekit);

test('rooms of one process that are joined at once each hear their own people, from the first moment on', async () => {
  const names = Array.from({ length: 4 }, () => `room-${randomUUID()}`);
  const heard = await Promise.all(
    names.map(async (name) => {
      const listener = await join(name, 'listener');
      const text = Promise.withResolvers<string>();
      listener.registerTextStreamHandler('test', (reader) =>
        reader.readAll().then(text.resolve, text.reject),
      );
      const came = new Promise<string>((resolve) =>
        listener.once(RoomEvent.ParticipantConnected, ({ identity }) => resolve(identity)),
      );
      const speaker = await join(name, `speaker-of-${name}`);
      await speaker.localParticipant?.sendText(`to ${name}`, { topic: 'test' });
      return { came: await came, text: await text.promise };
    }),
  );
  expect(heard).toEqual(names.map((name) => ({ came: `speaker-of-${name}`, text: `to ${name}` })));
});

test('a connected room does not even look at the events of others', () => {
  const event = (roomHandle: bigint) => ({ message: { case: 'roomEvent', value: { roomHandle } } });
  const own = () => 1n;
  expect(concernsRoom(event(1n), own)).toBe(true);
  expect(concernsRoom(event(2n), own)).toBe(false);
  expect(concernsRoom({ message: { case: 'publishData' } }, own)).toBe(false);
  expect(concernsRoom({ message: { case: 'rpcMethodInvocation' } }, own)).toBe(true);
  // Until it knows its own, any may be.
  expect(concernsRoom(event(2n), () => undefined)).toBe(true);
});

test('the client that is installed delivers its events where this looks at them', async () => {
  const room = await join(`room-${randomUUID()}`, 'somebody');
  expect(Object.hasOwn(room, 'onFfiEvent')).toBe(true);
  expect(Reflect.get(room, 'ffiHandle')).toMatchObject({ handle: expect.any(BigInt) });
});
