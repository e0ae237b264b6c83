import { type RemoteParticipant, type Room, RoomEvent } from '@livekit/rtc-node';
import type { RoomServiceClient } from 'livekit-server-sdk';
import { parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { type Clock, within } from './clock.ts';
import type { RecordKey } from './outbox.ts';

export interface PredecessorsDeps {
  readonly key: RecordKey;
  readonly roomName: string;
  readonly room: Room;
  readonly rooms: Pick<RoomServiceClient, 'removeParticipant'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A room service that does not answer must not keep a customer waiting: the lease keeps the other one silent too. */
const REMOVAL_MS = 2_000;

/**
 * Keeps older generations of the agent out of the room: orphans of a dead worker, ghosts that LiveKit has not
 * noticed yet, and stopped processes that wake up and come back with the token that they still have.
 */
export class Predecessors {
  readonly #deps: PredecessorsDeps;

  constructor(deps: PredecessorsDeps) {
    this.#deps = deps;
  }

  /** Resolves when those that are in the room now have been told to go. */
  async expel(): Promise<void> {
    const { room, clock } = this.#deps;
    room.on(RoomEvent.ParticipantConnected, this.#connected);
    const present = [...room.remoteParticipants.values()];
    await within(clock, REMOVAL_MS, Promise.all(present.map((participant) => this.#remove(participant))));
  }

  close(): void {
    this.#deps.room.off(RoomEvent.ParticipantConnected, this.#connected);
  }

  readonly #connected = (participant: RemoteParticipant): void => void this.#remove(participant);

  async #remove({ identity }: RemoteParticipant): Promise<void> {
    const { key, roomName, rooms, log } = this.#deps;
    const agent = parseAgentIdentity(identity);
    if (agent?.interactionId !== key.interactionId || agent.generation >= key.generation) return;
    try {
      await rooms.removeParticipant(roomName, identity);
      log.info({ predecessor: agent.generation }, 'predecessor removed from the room');
    } catch (err) {
      // Gone by itself, most often.
      log.debug({ err, predecessor: agent.generation }, 'predecessor could not be removed');
    }
  }
}
