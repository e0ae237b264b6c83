import { createHash } from 'node:crypto';
import type { Room, TextStreamReader } from '@livekit/rtc-node';
import { maskCardNumbers } from '../domain/card-numbers.ts';
import { ATTRIBUTE_MESSAGE_ID, TOPIC_ACK } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { ArrivalOrder } from './arrival-order.ts';
import type { Clock } from './clock.ts';
import type { StoreResult } from './outbox.ts';
import { SenderLimits } from './sender-limits.ts';
import type { TextInbox } from './text-inbox.ts';

export interface IncomingMessage {
  readonly id: string;
  readonly from: 'customer' | 'supervisor';
  readonly text: string;
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
  /** More than this person may send has come; it was neither read nor acknowledged. */
  onRefused(identity: string): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** More than anybody types, less than what fills a context or a database row. */
export const MESSAGE_LIMIT_BYTES = 128 * 1024;
/** A message whose end has not come by then is given up; it is not acknowledged, so its sender has it still. */
const UNFINISHED_MS = 60_000;

/**
 * Text that people in the room write to the agent on `lk.chat`. A message is acknowledged when it is stored,
 * so that a client can send it again until then; the id makes the second copy harmless.
 */
export class ChatInput {
  readonly #deps: ChatInputDeps;
  /** Nobody's unfinished message holds up another's, and nobody's flood counts against another. */
  readonly #senders = new Map<string, { order: ArrivalOrder; limits: SenderLimits }>();

  constructor(deps: ChatInputDeps) {
    this.#deps = deps;
  }

  open(): void {
    this.#deps.inbox.deliverTo((reader, identity) => {
      const { order, limits } = this.#senderOf(identity);
      if (!limits.begins()) {
        void reader.close();
        this.#deps.onRefused(identity);
        return;
      }
      void this.#read(reader, identity, limits, order.begin()).finally(() => limits.ended());
    });
  }

  close(): void {
    this.#deps.inbox.close();
  }

  /** Whoever waits for answers is no flood, however quick the answers are. */
  answered(): void {
    for (const { limits } of this.#senders.values()) limits.answered();
  }

  #senderOf(identity: string): { order: ArrivalOrder; limits: SenderLimits } {
    const { clock } = this.#deps;
    const known = this.#senders.get(identity);
    if (known) return known;
    const sender = { order: new ArrivalOrder(clock), limits: new SenderLimits(clock) };
    this.#senders.set(identity, sender);
    return sender;
  }

  async #read(
    reader: TextStreamReader,
    identity: string,
    limits: SenderLimits,
    inOrder: (deliver: () => void) => void,
  ): Promise<void> {
    const role = this.#roleOf(identity);
    try {
      const read = await this.#readBounded(reader, limits);
      const ownId = reader.info.attributes?.[ATTRIBUTE_MESSAGE_ID];
      const sentId = ownId ?? reader.info.streamId;
      const from = await role;
      inOrder(() => {
        if (read.kind === 'refused') this.#deps.onRefused(identity);
        else this.#deliver(read.text, sentId, identity, from, ownId !== undefined);
      });
    } catch (err) {
      this.#deps.log.warn({ err, identity }, 'text stream could not be read');
      const from = await role;
      inOrder(() => {
        if (from) this.#deps.onRejected(identity, 'unreadable');
      });
    }
  }

  /** The text, or none when it is longer than the limit; the rest of such a stream is not waited for. */
  async #readBounded(
    reader: TextStreamReader,
    limits: SenderLimits,
  ): Promise<{ kind: 'refused' } | { kind: 'read'; text?: string }> {
    let text = '';
    let bytes = 0;
    let gaveUp = false;
    const cancel = this.#deps.clock.after(UNFINISHED_MS, () => {
      gaveUp = true;
      void reader.close();
    });
    try {
      // To leave the loop closes the stream.
      for await (const part of reader) {
        const length = Buffer.byteLength(part);
        if (!limits.mayAdd(length)) return { kind: 'refused' };
        bytes += length;
        if (bytes > MESSAGE_LIMIT_BYTES) return { kind: 'read' };
        text += part;
      }
    } finally {
      cancel();
    }
    if (gaveUp) throw new Error('The end of a message has not come.');
    return { kind: 'read', text };
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
    this.#take({ id: id.stored, from, text: clean, resends }, id.sent, identity);
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

/** Keeps line breaks and tabs; other control characters and lone surrogates can't be stored or shown. */
function withoutControlCharacters(text: string): string {
  return text.toWellFormed().replace(/[^\P{Cc}\n\t]/gu, '');
}

/** An id of the sender's choice must not collide with items of others, nor be longer than a row's key. */
function messageId(identity: string, sent: string): { sent: string; stored: string } {
  const plain = /^[\w.:-]{1,64}$/.test(sent) ? sent : createHash('sha256').update(sent).digest('hex');
  return { sent, stored: `${identity.split('-')[0] ?? 'participant'}:${plain}` };
}
