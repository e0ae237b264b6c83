import type { llm } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import type { IncomingMessage } from './chat-input.ts';
import type { Claim } from './claim.ts';
import type { Conversation } from './conversation.ts';
import { sendHistory } from './history.ts';
import type { StoreResult } from './outbox.ts';
import type { Recorder } from './recorder.ts';
import type { Replies } from './replies.ts';
import type { Requests } from './requests.ts';
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
  readonly log: Log;
}

/** What is said in the room: taken into conversation and transcript, and what follows from it. */
export class Dialogue {
  readonly #deps: DialogueDeps;
  #greeted = false;
  /** The customer came back, perhaps in mid-sentence: the part of it that was streamed meanwhile passed them by. */
  #missedSome = false;

  constructor(deps: DialogueDeps) {
    this.#deps = deps;
    const { claim, conversation } = deps;
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
    const { claim, conversation, prompts, recorder, replies, requests, watch } = this.#deps;
    recorder.step('customer_joined', { output: { again: !first || claim.recovered } });
    if (conversation.items.length > 0) this.#sendHistory();
    this.#missedSome = !first;
    watch.customerHeard();
    if (!this.#greeted) {
      this.#greeted = true;
      void replies.say(requests.greeting());
    } else if (first && claim.recovered) {
      void replies.say(prompts.render('recovery_apology', {}, { channel: claim.channel }));
      this.#owe();
    }
  }

  /** Text on `lk.chat` from somebody who may write there. */
  async written(message: IncomingMessage): Promise<StoreResult> {
    const { conversation, recorder, replies, watch } = this.#deps;
    const known = conversation.find(message.id);
    // Sent again because no acknowledgement came: the same message, whatever it says now.
    if (known) return recorder.said(known);
    const stored = recorder.said({ ...message, role: message.from });
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
    const { id, createdAt: at, interrupted } = item;
    const text = item.textContent ?? '';
    if (text !== '') void this.#deps.recorder.said({ id, role: 'agent', text, at, interrupted });
    if (this.#missedSome) this.#sendHistory();
    this.#missedSome = false;
    this.#deps.watch.agentSpoke();
  }

  /** After a recovery the customer's last words may still be without an answer. */
  #owe(): void {
    const last = this.#deps.conversation.turns().at(-1);
    if (last?.role === 'customer') this.#deps.replies.request();
  }

  #sendHistory(): void {
    const { room, conversation, claim, log } = this.#deps;
    sendHistory(room, conversation, claim.customerIdentity).catch((err: unknown) =>
      log.debug({ err }, 'the history could not be sent'),
    );
  }
}
