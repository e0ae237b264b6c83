import { AsyncLocalStorage } from 'node:async_hooks';
import type { Room, TextStreamReader } from '@livekit/rtc-node';
import { TOPIC_CHAT } from '../domain/identities.ts';

/** Nobody writes so much before the agent listens; what is not kept is not acknowledged, and so is sent again. */
const MOST_EARLY = 200;

type Take = (reader: TextStreamReader, identity: string) => void;

/**
 * What people write from the moment at which the agent is in the room. Clients send again what they wrote while
 * nobody was there as soon as they see an agent, which is before its session can listen; LiveKit drops what
 * nobody has asked for by then. So this is made before the room is connected.
 */
export class TextInbox {
  readonly #room: Room;
  readonly #early: Parameters<Take>[] = [];
  #take: Take | undefined;

  constructor(room: Room) {
    this.#room = room;
    // LiveKit tells all rooms of a process from one place; what is written here is work of this session.
    const take = AsyncLocalStorage.bind((...message: Parameters<Take>) => {
      if (this.#take) this.#take(...message);
      else if (this.#early.length < MOST_EARLY) this.#early.push(message);
      // One that nobody reads would be told of everything that happens in this process, for ever.
      else void message[0].close();
    });
    room.registerTextStreamHandler(TOPIC_CHAT, (reader, { identity }) => take(reader, identity));
  }

  /** Hands over what came until now, and from now on whatever comes. */
  deliverTo(take: Take): void {
    this.#take = take;
    for (const message of this.#early.splice(0)) take(...message);
  }

  close(): void {
    this.#take = (reader) => void reader.close();
    for (const [reader] of this.#early.splice(0)) void reader.close();
    this.#room.unregisterTextStreamHandler(TOPIC_CHAT);
  }
}
