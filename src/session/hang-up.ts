import type { Room } from '@livekit/rtc-node';
import { type Clock, delay, within } from './clock.ts';
import type { Media } from './media.ts';
import type { SessionServices } from './services.ts';

/** What was said last is still on its way to the customer when the interaction ends. */
const LAST_PACKETS_MS = 400;
const CLOSE_MS = 15_000;

/**
 * Leaves the room; with `hangUp` it is closed for everybody.
 *
 * The framework takes seconds to close a call; nobody is kept on a dead line for that.
 */
export async function leaveRoom(
  room: Room,
  media: Media | undefined,
  options: { hangUp?: string | undefined; rooms: SessionServices['rooms']; clock: Clock },
): Promise<void> {
  const { hangUp, rooms, clock } = options;
  const closeForAll = async (): Promise<void> => {
    if (hangUp === undefined) return;
    await delay(clock, LAST_PACKETS_MS);
    await rooms.deleteRoom(hangUp);
  };
  const close = async (): Promise<void> => {
    const closed = closeForAll();
    await media?.session.close();
    await media?.roomIo.close();
    await closed;
    await room.disconnect();
  };
  await within(clock, CLOSE_MS, close());
}
