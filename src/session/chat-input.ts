import { createHash } from 'node:crypto';
import type { Room, TextStreamReader } from '@livekit/rtc-node';
import { maskCardNumbers } from '../domain/card-numbers.ts';
import { ATTRIBUTE_MESSAGE_ID, TOPIC_ACK } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { ArrivalOrder } from './arrival-order.ts';
import type { Clock } from './clock.ts';
import type { StoreResult } from './outbox.ts';
import type { TextInbox } from './text-inbox.ts';

export interface IncomingMessage {
  readonly id: string;
  readonly from: 'customer' | 'supervisor';
  readonly text: string;
  readonly at: number;
  /** The sender's client gave it an id of its own, and so keeps it until it is acknowledged. */
  readonly resends: boolean;
}

type Role = IncomingMessage['from'] | undefined;

export interface ChatInputDeps {
  readonly room: Room;
  readonly inbox: TextInbox;
  /**
   * Who may be heard: the customer, or the supervisor who has control. Anybody else is ignored. Asked when a message
   * begins: one that was begun in time counts, although control was given back before it was complete.
   */
  roleOf(identity: string): Role | Promise<Role>;
  /** Takes a message into conversation and transcript; resolves when it is stored. Same id: same message. */
  onMessage(message: IncomingMessage): Promise<StoreResult>;
  onRejected(identity: string, why: 'unreadable' | 'too_long'): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** More than anybody types, less than what fills a context or a database row. */
export const MESSAGE_LIMIT_BYTES = 128 * 1024;

/**
 * Text that people in the room write to the agent on `lk.chat`. A message is acknowledged when it is stored,
 * so that a client can send it again until then; the id makes the second copy harmless.
 */
export class ChatInput {
  readonly #deps: ChatInputDeps;
  /** By sender: nobody's unfinished message holds up another's. */
  readonly #orders = new Map<string, ArrivalOrder>();

  constructor(deps: ChatInputDeps) {
    this.#deps = deps;
  }

  open(): void {
    this.#deps.inbox.deliverTo((reader, identity) => {
      const order = this.#orders.get(identity) ?? new ArrivalOrder(this.#deps.clock);
      this.#orders.set(identity, order);
      void this.#read(reader, identity, order.begin());
    });
  }

  close(): void {
    this.#deps.inbox.close();
  }

  async #read(
    reader: TextStreamReader,
    identity: string,
    inOrder: (deliver: () => void) => void,
  ): Promise<void> {
    const role = this.#roleOf(identity);
    try {
      const text = await readBounded(reader);
      const ownId = reader.info.attributes?.[ATTRIBUTE_MESSAGE_ID];
      const sentId = ownId ?? reader.info.streamId;
      const from = await role;
      inOrder(() => this.#deliver(text, sentId, identity, from, ownId !== undefined));
    } catch (err) {
      this.#deps.log.warn({ err, identity }, 'text stream could not be read');
      const from = await role;
      inOrder(() => {
        if (from) this.#deps.onRejected(identity, 'unreadable');
      });
    }
  }

  async #roleOf(identity: string): Promise<Role> {
    try {
      return await this.#deps.roleOf(identity);
    } catch (err) {
      this.#deps.log.warn({ err, identity }, 'it is not known whether this person may write here');
      return undefined;
    }
  }

  #deliver(text: string | undefined, sentId: string, identity: string, from: Role, resends: boolean): void {
    if (!from) {
      this.#deps.log.debug({ identity }, 'text from somebody who may not write here');
      return;
    }
    const clean = maskCardNumbers(withoutControlCharacters(text ?? '')).trim();
    if (clean === '') {
      this.#deps.onRejected(identity, text === undefined ? 'too_long' : 'unreadable');
      return;
    }
    const id = messageId(identity, sentId);
    const at = this.#deps.clock.now();
    this.#take({ id: id.stored, from, text: clean, at, resends }, id.sent, identity);
  }

  #take(message: IncomingMessage, sentId: string, identity: string): void {
    void this.#deps.onMessage(message).then(async (result) => {
      if (result === 'stored') await this.#acknowledge(sentId, identity);
    });
  }

  async #acknowledge(sentId: string, identity: string): Promise<void> {
    try {
      const destinationIdentities = [identity];
      await this.#deps.room.localParticipant?.sendText(sentId, { topic: TOPIC_ACK, destinationIdentities });
    } catch (err) {
      // The client sends the message again when it hears nothing, and gets its acknowledgement then.
      this.#deps.log.debug({ err }, 'acknowledgement could not be sent');
    }
  }
}

/** The text, or undefined when it is longer than the limit; the rest of such a stream is not kept. */
async function readBounded(reader: TextStreamReader): Promise<string | undefined> {
  let text = '';
  let tooLong = false;
  for await (const part of reader) {
    if (tooLong) continue;
    text += part;
    tooLong = Buffer.byteLength(text) > MESSAGE_LIMIT_BYTES;
    if (tooLong) text = '';
  }
  return tooLong ? undefined : text;
}

/** Keeps line breaks and tabs; other control characters and lone surrogates can't be stored or shown. */
function withoutControlCharacters(text: string): string {
  return text.toWellFormed().replace(/[^\P{Cc}\n\t]/gu, '');
}

/** An id of the sender's choice must not collide with items of others, nor be longer than a row's key. */
function messageId(identity: string, sent: string): { sent: string; stored: string } {
  const plain = /^[\w.:-]{1,64}$/.test(sent) ? sent : createHash('sha256').update(sent).digest('hex');
  return { sent, stored: `${identity.split('-')[0] ?? 'participant'}:${plain}` };
}
