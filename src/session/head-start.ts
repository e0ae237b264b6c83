import type { voice } from '@livekit/agents';
import { llm } from '@livekit/agents';
import { judgeWords } from './turn-end.ts';

/** An answer that was asked for before the turn that it is for was over. It is for that turn or for nothing. */
export class Guess {
  /** By which the model was shown the words. */
  messageId: string | undefined;
  readonly handle: voice.SpeechHandle;
  #state: 'open' | 'used' | 'void' = 'open';
  #request: string | undefined;
  #listeners: ((used: boolean) => void)[] = [];

  constructor(handle: voice.SpeechHandle) {
    this.handle = handle;
    // The framework gives it up when somebody takes over, the session closes or another one takes its place.
    handle.addDoneCallback(() => this.drop());
  }

  get isUsed(): boolean {
    return this.#state === 'used';
  }

  get isVoid(): boolean {
    return this.#state === 'void' || (this.#state === 'open' && this.handle.interrupted);
  }

  /** The model is asked this. */
  asks(request: string): void {
    if (this.#state === 'open') this.#request = request;
  }

  /** The model would be asked nothing else now. */
  isAbout(request: string): boolean {
    return this.#request === request;
  }

  /** Told once whether it became the answer: at once where that is known. */
  onSettled(listener: (used: boolean) => void): void {
    if (this.#state === 'open') this.#listeners.push(listener);
    else listener(this.#state === 'used');
  }

  whenUsed(then: () => void): void {
    this.onSettled((used) => {
      if (used) then();
    });
  }

  whenVoid(then: () => void): void {
    this.onSettled((used) => {
      if (!used) then();
    });
  }

  settled(): Promise<boolean> {
    return new Promise((resolve) => this.onSettled(resolve));
  }

  use(): void {
    this.#settle('used');
  }

  /** Nothing of it is spoken, stored or called any more. */
  drop(): void {
    if (this.#state !== 'open') return;
    this.#settle('void');
    this.handle.interrupt(true);
  }

  #settle(state: 'used' | 'void'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#request = undefined;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(state === 'used');
  }
}

export interface HeadStartDeps {
  /** The framework's own, which it reads with every result of recognition. */
  readonly option: { enabled: boolean; maxRetries: number };
  /** The message with this id is part of the conversation. */
  isKnown(messageId: string): boolean;
  /** Nothing is under way that the answer would have to wait for. */
  mayBegin(): boolean;
}

/** In one turn; each that a caller goes on after is a request to the model for nothing. */
const MOST_A_TURN = 3;
/** Usage of a request is told when it has come to its end; more than these are never under way. */
const KEPT = 8;

/**
 * On a call the model is asked as soon as what the caller has said is a complete sentence, while they are still given
 * time to go on: when they do not, its answer is there the earlier. The framework keeps such an answer back until the
 * turn is over; here is decided when one is asked for, and whether it is still good then. It is, when the request that
 * would be made now is word for word the one that was made.
 */
export class HeadStart {
  readonly #deps: HeadStartDeps;
  readonly #kept = new Map<string, Guess>();
  #current: Guess | undefined;
  #expected = false;

  constructor(deps: HeadStartDeps) {
    this.#deps = deps;
  }

  /** A result of recognition. The framework begins an answer, or none, right after it has told of it. */
  heard(transcript: string, isFinal: boolean, language: string | undefined): void {
    if (transcript.trim() === '') return;
    // They go on.
    this.#drop();
    if (!isFinal) return;
    const { mayBegin, option } = this.#deps;
    const begins = judgeWords(transcript, language) === 'complete' && mayBegin();
    if (!begins && this.#kept.size === 0) return;
    // Where none is begun the framework forgets the one before it all the same.
    option.enabled = true;
    option.maxRetries = begins ? MOST_A_TURN : 0;
    this.#expected = begins;
    queueMicrotask(() => {
      option.enabled = false;
      this.#expected = false;
    });
  }

  /** The framework is about to say something. @returns whether that is for a turn that is not over yet. */
  created(handle: voice.SpeechHandle): boolean {
    // Who is told something meanwhile may answer that.
    this.#drop();
    if (!this.#expected) return false;
    this.#expected = false;
    const guess = new Guess(handle);
    this.#current = guess;
    this.#kept.set(handle.id, guess);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > KEPT) this.#kept.delete(oldest);
    return true;
  }

  /** The model is to be asked about this message. @returns the answer that is begun too early with it, if it is one. */
  about(message: llm.ChatMessage): Guess | undefined {
    if (this.#deps.isKnown(message.id)) return undefined;
    const guess = this.#current;
    if (guess === undefined || guess.messageId !== undefined) return undefined;
    guess.messageId = message.id;
    return guess;
  }

  /** Of this utterance of the framework. */
  find(speechId: string | undefined): Guess | undefined {
    return speechId === undefined ? undefined : this.#kept.get(speechId);
  }

  /**
   * A turn is over, and its words are part of the conversation.
   *
   * @param context the framework's, which gives up an answer that it has kept when this is changed.
   * @param request gives what the model would be asked now; undefined when the agent stays silent.
   * @returns the answer that is good.
   */
  completed(context: llm.ChatContext, request: (() => string) | undefined): Guess | undefined {
    const guess = this.#current;
    this.#current = undefined;
    if (request && guess && !guess.isVoid && guess.isAbout(request())) return guess;
    guess?.drop();
    if (this.#kept.size === 0) return undefined;
    context.insert(llm.ChatMessage.create({ role: 'system', content: 'Changed.', createdAt: 0 }));
    return undefined;
  }

  #drop(): void {
    this.#current?.drop();
    this.#current = undefined;
  }
}
