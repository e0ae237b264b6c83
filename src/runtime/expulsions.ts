import { RoomServiceClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import { peopleOutOfSight } from '../database/control.ts';
import { isPerson } from '../domain/identities.ts';
import type { Log } from '../log.ts';

export interface ExpulsionsDeps {
  readonly db: Database;
  readonly config: Pick<Config, 'livekit'>;
  readonly log: Log;
}

/**
 * Takes people out of rooms whose conversations they may not see any more: their account was removed, or the agent was
 * given to somebody else. A token can't be called back, so whoever returns with one goes again in the next round.
 */
export class Expulsions {
  readonly #deps: ExpulsionsDeps;
  readonly #rooms: RoomServiceClient;

  constructor(deps: ExpulsionsDeps) {
    this.#deps = deps;
    const { url, apiKey, apiSecret } = deps.config.livekit;
    this.#rooms = new RoomServiceClient(url, apiKey, apiSecret);
  }

  /** @throws FloorwalkerError `database_unavailable` */
  async look(): Promise<void> {
    for (const { room, user_id } of await peopleOutOfSight(this.#deps.db)) await this.#clear(room, user_id);
  }

  async #clear(room: string, userId: string): Promise<void> {
    const { log } = this.#deps;
    try {
      for (const { identity } of await this.#rooms.listParticipants(room)) {
        if (!isPerson(identity, userId)) continue;
        await this.#rooms.removeParticipant(room, identity);
        log.info(
          { person: userId },
          'somebody who may not see a conversation any more was taken out of its room',
        );
      }
    } catch (err) {
      // A room that is gone has nobody in it; anything else is tried again in the next round.
      log.debug({ err }, 'a room could not be cleared');
    }
  }
}
