import type { Log } from '../log.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Rooms } from './rooms.ts';

/**
 * Rings without making the caller wait: the row is changed already, and a worker that hears nothing finds it
 * with its next poll.
 */
export class Doorbell {
  readonly #rooms: Rooms;
  readonly #metrics: ApiMetrics;
  readonly #underWay = new Set<Promise<void>>();

  constructor(rooms: Rooms, metrics: ApiMetrics) {
    this.#rooms = rooms;
    this.#metrics = metrics;
  }

  /** @param generation of the session to ring for, where it is known: one request to LiveKit less. */
  ring(room: string, interactionId: string, log: Log, generation?: number): void {
    this.#send(room, interactionId, log, { generation });
  }

  /** A person has taken over: the agent is silent before it looks. */
  hush(room: string, interactionId: string, log: Log, generation: number): void {
    this.#send(room, interactionId, log, { generation, hush: true });
  }

  #send(room: string, interactionId: string, log: Log, how: Parameters<Rooms['ringDoorbell']>[2]): void {
    const ringing = this.#rooms
      .ringDoorbell(room, interactionId, how)
      .then(() => this.#metrics.doorbells.inc({ result: 'rung' }))
      .catch((err: unknown) => {
        this.#metrics.doorbells.inc({ result: 'failed' });
        log.warn({ err, interactionId }, 'doorbell not rung');
      })
      .finally(() => this.#underWay.delete(ringing));
    this.#underWay.add(ringing);
  }

  /** For a graceful stop: a decision made in the last moment is still announced. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }
}
