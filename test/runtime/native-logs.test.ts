import { randomUUID } from 'node:crypto';
import type { FfiEvent } from '@livekit/rtc-ffi-bindings';
import { dispose, RoomEvent } from '@livekit/rtc-node';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { dropNativeLogs } from '../../src/runtime/native-logs.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { joinRoom } from '../support/own-room.ts';

const livekit = setupLiveKit();
afterAll(() => dispose());

const clientSchema = z.custom<{ on(name: 'ffi_event', listener: (event: FfiEvent) => void): void }>(
  (value) => typeof value === 'object' && value !== null && 'on' in value,
);

/** Joins a room with another one, and leaves. @returns what the process was told meanwhile, by kind. */
async function visit(): Promise<Map<string, number>> {
  const name = `room-${randomUUID()}`;
  const told = new Map<string, number>();
  const client = clientSchema.parse(Reflect.get(globalThis, '_ffiClientInstance'));
  client.on('ffi_event', ({ message }) =>
    told.set(`${message.case}`, (told.get(`${message.case}`) ?? 0) + 1),
  );
  const one = await joinRoom(livekit, name, 'one');
  const came = new Promise((resolve) => one.once(RoomEvent.ParticipantConnected, resolve));
  const other = await joinRoom(livekit, name, 'other');
  await came;
  await Promise.all([one.disconnect(), other.disconnect()]);
  return told;
}

test('a process of conversations is told what happens in its rooms, and not each line of the native client’s log', async () => {
  dropNativeLogs('off');
  const told = await visit();
  expect(told.get('connect')).toBe(2);
  expect(told.get('roomEvent')).toBeGreaterThan(0);
  // What it had to say before it was told not to; otherwise two thousand.
  expect(told.get('logs') ?? 0).toBeLessThan(10);
});
