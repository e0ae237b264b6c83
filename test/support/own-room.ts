import { dispose } from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { afterAll } from 'vitest';
import { OwnEventsRoom } from '../../src/runtime/own-events-room.ts';
import type { TestLiveKit } from './livekit.ts';

/** A person in a room, who may speak, listen and write, in this process and as sessions are in theirs. */
export async function joinRoom(livekit: TestLiveKit, name: string, identity: string): Promise<OwnEventsRoom> {
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity });
  token.addGrant({ roomJoin: true, room: name, canPublish: true, canSubscribe: true, canPublishData: true });
  const room = new OwnEventsRoom();
  await room.connect(livekit.url.replace(/^http/, 'ws'), await token.toJwt());
  return room;
}

/** The same for a file of tests, at whose end everybody leaves. */
export function setupRooms(livekit: TestLiveKit): (name: string, identity: string) => Promise<OwnEventsRoom> {
  const rooms: OwnEventsRoom[] = [];
  afterAll(async () => {
    await Promise.all(rooms.map((room) => room.disconnect()));
    await dispose();
  });
  return async (name, identity) => {
    const room = await joinRoom(livekit, name, identity);
    rooms.push(room);
    return room;
  };
}
