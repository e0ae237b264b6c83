import { DisconnectReason, Room, RoomEvent } from 'livekit-client';
import { ATTRIBUTE_MESSAGE_ID, parseAgentIdentity, TOPIC_ACK, TOPIC_CHAT } from '../../domain/identities.ts';
import { Problem } from '../client/problem.ts';

export interface Place {
  readonly url: string;
  readonly token: string;
}

export type Leaving = 'removed' | 'elsewhere' | 'broken' | 'ended';

/** A worker that is being replaced takes as long; what it did not acknowledge is sent again, under the same id. */
const ACK_WITHIN_MS = 8_000;
const SEND_AT_MOST = 3;

export interface JoinedRoom {
  readonly room: Room;
  /** Resolves when the message is stored. @throws Problem when nobody has acknowledged it */
  send(text: string): Promise<void>;
  leave(): Promise<void>;
}

function leavingOf(reason: DisconnectReason | undefined): Leaving {
  switch (reason) {
    case DisconnectReason.DUPLICATE_IDENTITY:
      return 'elsewhere';
    case DisconnectReason.PARTICIPANT_REMOVED:
      return 'removed';
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return 'ended';
    default:
      return 'broken';
  }
}

/** Enters an interaction's room: to speak or write in it, or hidden, to listen. */
export async function joinRoom(
  place: Place,
  told: {
    readonly onReconnecting: () => void;
    readonly onReconnected: () => void;
    readonly onLeft: (how: Leaving) => void;
  },
): Promise<JoinedRoom> {
  const room = new Room({
    audioCaptureDefaults: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  });
  let leaving = false;
  const unacknowledged = new Map<string, () => void>();
  room.registerTextStreamHandler(TOPIC_ACK, async (reader, { identity }) => {
    // Only the agent's word counts: a customer may write on any topic.
    if (parseAgentIdentity(identity)) unacknowledged.get(await reader.readAll())?.();
  });
  room.on(RoomEvent.Reconnecting, told.onReconnecting);
  room.on(RoomEvent.Reconnected, told.onReconnected);
  room.on(RoomEvent.Disconnected, (reason) => {
    if (!leaving) told.onLeft(leavingOf(reason));
  });
  try {
    await room.connect(place.url, place.token);
  } catch (error) {
    leaving = true;
    await room.disconnect();
    throw error;
  }
  return {
    room,
    async send(text) {
      const id = crypto.randomUUID();
      const acknowledged = Promise.withResolvers<true>();
      unacknowledged.set(id, () => acknowledged.resolve(true));
      try {
        for (let attempt = 0; attempt < SEND_AT_MOST; attempt += 1) {
          await room.localParticipant.sendText(text, {
            topic: TOPIC_CHAT,
            attributes: { [ATTRIBUTE_MESSAGE_ID]: id },
          });
          if (await Promise.race([acknowledged.promise, after(ACK_WITHIN_MS)])) return;
        }
      } finally {
        unacknowledged.delete(id);
      }
      throw new Problem(0, 'not_acknowledged', 'The message may not have arrived.', 'Send it again.');
    },
    async leave() {
      leaving = true;
      await room.disconnect();
    },
  };
}

function after(delayMs: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), delayMs));
}
