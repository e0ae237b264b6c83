import { voice } from '@livekit/agents';
import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';

export interface RepliesDeps {
  readonly session: voice.AgentSession;
  /** False while the agent must not speak of its own accord: the interaction begins or ends. */
  maySpeak(): boolean;
  /** True while the customer is in the middle of speaking (voice). */
  customerSpeaks(): boolean;
  /** The lease still holds; asked before each utterance, because fencing only the writes is too late. */
  leaseHolds(): boolean;
  /**
   * How long a customer must have been quiet before the agent begins of its own accord: a breath is no end of
   * turn, and the framework replies to the turn itself once it is sure. The longer one where they have said
   * something that is no turn yet. Both 0 in a chat.
   */
  readonly quietMs: { readonly usual: number; readonly inTurn: number };
  /** The customer has said something to which the framework waits for more. */
  inTurn(): boolean;
  /** Told of each utterance: whether it is for a turn that is not over yet, and nothing as long as it isn't. */
  isGuess(handle: voice.SpeechHandle): boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Decides when the agent speaks next. One utterance at a time; whatever needs an answer while one is going
 * on is answered together afterwards, so that nobody is talked over or answered twice.
 */
export class Replies {
  readonly #deps: RepliesDeps;
  #owed = false;
  #closed = false;
  #concluded = false;
  #held = false;
  /** Utterances that are being said or wait for their turn. */
  readonly #active = new Map<string, voice.SpeechHandle>();
  /** The reply of the model among them, and whether any of it has reached the customer. */
  #reply: voice.SpeechHandle | undefined;
  #audible = false;
  /** When the customer last began or ceased to speak. */
  #changedAt = Number.NEGATIVE_INFINITY;
  /** Words of the runtime that are being said; they answer nothing. */
  readonly #fixedWords = new Set<string>();
  #idle: (() => void)[] = [];

  constructor(deps: RepliesDeps) {
    this.#deps = deps;
    deps.session.on(voice.AgentSessionEventTypes.SpeechCreated, ({ speechHandle }) => {
      if (!deps.isGuess(speechHandle)) this.#track(speechHandle);
    });
    deps.session.on(voice.AgentSessionEventTypes.UserStateChanged, () => {
      this.#changedAt = deps.clock.now();
      for (const ms of new Set(Object.values(deps.quietMs))) deps.clock.after(ms, () => this.#pump());
    });
    deps.session.on(voice.AgentSessionEventTypes.AgentStateChanged, ({ newState }) => {
      if (newState === 'speaking') this.#audible = true;
      this.#pump();
    });
  }

  /** Looks again whether something that is owed can be said now; for conditions that change without an event. */
  nudge(): void {
    this.#pump();
  }

  get speaking(): boolean {
    return this.#active.size > 0;
  }

  /** A person has control: nothing is said and nothing is owed. */
  get held(): boolean {
    return this.#held;
  }

  /** Falls silent at once and stays silent until `release`. What was said of a sentence so far is kept. */
  hold(): void {
    this.#held = true;
    this.#owed = false;
    void this.#attempt(async () => {
      await this.#deps.session.interrupt().await;
    });
  }

  /** May speak again. What was asked for meanwhile is not made up for: who releases knows what is owed. */
  release(): void {
    this.#held = false;
    this.#pump();
  }

  /**
   * Something is known that the next words should take into account. A reply of which nothing has reached the
   * customer is asked for again; with `due` there is one even if none was under way.
   */
  reconsider(due: boolean): void {
    const unheard = this.#reply !== undefined && !this.#audible;
    if (unheard || (due && !this.speaking)) this.request({ restart: true });
  }

  /** Something needs the agent's words: the customer wrote, or the results that the model asked for are there. */
  request(options: { restart?: boolean } = {}): void {
    if (this.#concluded || this.#held) return;
    this.#owed = true;
    // Nothing of the running reply has reached the customer yet: asking again with what came in meanwhile
    // gives one answer in place of two.
    if (options.restart && this.#reply && !this.#audible) this.#reply.interrupt();
    this.#pump();
  }

  /** The model has been shown everything there is; called when a request to it is built. */
  answered(): void {
    // The framework may still ask on behalf of a reply that was given up for a newer message: that one answers nothing.
    if (this.#reply?.interrupted) return;
    this.#owed = false;
  }

  /** A guess has become the answer. */
  adopt(handle: voice.SpeechHandle): void {
    this.#track(handle);
  }

  /** All of the reply has gone to the customer: it is not given up any more. */
  given(): void {
    this.#audible = true;
  }

  /** Says fixed words of the runtime. Resolves when they have been said (or cut off). */
  async say(text: string): Promise<void> {
    if (this.#closed || this.#held || !this.#deps.leaseHolds()) return;
    this.#fixedWords.add(text);
    await this.#attempt(async () => {
      const handle = this.#deps.session.say(text, { allowInterruptions: true, addToChatCtx: true });
      await handle.waitForPlayout();
    });
    this.#fixedWords.delete(text);
  }

  /** Whether this, perhaps cut off, is what `say` is saying, and not a reply of the model. */
  isFixed(text: string): boolean {
    return [...this.#fixedWords].some((words) => words.startsWith(text.trim()));
  }

  /** Resolves when nobody of ours is speaking and nothing is owed. */
  idle(): Promise<void> {
    if (!this.speaking && !this.#owed) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Silences the agent at once; nothing that was owed is said any more. */
  hush(): void {
    this.#owed = false;
    void this.#attempt(async () => {
      await this.#deps.session.interrupt({ force: true }).await;
    });
  }

  /** No reply of the model any more; fixed words may still be said. */
  conclude(): void {
    this.#concluded = true;
    this.#owed = false;
    this.#pump();
  }

  close(): void {
    this.#closed = true;
    this.#owed = false;
    this.#settleIdle();
  }

  #track(handle: voice.SpeechHandle): void {
    // One that the framework had begun before it was told to be silent.
    if (this.#held) handle.interrupt();
    this.#active.set(handle.id, handle);
    handle.addDoneCallback(() => {
      this.#active.delete(handle.id);
      if (this.#reply?.id === handle.id) this.#reply = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#closed) return;
    if (
      this.#owed &&
      !this.#held &&
      !this.speaking &&
      this.#deps.maySpeak() &&
      !this.#deps.customerSpeaks()
    ) {
      if (!this.#deps.leaseHolds() || !this.#quietForLong()) return;
      this.#owed = false;
      this.#audible = false;
      void this.#attempt(async () => {
        this.#reply = this.#deps.session.generateReply({ toolChoice: 'auto' });
      });
      return;
    }
    if (!this.#owed && !this.speaking) this.#settleIdle();
  }

  #quietForLong(): boolean {
    const { clock, inTurn, quietMs } = this.#deps;
    return clock.now() - this.#changedAt >= (inTurn() ? quietMs.inTurn : quietMs.usual);
  }

  /** The framework throws when its session is closing; whoever wanted to speak then has nobody to speak to. */
  async #attempt(speak: () => Promise<void>): Promise<void> {
    try {
      await speak();
    } catch (err) {
      this.#deps.log.debug({ err }, 'nothing can be said any more');
    }
  }

  #settleIdle(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}
