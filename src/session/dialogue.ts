import { randomUUID } from 'node:crypto';
import type { llm } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import type { IncomingMessage } from './chat-input.ts';
import type { Claim } from './claim.ts';
import { type Clock, within } from './clock.ts';
import type { Conversation } from './conversation.ts';
import { sendHistory } from './history.ts';
import type { StoreResult } from './outbox.ts';
import type { Recorder } from './recorder.ts';
import type { Replies } from './replies.ts';
import type { Requests } from './requests.ts';
import { type AnswerMark, AnswerMarks, isOwed } from './unanswered.ts';
import type { Watch } from './watch.ts';

export interface DialogueDeps {
  readonly claim: Claim;
  readonly room: Room;
  readonly prompts: PromptBook;
  readonly conversation: Conversation;
  readonly recorder: Recorder;
  readonly replies: Replies;
  readonly requests: Requests;
  readonly watch: Watch;
  readonly clock: Clock;
  readonly log: Log;
}

interface CompletedReply {
  readonly id: string;
  readonly at: number;
  readonly text: string;
  readonly mark: AnswerMark;
}

/** A database that is away holds up no sentence. */
const STORED_REPLY_MS = 1_000;

/** What is said in the room: taken into conversation and transcript, and what follows from it. */
export class Dialogue {
  readonly #deps: DialogueDeps;
  readonly #marks: AnswerMarks;
  #greeted = false;
  /** The customer came back, perhaps in mid-sentence: the part of it that was streamed meanwhile passed them by. */
  #missedSome = false;
  /** Replies that were stored before their end was shown, and whose items of the framework are still to come. */
  readonly #completed: CompletedReply[] = [];

  constructor(deps: DialogueDeps) {
    this.#deps = deps;
    const { claim, conversation } = deps;
    this.#marks = new AnswerMarks(claim);
    for (const { id, role, text, interrupted, at } of claim.messages) {
      conversation.say({ id, role, text, interrupted, at });
    }
    this.#greeted = claim.messages.some((message) => message.role === 'agent');
  }

  /** The customer has been in this conversation: they came, or were here before a recovery. */
  get began(): boolean {
    return this.#greeted;
  }

  customerJoined(first: boolean): void {
    const { claim, conversation, recorder, replies, requests, watch } = this.#deps;
    recorder.step('customer_joined', { output: { again: !first || claim.recovered } });
    if (conversation.items.length > 0) this.#sendHistory();
    this.#missedSome = !first;
    watch.customerHeard();
    if (!this.#greeted) {
      this.#greeted = true;
      void replies.say(requests.greeting());
    } else if (first && claim.recovered) {
      const owed = isOwed(claim);
      if (!claim.handedOver) void replies.say(this.#recoveryWords(owed));
      if (owed) replies.request();
    }
  }

  /** The model is asked now: its reply answers what the conversation holds at this moment. */
  asked(): void {
    const { conversation } = this.#deps;
    const calls = conversation.items.filter((item) => item.kind === 'call');
    this.#marks.asked({
      customerMessage: conversation.lastSaid('customer')?.id,
      settledCalls: calls.filter(({ output }) => output !== undefined).map(({ callId }) => callId),
    });
  }

  /**
   * The model has given all of its reply, and the customer has read all but its end. In a chat it is stored
   * first: whoever carries on after a crash neither repeats an answer that was read nor leaves one out. On a call
   * it has still to be spoken.
   */
  async replied(text: string): Promise<void> {
    const { claim, clock, recorder } = this.#deps;
    if (claim.channel === 'voice') return;
    const mark = this.#marks.current;
    const completed = { id: `reply_${randomUUID()}`, at: clock.now(), text, mark };
    this.#completed.push(completed);
    this.#marks.answered();
    await within(clock, STORED_REPLY_MS, recorder.said({ ...completed, role: 'agent', metadata: { mark } }));
  }

  /** Text on `lk.chat` from somebody who may write there. */
  async written(message: IncomingMessage): Promise<StoreResult> {
    const { conversation, recorder, replies, watch } = this.#deps;
    const known = conversation.find(message.id);
    // Sent again because no acknowledgement came: the same message, whatever it says now.
    if (known) return recorder.said(known);
    const metadata = { resends: message.resends };
    const stored = recorder.said({ ...message, role: message.from, metadata });
    watch.customerHeard();
    replies.request({ restart: true });
    return stored;
  }

  rejected(why: 'unreadable' | 'too_long'): void {
    const { prompts, recorder, replies } = this.#deps;
    recorder.step('message_rejected', { output: { why } });
    const words =
      why === 'too_long'
        ? prompts.render('message_too_long', { limit: '128 kB' })
        : prompts.render('message_unreadable', {});
    void replies.say(words);
  }

  /** A turn of the customer by voice is complete. */
  customerSpoke(message: llm.ChatMessage): void {
    const text = message.textContent ?? '';
    if (text.trim() === '') return;
    const { id, createdAt: at } = message;
    void this.#deps.recorder.said({ id, role: 'customer', text, at });
    this.#deps.watch.customerHeard();
  }

  /** The framework has an item for its history: what the agent really said, cut where it was cut off. */
  agentSpoke(item: llm.ChatMessage | llm.AgentHandoffItem): void {
    if (item.type !== 'message' || item.role !== 'assistant') return;
    const { recorder, replies, watch } = this.#deps;
    const { interrupted } = item;
    const text = item.textContent ?? '';
    if (text !== '' && replies.isFixed(text)) {
      void recorder.said({ id: item.id, role: 'agent', text, at: item.createdAt, interrupted });
    } else if (text !== '') {
      const { id, at, mark } = this.#takeCompleted(text) ?? {
        id: item.id,
        at: item.createdAt,
        mark: this.#marks.current,
      };
      void recorder.said({ id, role: 'agent', text, at, interrupted, metadata: { mark } });
      this.#marks.answered();
    }
    if (this.#missedSome) this.#sendHistory();
    this.#missedSome = false;
    watch.agentSpoke();
  }

  /** The next reply may be complete before the item of this one comes; a cut one is shorter than what was stored. */
  #takeCompleted(text: string): CompletedReply | undefined {
    const index = this.#completed.findIndex((reply) => reply.text.trim().startsWith(text.trim()));
    return index < 0 ? undefined : this.#completed.splice(index, 1)[0];
  }

  /** One short apology; with it, who can not know that their words were lost is asked for them again. */
  #recoveryWords(owed: boolean): string {
    const { claim, prompts } = this.#deps;
    const { channel, messages } = claim;
    const apology = prompts.render('recovery_apology', {}, { channel });
    const keepsMessages =
      channel === 'chat' && messages.some(({ role, resends }) => role === 'customer' && resends);
    if (owed || keepsMessages) return apology;
    return `${apology} ${prompts.render('ask_to_repeat', {}, { channel })}`;
  }

  #sendHistory(): void {
    const { room, conversation, claim, log } = this.#deps;
    sendHistory(room, conversation, claim.customerIdentity).catch((err: unknown) =>
      log.debug({ err }, 'the history could not be sent'),
    );
  }
}
