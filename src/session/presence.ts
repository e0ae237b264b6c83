import { type RemoteParticipant, type Room, RoomEvent } from '@livekit/rtc-node';
import type { Arrival } from './arrival.ts';
import type { Clock } from './clock.ts';

export interface PresenceDeps {
  readonly room: Room;
  readonly customerIdentity: string;
  /** How long a customer who has never come is waited for. */
  readonly joinMs: number;
  /** How long one who was there may be away: a page that reloads, a train in a tunnel. */
  readonly rejoinMs: number;
  onJoined(first: boolean): void;
  onLeft(): void;
  /** They did not come (back) in time. */
  onGone(everCame: boolean): void;
  /** Told when somebody is waited for; undefined where LiveKit tells of them at once, because they publish sound. */
  readonly arrival: Arrival | undefined;
  readonly clock: Clock;
}

/** Whether the customer is in the room, and when to stop waiting for them. */
export class Presence {
  readonly #deps: PresenceDeps;
  #present = false;
  #everCame = false;
  #cancel: (() => void) | undefined;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
  }

  get present(): boolean {
    return this.#present;
  }

  start(): void {
    const { room } = this.#deps;
    room.on(RoomEvent.ParticipantConnected, this.#connected);
    room.on(RoomEvent.ParticipantDisconnected, this.#disconnected);
    const already = [...room.remoteParticipants.values()].find((participant) =>
      this.#isCustomer(participant),
    );
    if (already) this.#joined();
    else this.#waitAtMost(this.#deps.joinMs);
  }

  close(): void {
    const { room } = this.#deps;
    room.off(RoomEvent.ParticipantConnected, this.#connected);
    room.off(RoomEvent.ParticipantDisconnected, this.#disconnected);
    this.#cancel?.();
    this.#deps.arrival?.stop();
  }

  readonly #connected = (participant: RemoteParticipant): void => {
    if (this.#isCustomer(participant)) this.#joined();
  };

  readonly #disconnected = (participant: RemoteParticipant): void => {
    if (!this.#isCustomer(participant)) return;
    this.#present = false;
    this.#deps.onLeft();
    this.#waitAtMost(this.#deps.rejoinMs);
  };

  #isCustomer(participant: RemoteParticipant): boolean {
    return participant.identity === this.#deps.customerIdentity;
  }

  #joined(): void {
    this.#cancel?.();
    this.#deps.arrival?.stop();
    const first = !this.#everCame;
    this.#present = true;
    this.#everCame = true;
    this.#deps.onJoined(first);
  }

  #waitAtMost(delayMs: number): void {
    this.#cancel?.();
    this.#deps.arrival?.expect();
    this.#cancel = this.#deps.clock.after(delayMs, () => {
      // A page that reloads can be back before LiveKit tells of its departure.
      if ([...this.#deps.room.remoteParticipants.values()].some((one) => this.#isCustomer(one)))
        this.#joined();
      else this.#deps.onGone(this.#everCame);
    });
  }
}
