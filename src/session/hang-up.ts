import type { Room } from '@livekit/rtc-node';
import { parseAgentIdentity } from '../domain/identities.ts';
import { type Clock, delay, within } from './clock.ts';
import type { Media } from './media.ts';
import type { RecordKey } from './outbox.ts';
import type { SessionServices } from './services.ts';

/** What was said last is still on its way to the customer when the interaction ends. */
const LAST_PACKETS_MS = 400;
const CLOSE_MS = 15_000;
/** A database that does not answer must not keep anybody on a line that is meant to close. */
const CONFIRM_MS = 2_000;

/**
 * Whether a session that has not written down its end yet may close the room for everybody: only while nobody else can
 * have claimed the interaction, and no successor is seen in the room. The lease is renewed first, so that with a database
 * that answers none can come in between; one that does not answer gives the interaction to nobody it can be asked by.
 */
export async function ownsRoom(
  key: RecordKey & { readonly room: string },
  services: {
    readonly leases: Pick<SessionServices['leases'], 'confirm' | 'holds'>;
    readonly rooms: Pick<SessionServices['rooms'], 'listParticipants'>;
    readonly clock: Clock;
  },
): Promise<boolean> {
  const { leases, rooms, clock } = services;
  const { interactionId, generation } = key;
  const held = await within(clock, CONFIRM_MS, leases.confirm(interactionId));
  if (!(held ?? leases.holds(interactionId))) return false;
  const present = await rooms.listParticipants(key.room);
  return !present.some(({ identity }) => {
    const agent = parseAgentIdentity(identity);
    return agent?.interactionId === interactionId && agent.generation > generation;
  });
}

/**
 * Leaves the room; with `hangUp` it is closed for everybody, if `mayHangUp` agrees in that moment.
 *
 * The framework takes seconds to close a call; nobody is kept on a dead line for that.
 */
export async function leaveRoom(
  room: Room,
  media: Media | undefined,
  options: {
    hangUp?: string | undefined;
    mayHangUp(): Promise<boolean>;
    rooms: Pick<SessionServices['rooms'], 'deleteRoom'>;
    clock: Clock;
  },
): Promise<void> {
  const { hangUp, mayHangUp, rooms, clock } = options;
  const closeForAll = async (): Promise<void> => {
    if (hangUp === undefined) return;
    await delay(clock, LAST_PACKETS_MS);
    if (await mayHangUp()) await rooms.deleteRoom(hangUp);
  };
  const close = async (): Promise<void> => {
    const closed = closeForAll();
    await media?.session.close();
    await media?.roomIo.close();
    await media?.close();
    await closed;
    await room.disconnect();
  };
  await within(clock, CLOSE_MS, close());
}
