import { type Room, RoomEvent } from '@livekit/rtc-node';
import type { Clock } from './clock.ts';

export interface RoomLinkDeps {
  readonly room: Room;
  /** How long the connection to the room may be away before somebody else should take over. */
  readonly limitMs: number;
  /** False while the database is away too: then it is this machine that is cut off, and others are not. */
  databaseAnswers(): boolean;
  onLost(): void;
  readonly clock: Clock;
}

/**
 * The framework tries for a long time to get back into a room that it lost. The customer waits meanwhile, and a
 * worker elsewhere may reach the room at once. With the database away as well, the lease can't be trusted either:
 * whoever is not cut off may have claimed the interaction, and must not be spoken beside.
 */
export class RoomLink {
  readonly #deps: RoomLinkDeps;
  #cancel: (() => void) | undefined;

  constructor(deps: RoomLinkDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { room } = this.#deps;
    room.on(RoomEvent.Reconnecting, this.#reconnecting);
    room.on(RoomEvent.Reconnected, this.#reconnected);
  }

  close(): void {
    const { room } = this.#deps;
    room.off(RoomEvent.Reconnecting, this.#reconnecting);
    room.off(RoomEvent.Reconnected, this.#reconnected);
    this.#reconnected();
  }

  /** The database gives no answer. */
  databaseAway(): void {
    if (this.#cancel) this.#deps.onLost();
  }

  readonly #reconnecting = (): void => {
    const { clock, databaseAnswers, limitMs, onLost } = this.#deps;
    this.#cancel ??= clock.after(databaseAnswers() ? limitMs : 0, onLost);
  };

  readonly #reconnected = (): void => {
    this.#cancel?.();
    this.#cancel = undefined;
  };
}
