import { DataPacket_Kind, RoomServiceClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import { completeInteraction } from '../database/interactions.ts';
import { type WaitingInteraction, waitingInteractions } from '../database/leases.ts';
import type { PromptLibrary } from '../definitions/prompts.ts';
import { customerIdentity, TOPIC_QUEUE } from '../domain/identities.ts';
import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';
import { readSettings } from '../session/settings.ts';
import { Announcer } from './announcer.ts';
import { Cues } from './cues.ts';

export interface QueueNoticesDeps {
  readonly db: Database;
  readonly config: Pick<Config, 'figures' | 'livekit' | 'speech'>;
  readonly prompts: PromptLibrary;
  readonly clock: Clock;
  readonly log: Log;
}

/** A worker that is there takes an interaction within this time; until then nobody is told that they wait. */
const NOTICE_AFTER_SECONDS = 2;
/** A client that missed a notice has the next one. */
const REPEAT_MS = 15_000;
/** Somebody who was here and is gone for so long has hung up, or closed the page. */
const GONE_MS = 20_000;
/** Participants of ours in rooms of callers who wait; who comes after them hears the ringing of their own line. */
const MOST_ANNOUNCERS = 50;

interface Told {
  position: number;
  at: number;
}

/**
 * Tells those who wait for an agent their place: pages by a data message, callers by voice. Who hangs up leaves the
 * queue. Only the process that is elected for housekeeping does it.
 */
export class QueueNotices {
  readonly #deps: QueueNoticesDeps;
  readonly #rooms: RoomServiceClient;
  readonly #cues: Cues;
  readonly #seenAt = new Map<string, number>();
  readonly #told = new Map<string, Told>();
  readonly #announcers = new Map<string, Announcer>();

  constructor(deps: QueueNoticesDeps) {
    this.#deps = deps;
    const { url, apiKey, apiSecret } = deps.config.livekit;
    this.#rooms = new RoomServiceClient(url, apiKey, apiSecret);
    this.#cues = new Cues(deps.config.speech, deps.log);
  }

  /** One look at the queue. @returns the interactions whose customers wait in their rooms. */
  async look(): Promise<string[]> {
    const waiting = await waitingInteractions(this.#deps.db);
    this.#forget(new Set(waiting.map(({ interaction_id }) => interaction_id)));
    const present: string[] = [];
    for (const interaction of waiting) {
      if (await this.#isPresent(interaction)) {
        present.push(interaction.interaction_id);
        await this.#tell(interaction);
      } else {
        await this.#letGo(interaction);
      }
    }
    return present;
  }

  /** Another process does it from now on, or this one stops. */
  async close(): Promise<void> {
    const announcers = [...this.#announcers.values()];
    this.#forget(new Set());
    await Promise.all(announcers.map((announcer) => announcer.stop()));
  }

  #forget(waiting: ReadonlySet<string>): void {
    for (const [id, announcer] of this.#announcers) {
      if (waiting.has(id)) continue;
      void announcer.stop();
      this.#announcers.delete(id);
    }
    for (const known of [this.#seenAt, this.#told]) {
      for (const id of known.keys()) if (!waiting.has(id)) known.delete(id);
    }
  }

  async #isPresent({ interaction_id, room }: WaitingInteraction): Promise<boolean> {
    try {
      const participants = await this.#rooms.listParticipants(room);
      const here = participants.some(({ identity }) => identity === customerIdentity(interaction_id));
      if (here) this.#seenAt.set(interaction_id, this.#deps.clock.now());
      return here;
    } catch {
      // A room that does not exist (any more) has nobody in it.
      return false;
    }
  }

  async #tell(interaction: WaitingInteraction): Promise<void> {
    const { interaction_id: id, position, waited_seconds, agent_type } = interaction;
    if (waited_seconds < NOTICE_AFTER_SECONDS) return;
    if (agent_type === 'voice') this.#announce(interaction);
    const { clock, log } = this.#deps;
    const told = this.#told.get(id);
    if (told?.position === position && clock.now() - told.at < REPEAT_MS) return;
    this.#told.set(id, { position, at: clock.now() });
    const notice = new TextEncoder().encode(JSON.stringify({ position }));
    try {
      await this.#rooms.sendData(interaction.room, notice, DataPacket_Kind.RELIABLE, {
        destinationIdentities: [customerIdentity(id)],
        topic: TOPIC_QUEUE,
      });
    } catch (err) {
      log.debug({ err, interaction: id }, 'somebody who waits could not be told their place');
    }
  }

  #announce({ interaction_id: id, room, position, ...about }: WaitingInteraction): void {
    const known = this.#announcers.get(id);
    known?.moveTo(position);
    if (known || this.#announcers.size >= MOST_ANNOUNCERS) return;
    const { config, prompts, clock, log } = this.#deps;
    const book = prompts.forLanguage(about.language).book;
    const { voice } = readSettings({ model_settings: {}, voice_settings: about.voice_settings }, () => {});
    const announcer = new Announcer(
      {
        livekit: config.livekit,
        interactionId: id,
        room,
        voice: { model: voice.tts_model, voice: voice.voice, speed: voice.speed },
        cues: this.#cues,
        words: (place) => {
          const name = place <= 1 ? 'queue_next' : 'queue_place';
          const values = { business_name: about.business_name, position: String(place) };
          return name === 'queue_next'
            ? book.render(name, { business_name: values.business_name })
            : book.render(name, values);
        },
        repeatMs: config.figures.reassuranceMs,
        clock,
        log,
      },
      position,
    );
    this.#announcers.set(id, announcer);
    announcer.start();
  }

  /** Not in the room: a page that reloads, somebody who has not joined yet, or one who has given up. */
  async #letGo({ interaction_id: id, room }: WaitingInteraction): Promise<void> {
    const { db, clock, log } = this.#deps;
    const seenAt = this.#seenAt.get(id);
    if (seenAt === undefined || clock.now() - seenAt < GONE_MS) return;
    try {
      // Generation 0 is the one before any claim: an agent that came in at this moment wins.
      await completeInteraction(db, {
        interactionId: id,
        generation: 0,
        status: 'failed',
        endReason: 'left_queue',
      });
      log.info({ interaction: id }, 'somebody who waited has gone; the place in the queue is free');
      await this.#rooms.deleteRoom(room);
    } catch (err) {
      if (!isFloorwalkerError(err, 'stale_generation')) {
        log.debug({ err, interaction: id }, 'somebody who waited has gone');
      }
    }
  }
}
