import { randomUUID } from 'node:crypto';
import type { llm } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import type { IncomingMessage } from './chat-input.ts';
import type { Claim } from './claim.ts';
import { type Clock, within } from './clock.ts';
import type { Holder } from './control.ts';
import type { Conversation } from './conversation.ts';
import { sendHistory } from './history.ts';
import type { InterimFeed } from './interim-feed.ts';
import type { StoreResult } from './outbox.ts';
import type { Playback } from './playback.ts';
import type { Recorder } from './recorder.ts';
import type { Replies } from './replies.ts';
import type { Requests } from './requests.ts';
import { isResolutionNote } from './resolutions.ts';
import { type AnswerMark, AnswerMarks, isOwed, wasCutOff } from './unanswered.ts';
import type { Utterances } from './utterances.ts';
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
  databaseAnswers(): boolean;
  /** This session is on its way out: what it has not said somebody else has to. */
  leaving(): boolean;
  readonly clock: Clock;
  readonly interim: InterimFeed;
  readonly utterances: Utterances;
  readonly playback: Playback;
  /** The person who has control, whose words are stored with their name. */
  holder(): Holder | undefined;
  readonly log: Log;
}

interface CompletedReply {
  readonly id: string;
  readonly at: number;
  readonly text: string;
  readonly mark: AnswerMark;
}

/** A database that is slow holds up the end of a sentence for so long; one that is away holds up none. */
const STORED_REPLY_MS = 4_000;

/** A greeting that is not shown by then keeps nobody's message from being stored any longer. */
const GREETING_MS = 4_000;

const REJECTED_EVERY_MS = 5_000;

/** What is said in the room: taken into conversation and transcript, and what follows from it. */
export class Dialogue {
  readonly #deps: DialogueDeps;
  readonly #marks: AnswerMarks;
  /** When the sender was last told that something could not be taken in, by why. */
  readonly #rejectedAt = new Map<string, number>();
  /** The customer was here, in this session. */
  #came = false;
  readonly #arrival = Promise.withResolvers<void>();
  #greeted = false;
  /** Of a chat: the greeting is being shown. */
  #greeting: Promise<void> | undefined;
  /** Before which moment of the conversation a greeting or a recovery's apology stands, when something is still owed. */
  #opensBefore: number | undefined;
  /** The customer came back, perhaps in mid-sentence: the part of it that was streamed meanwhile passed them by. */
  #missedSome = false;
  /** Replies that were stored before their end was shown, and whose items of the framework are still to come. */
  readonly #completed: CompletedReply[] = [];
  /** The customer's turn by voice that is being spoken: its id, and what of it is final already. */
  #turn: { id: string; finals: string[] } | undefined;

  constructor(deps: DialogueDeps) {
    this.#deps = deps;
    const { claim, clock, conversation, prompts } = deps;
    this.#marks = new AnswerMarks(claim);
    for (const { id, role, text, interrupted, at } of claim.messages) {
      conversation.say({ id, role, text, interrupted, at });
    }
    if (wasCutOff(claim.messages)) {
      conversation.note(`cut-off:${claim.generation}`, prompts.render('answer_cut_off', {}), clock.now());
    }
    this.#greeted = claim.messages.some((message) => message.role === 'agent');
  }

  /** The customer has been in this conversation: they came, or were here before a recovery. */
  get began(): boolean {
    return this.#came || this.#greeted;
  }

  /** The customer has said something by voice that is no turn yet. */
  get inTurn(): boolean {
    return this.#turn !== undefined;
  }

  customerJoined(first: boolean): void {
    const { claim, conversation, recorder, replies, watch } = this.#deps;
    recorder.step('customer_joined', { output: { again: !first || claim.recovered } });
    this.#came = true;
    this.#arrival.resolve();
    if (conversation.items.length > 0) this.#sendHistory();
    this.#missedSome = !first;
    watch.customerHeard();
    if (!this.#greeted) this.greet();
    else if (first && claim.recovered) {
      const owed = isOwed(claim);
      if (!claim.handedOver) this.#open(this.#recoveryWords(owed), owed);
      if (owed) replies.request();
    }
  }

  /**
   * The first words, that this is an AI among them: once, before any other, and to somebody who is here. False when it
   * is not their time, or past it; while a person has control they wait for that to end.
   */
  greet(): boolean {
    const { claim, replies, requests } = this.#deps;
    if (this.#greeted || !this.#came || replies.held) return false;
    this.#greeted = true;
    // They had written, and who took that died before a word of its own.
    const owed = isOwed(claim);
    const said = this.#open(requests.greeting(), owed);
    if (claim.channel === 'chat') {
      this.#greeting = said.finally(() => {
        this.#greeting = undefined;
      });
    }
    if (owed) replies.request();
    return true;
  }

  /**
   * Before anything is answered. LiveKit may carry what a customer writes before it tells of them (`Arrival`): until
   * they are here for all of us it waits, and their client has it still.
   */
  async greeted(): Promise<void> {
    if (!this.#came && !this.#greeted) await this.#arrival.promise;
    if (this.#greeting) await within(this.#deps.clock, GREETING_MS, this.#greeting);
  }

  /** The model finds what it owes an answer to at the end, and not its own first words. */
  #open(words: string, owed: boolean): Promise<void> {
    const { claim, replies } = this.#deps;
    if (owed) this.#opensBefore = claim.messages.findLast(({ role }) => role === 'customer')?.at;
    return replies.say(words);
  }

  /** The model is asked now: its reply answers what the conversation holds at this moment. */
  asked(): void {
    const { conversation } = this.#deps;
    const settledCalls = conversation.items.flatMap((item) => {
      if (item.kind === 'call') return item.output === undefined ? [] : [item.callId];
      return item.kind === 'note' && isResolutionNote(item.id) ? [item.id] : [];
    });
    this.#marks.asked({ customerMessage: conversation.lastSaid('customer')?.id, settledCalls });
  }

  /** Whether a reply, perhaps of an earlier session, has told of this call or note. */
  wasTold(id: string): boolean {
    return this.#marks.told(id);
  }

  /**
   * The model has given all of its reply, and the customer has read all but its end. In a chat it is stored
   * first: whoever carries on after a crash neither repeats an answer that was read nor leaves one out. On a call
   * it has still to be spoken.
   */
  async replied(text: string): Promise<void> {
    const { claim, clock, interim, recorder, utterances } = this.#deps;
    if (claim.channel === 'voice') return;
    const mark = this.#marks.current;
    const id = utterances.complete(text) ?? `reply_${randomUUID()}`;
    const completed = { id, at: clock.now(), text, mark };
    interim.complete(claim, id);
    this.#completed.push(completed);
    this.#marks.answered();
    const stored = recorder.said({ ...completed, role: 'agent', metadata: { mark } });
    if (this.#deps.databaseAnswers()) await within(clock, STORED_REPLY_MS, stored);
  }

  /** Text on `lk.chat` from somebody who may write there. */
  async written(message: IncomingMessage): Promise<StoreResult> {
    const { clock, conversation, recorder, replies, watch } = this.#deps;
    if (message.from === 'customer') await this.greeted();
    const known = conversation.find(message.id);
    // Sent again because no acknowledgement came: the same message, whatever it says now.
    if (known) return recorder.said(known);
    const { id, from: role, text, resends } = message;
    const at = clock.now();
    if (role === 'supervisor') return this.supervisorSaid({ id, text, at });
    const stored = recorder.said({ id, role, text, at, metadata: { resends } });
    watch.customerHeard();
    replies.request({ restart: true });
    return stored;
  }

  rejected(why: 'unreadable' | 'too_long'): void {
    const { clock, prompts, recorder, replies } = this.#deps;
    // One answer to several that come together.
    if (clock.now() - (this.#rejectedAt.get(why) ?? Number.NEGATIVE_INFINITY) < REJECTED_EVERY_MS) return;
    this.#rejectedAt.set(why, clock.now());
    recorder.step('message_rejected', { output: { why } });
    const words =
      why === 'too_long'
        ? prompts.render('message_too_long', { limit: '128 kB' })
        : prompts.render('message_unreadable', {});
    void this.greeted().then(() => replies.say(words));
  }

  /** A turn of the customer by voice is complete. */
  customerSpoke(message: llm.ChatMessage): void {
    const text = message.textContent ?? '';
    if (text.trim() === '') return;
    const { claim, conversation, interim, recorder, watch } = this.#deps;
    const id = this.#turn?.id ?? message.id;
    this.#turn = undefined;
    interim.complete(claim, id);
    void recorder.said({ id, role: 'customer', text, at: message.createdAt });
    conversation.alsoKnownAs(id, message.id);
    watch.customerHeard();
  }

  /** What recognition makes of the customer while they speak; a turn has several final parts. */
  customerSpeaks(text: string, final: boolean): void {
    const { claim, interim } = this.#deps;
    this.#turn ??= { id: `customer:${randomUUID()}`, finals: [] };
    const { id, finals } = this.#turn;
    interim.spoken(claim, { id, role: 'customer', text: [...finals, text].join(' ') });
    if (final) finals.push(text);
  }

  /** A turn, or a message, of the person who has control. */
  supervisorSaid(said: { id: string; text: string; at: number }): Promise<StoreResult> {
    const { claim, holder, interim, recorder } = this.#deps;
    const person = holder();
    interim.complete(claim, said.id);
    return recorder.said({
      ...said,
      role: 'supervisor',
      ...(person ? { metadata: { by: person.id, by_name: person.name } } : {}),
    });
  }

  /** The framework has an item for its history: what the agent really said, cut where it was cut off. */
  agentSpoke(item: llm.ChatMessage | llm.AgentHandoffItem): void {
    if (item.type !== 'message' || item.role !== 'assistant') return;
    const { claim, conversation, interim, playback, recorder, replies, utterances, watch } = this.#deps;
    const { interrupted } = item;
    const words = item.textContent ?? '';
    const fixed = replies.isFixed(words);
    const text = fixed && interrupted ? playback.heardOf(words) : words;
    if (text !== '') {
      const completed = fixed ? undefined : this.#takeCompleted(text);
      const id = completed?.id ?? utterances.complete(words) ?? item.id;
      const mark = completed?.mark ?? this.#marks.current;
      interim.complete(claim, id);
      if (fixed && this.#opensBefore !== undefined) {
        conversation.say({ id, role: 'agent', text, at: this.#opensBefore - 1, interrupted });
        this.#opensBefore = undefined;
      }
      const said = { id, role: 'agent', text, at: completed?.at ?? item.createdAt, interrupted } as const;
      // Broken off by the leaving itself, not by the customer: a successor owes the rest.
      const cutOff = interrupted && completed === undefined && this.#deps.leaving();
      void recorder.said(fixed ? said : { ...said, metadata: cutOff ? { cut_off: true } : { mark } });
      if (!fixed) this.#marks.answered();
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
