import { ParticipantInfo_State } from '@livekit/protocol';
import { type RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import { ATTRIBUTE_EXPECTED } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';

export interface ArrivalDeps {
  readonly roomName: string;
  readonly customerIdentity: string;
  /** Whether LiveKit has told of them. */
  isHere(): boolean;
  readonly rooms: Pick<RoomServiceClient, 'getParticipant' | 'updateParticipant'>;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_LOOKS_MS = 100;
/** Each look comes when half as much time again has passed as until the one before it. */
const GROWTH = 1.5;
/** A customer who comes later than that is told of by LiveKit, within its three seconds. */
const LOOKED_FOR_MS = 20_000;

/**
 * Notices at once that a customer is here who publishes no sound.
 *
 * LiveKit tells the others of such participants in rounds of three seconds (`subscriberUpdateInterval` of its server), and
 * of a change of something about them immediately. So the room is asked for the one who is expected, and when they are
 * connected an attribute of theirs is set. Whoever is only joining is left alone: what is said to them would be lost.
 */
export class Arrival {
  readonly #deps: ArrivalDeps;
  #since = 0;
  #cancel: (() => void) | undefined;
  #looking = false;
  /** Something of theirs came while a look was under way. */
  #again = false;
  #expected = false;

  constructor(deps: ArrivalDeps) {
    this.#deps = deps;
  }

  /** They are not here, and may come at any moment. Begins anew when called again. */
  expect(): void {
    this.#expected = true;
    this.#since = this.#deps.clock.now();
    this.#look();
  }

  /** They are here, or nobody waits for them any more. */
  stop(): void {
    this.#expected = false;
    this.#cancel?.();
  }

  /** Something of theirs has come: they are here, whatever LiveKit has told. */
  sign(): void {
    if (this.#expected) this.#look();
  }

  #look(): void {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#cancel?.();
    this.#looking = true;
    void this.#hurry().finally(() => {
      this.#looking = false;
      if (!this.#expected) return;
      if (this.#again) {
        this.#again = false;
        this.#look();
      } else this.#lookLater();
    });
  }

  #lookLater(): void {
    const { clock } = this.#deps;
    const waitedMs = clock.now() - this.#since;
    if (waitedMs > LOOKED_FOR_MS) return;
    this.#cancel = clock.after(Math.max(FIRST_LOOKS_MS, waitedMs * (GROWTH - 1)), () => this.#look());
  }

  async #hurry(): Promise<void> {
    const { roomName, customerIdentity, isHere, log, rooms } = this.#deps;
    if (isHere()) return;
    try {
      const { state } = await rooms.getParticipant(roomName, customerIdentity);
      if (state !== ParticipantInfo_State.ACTIVE || !this.#expected || isHere()) return;
      await rooms.updateParticipant(roomName, customerIdentity, {
        attributes: { [ATTRIBUTE_EXPECTED]: '1' },
      });
    } catch (err) {
      // Then they are told of three seconds later at most.
      if (!(err instanceof TwirpError && err.code === 'not_found'))
        log.debug({ err }, 'the room could not be asked');
    }
  }
}
