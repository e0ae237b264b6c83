import type { PromptBook } from '../definitions/prompts.ts';
import type { Claim } from './claim.ts';
import { type Clock, delay, within } from './clock.ts';
import type { Conversation, ConversationItem } from './conversation.ts';
import type { Recorder } from './recorder.ts';
import type { Replies } from './replies.ts';
import type { SupervisorVoice } from './supervisor-voice.ts';

export interface TakeoverDeps {
  readonly claim: Claim;
  readonly conversation: Conversation;
  readonly prompts: PromptBook;
  readonly recorder: Recorder;
  readonly replies: Replies;
  /** On a call: what the person in control says. */
  readonly voice: SupervisorVoice | undefined;
  /** On a call: the customer is in the middle of speaking. */
  customerSpeaks(): boolean;
  /** How long a customer must have been quiet before their turn counts as over; 0 in a chat. */
  readonly quietMs: number;
  /** Says the greeting if its time had come while the person had control; false when there was none to say. */
  greet(): boolean;
  /** The agent speaks again: waiting times begin anew. */
  onResumed(): void;
  readonly clock: Clock;
}

/** Recognition of the person's last words gets this long; the agent should be heard within three seconds. */
const LAST_WORDS_MS = 1_200;

/** What the agent does when a person takes the conversation from it, and when it has it again. */
export class Takeover {
  readonly #deps: TakeoverDeps;
  #times = 0;
  #current = 0;
  /** Silent since an announced takeover whose row was not read yet. */
  #silenced: { readonly at: number; readonly wasSpeaking: boolean } | undefined;

  constructor(deps: TakeoverDeps) {
    this.#deps = deps;
  }

  announced(): void {
    this.#silenced ??= this.#fallSilent();
  }

  /** Nobody has taken over after all: what was cut off is said. */
  unfounded(): void {
    const cutOff = this.#silenced?.wasSpeaking ?? false;
    this.#silenced = undefined;
    this.#deps.replies.release();
    this.#deps.greet();
    if (cutOff) this.#deps.replies.request();
  }

  begin(person: string): void {
    const { recorder, voice } = this.#deps;
    const { at, wasSpeaking } = this.#silenced ?? this.#fallSilent();
    this.#silenced = undefined;
    this.#current += 1;
    voice?.listenTo(person);
    // When the row changed is the database's step; this says when the agent stopped.
    recorder.step('silenced', { output: { was_speaking: wasSpeaking, at: new Date(at).toISOString() } });
  }

  async end(why: 'handed_back' | 'dropped_out'): Promise<void> {
    const { conversation, prompts, replies, voice, recorder, clock, quietMs } = this.#deps;
    const mine = this.#current;
    // What the person said last must be known before the agent answers, and a customer who has just finished
    // speaking has a turn on its way.
    await Promise.all([
      within(clock, LAST_WORDS_MS, voice?.stop() ?? Promise.resolve()),
      quietMs > 0 ? delay(clock, quietMs) : undefined,
    ]);
    if (mine !== this.#current) return;
    conversation.note(
      `handed-back:${this.#deps.claim.generation}:${mine}`,
      prompts.render('takeover_handed_back', {}),
      clock.now(),
    );
    recorder.step('resumed', { name: why });
    replies.release();
    this.#deps.onResumed();
    this.#goOn(why);
  }

  #fallSilent(): { at: number; wasSpeaking: boolean } {
    const { replies, clock } = this.#deps;
    const silenced = { at: clock.now(), wasSpeaking: replies.speaking };
    replies.hold();
    return silenced;
  }

  #goOn(why: 'handed_back' | 'dropped_out'): void {
    const { claim, conversation, prompts, replies } = this.#deps;
    const channel = claim.channel;
    // They have heard the person alone until now, and not that the agent is an AI.
    const greeted = this.#deps.greet();
    if (why === 'dropped_out') void replies.say(prompts.render('takeover_resume_apology', {}, { channel }));
    switch (whoseTurn(conversation.items)) {
      case 'agent':
        replies.request();
        return;
      case 'customer':
        // A customer who is speaking is answered when they have finished.
        if (why === 'handed_back' && !greeted && !this.#deps.customerSpeaks()) {
          void replies.say(prompts.render('takeover_resume', {}, { channel, turn: this.#times }));
          this.#times += 1;
        }
        return;
      case 'nobody':
        return;
    }
  }
}

/**
 * After a hand back: `agent` where the customer waits for an answer, for the outcome of a tool or for the rest of a
 * sentence that the takeover cut off; `customer` where the person spoke last; `nobody` where nothing happened.
 */
function whoseTurn(items: readonly ConversationItem[]): 'agent' | 'customer' | 'nobody' {
  const last = items.findLast(
    (item) => item.kind !== 'note' && !(item.kind === 'said' && item.role === 'system'),
  );
  if (last === undefined || last.kind === 'note') return 'nobody';
  if (last.kind === 'call') return last.output === undefined ? 'nobody' : 'agent';
  if (last.role === 'customer') return 'agent';
  if (last.role === 'supervisor') return 'customer';
  return last.interrupted ? 'agent' : 'nobody';
}
