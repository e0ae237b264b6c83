import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { DisconnectReason, Room, RoomEvent, type TextStreamReader } from '@livekit/rtc-node';
import { z } from 'zod';
import {
  ATTRIBUTE_MESSAGE_ID,
  parseAgentIdentity,
  TOPIC_ACK,
  TOPIC_CHAT,
  TOPIC_HISTORY,
  TOPIC_TRANSCRIPTION,
} from '../domain/identities.ts';
import { ApiRefusal, type ChatApi, type Created, type Join } from './chat-api.ts';
import { ChatOutbox } from './chat-outbox.ts';

/** What was said so far, for whoever comes back: a JSON list, oldest first. */
const historySchema = z.array(z.object({ role: z.string(), text: z.string() }));
/** The API lets a customer back into a chat for ten minutes. */
const REJOIN_FOR_MS = 600_000;
/** How long an agent may be away before we ask whether the interaction is over, and how often we ask again. */
const AGENT_AWAY_MS = 1_000;
const ASK_AGAIN_MS = 5_000;

export interface ChatEvents {
  /** Words as they come; `agent` is the agent, `supervisor` a human who has taken over. */
  speech: [from: 'agent' | 'supervisor', words: AsyncIterable<string>];
  agent: [presence: 'there' | 'gone'];
  connection: [state: 'lost' | 'restored'];
  ended: [how: 'completed' | 'unreachable'];
}

/** One interaction from the customer's side: joins, comes back after a lost connection, notices the end. */
export class ChatConnection extends EventEmitter<ChatEvents> {
  readonly #api: ChatApi;
  readonly #created: Created;
  readonly #outbox: ChatOutbox;
  #room: Room | undefined;
  readonly #agentReaders = new Set<TextStreamReader>();
  readonly #heard = new Set<string>();
  #leaving = false;
  #ended = false;
  #goneUnsaid = false;
  #awayTimer: NodeJS.Timeout | undefined;

  constructor(api: ChatApi, created: Created) {
    super();
    this.#api = api;
    this.#created = created;
    this.#outbox = new ChatOutbox(async ({ id, text }) => {
      const participant = this.#room?.localParticipant;
      if (!participant) throw new Error('not in the room');
      await participant.sendText(text, { topic: TOPIC_CHAT, attributes: { [ATTRIBUTE_MESSAGE_ID]: id } });
    });
  }

  /** @throws when LiveKit can't be reached */
  async open(): Promise<void> {
    await this.#join(this.#created);
  }

  /** Keeps the message until an agent has it. */
  write(text: string): void {
    this.#outbox.write(text);
  }

  get unacknowledged(): number {
    return this.#outbox.pending;
  }

  async leave(): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    clearTimeout(this.#awayTimer);
    this.#outbox.close();
    await this.#room?.disconnect();
  }

  #isAgent(identity: string): boolean {
    return parseAgentIdentity(identity)?.interactionId === this.#created.interaction_id;
  }

  get #agentHere(): boolean {
    return [...(this.#room?.remoteParticipants.keys() ?? [])].some((identity) => this.#isAgent(identity));
  }

  async #join({ url, token }: Join): Promise<void> {
    const room = new Room();
    room.registerTextStreamHandler(TOPIC_TRANSCRIPTION, (reader, { identity }) => {
      if (this.#isAgent(identity)) this.#hear('agent', reader);
      else void reader.close();
    });
    room.registerTextStreamHandler(TOPIC_CHAT, (reader, { identity }) => {
      if (!this.#isAgent(identity) && identity !== room.localParticipant?.identity) {
        this.#hear('supervisor', reader);
      } else void reader.close();
    });
    room.registerTextStreamHandler(TOPIC_ACK, async (reader, { identity }) => {
      const id = await reader.readAll().catch(() => '');
      if (this.#isAgent(identity)) this.#outbox.acknowledged(id.trim());
    });
    room.registerTextStreamHandler(TOPIC_HISTORY, async (reader, { identity }) => {
      const text = await reader.readAll().catch(() => '');
      if (this.#isAgent(identity)) this.#catchUp(text);
    });
    room.on(RoomEvent.ParticipantConnected, ({ identity }) => this.#appeared(identity));
    room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => this.#gone(identity));
    room.on(RoomEvent.Reconnecting, () => this.emit('connection', 'lost'));
    room.on(RoomEvent.Reconnected, () => this.emit('connection', 'restored'));
    room.on(RoomEvent.Disconnected, (reason) => {
      if (this.#room === room) void this.#disconnected(reason);
    });
    await room.connect(url, token, { autoSubscribe: false, dynacast: false });
    this.#room = room;
    this.#askWhetherOverIn(ASK_AGAIN_MS);
    for (const identity of room.remoteParticipants.keys()) this.#appeared(identity);
  }

  /** Says what was said while we were away; what was heard already is not said again. */
  #catchUp(history: string): void {
    const parsed = historySchema.safeParse(parseJson(history));
    for (const { role, text } of parsed.data ?? []) {
      const from = role === 'agent' || role === 'supervisor' ? role : undefined;
      if (from === undefined || this.#heard.has(text.trim())) continue;
      this.#heard.add(text.trim());
      this.emit('speech', from, Readable.from([text]));
    }
  }

  #hear(from: 'agent' | 'supervisor', reader: TextStreamReader): void {
    this.#agentReaders.add(reader);
    const [readers, heard] = [this.#agentReaders, this.#heard];
    async function* words(): AsyncGenerator<string> {
      let text = '';
      try {
        for await (const part of { [Symbol.asyncIterator]: () => reader[Symbol.asyncIterator]() }) {
          text += part;
          yield part;
        }
        heard.add(text.trim());
      } catch {
        // A stream breaks off when its sender dies; what was heard stays, and another agent goes on.
      } finally {
        readers.delete(reader);
      }
    }
    this.emit('speech', from, words());
  }

  #appeared(identity: string): void {
    if (!this.#isAgent(identity)) return;
    clearTimeout(this.#awayTimer);
    this.#outbox.agentAppeared();
    this.emit('agent', 'there');
  }

  #gone(identity: string): void {
    if (!this.#isAgent(identity) || this.#leaving) return;
    if (this.#agentHere) return;
    this.#outbox.agentGone();
    for (const reader of this.#agentReaders) void reader.close();
    this.#goneUnsaid = true;
    this.#askWhetherOverIn(AGENT_AWAY_MS);
  }

  #askWhetherOverIn(delayMs: number): void {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(() => void this.#askWhetherOver(), delayMs);
  }

  /** No agent is here: because all is said, or because it died and another is on its way. */
  async #askWhetherOver(): Promise<void> {
    try {
      await this.#api.rejoin(this.#created.interaction_id, this.#created.resume_token);
    } catch (error) {
      if (error instanceof ApiRefusal && error.code === 'interaction_ended') {
        await this.#finish('completed');
        return;
      }
    }
    if (this.#leaving || this.#agentHere) return;
    if (this.#goneUnsaid) this.emit('agent', 'gone');
    this.#goneUnsaid = false;
    this.#askWhetherOverIn(ASK_AGAIN_MS);
  }

  async #disconnected(reason: DisconnectReason): Promise<void> {
    if (this.#leaving || this.#ended) return;
    this.#outbox.agentGone();
    for (const reader of this.#agentReaders) void reader.close();
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) {
      // The same customer came back elsewhere, with the resume token; that place has it now.
      await this.#finish('unreachable');
      return;
    }
    const orderly = [DisconnectReason.ROOM_DELETED, DisconnectReason.PARTICIPANT_REMOVED].includes(reason);
    if (!orderly) this.emit('connection', 'lost');
    await this.#comeBack(orderly);
  }

  async #comeBack(quietly: boolean): Promise<void> {
    const until = Date.now() + REJOIN_FOR_MS;
    for (let attempt = 0; Date.now() < until && !this.#leaving; attempt += 1) {
      try {
        const join = await this.#api.rejoin(this.#created.interaction_id, this.#created.resume_token);
        await this.#join(join);
        if (!quietly || attempt > 0) this.emit('connection', 'restored');
        return;
      } catch (error) {
        if (error instanceof ApiRefusal && !error.passing) {
          await this.#finish(error.code === 'interaction_ended' ? 'completed' : 'unreachable');
          return;
        }
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000));
      await promise;
    }
    await this.#finish('unreachable');
  }

  async #finish(how: 'completed' | 'unreachable'): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.leave();
    this.emit('ended', how);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
