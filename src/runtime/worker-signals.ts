import { z } from 'zod';
import type { Clock } from '../session/clock.ts';

/** The channel between a job process and its worker, as far as it is looked at here. */
export interface WorkerChannel {
  on(event: 'message', listener: (message: unknown) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

const messageSchema = z.looseObject({ case: z.string() });
/** The framework's worker pings every 2.5 s, and a job that was not pinged for 15 s is ended without a word. */
const PING_LIMIT_MS = 8_000;

/**
 * Calls `onLeave` once, when this process will soon be ended by its worker or for want of one: the worker drains,
 * is dead, or does not answer any more. What the framework calls a shutdown callback comes too late: the room is
 * left by then.
 */
export function watchWorker(channel: WorkerChannel, clock: Clock, onLeave: (why: string) => void): void {
  let left = false;
  let cancel = (): void => {};
  const leave = (why: string): void => {
    cancel();
    if (left) return;
    left = true;
    onLeave(why);
  };
  const expectPing = (): void => {
    cancel();
    if (!left) cancel = clock.after(PING_LIMIT_MS, () => leave('the worker does not answer'));
  };
  channel.on('message', (message) => {
    const parsed = messageSchema.safeParse(message);
    if (parsed.data?.case === 'shutdownRequest') leave('the worker stops');
    else if (parsed.data?.case === 'pingRequest') expectPing();
  });
  channel.once('disconnect', () => leave('the worker died'));
}
