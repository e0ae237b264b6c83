import { AccessToken } from 'livekit-server-sdk';
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
