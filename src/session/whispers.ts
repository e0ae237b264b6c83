import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import type { Claim, SessionWhisper } from './claim.ts';
import type { Conversation } from './conversation.ts';
import type { Replies } from './replies.ts';
import type { InteractionStore } from './services.ts';

export interface WhispersDeps {
  readonly claim: Claim;
  readonly conversation: Conversation;
  readonly prompts: PromptBook;
  readonly replies: Replies;
  readonly interactions: InteractionStore;
  readonly log: Log;
}

/**
 * What supervisors tell the agent in confidence. It enters the conversation as a note, which a model is shown
 * and nobody in the room; it is never part of what is sent there.
 */
export class Whispers {
  readonly #deps: WhispersDeps;
  readonly #known = new Set<string>();
  #taking = false;

  constructor(deps: WhispersDeps) {
    this.#deps = deps;
    // Those of earlier generations too: the agent does not forget them with its process.
    for (const whisper of deps.claim.whispers) this.#note(whisper);
  }

  /** Those that wait, from the poll: they come again until the database knows that they were taken. */
  arrived(whispers: readonly SessionWhisper[]): void {
    if (whispers.length === 0) return;
    const fresh = whispers.filter(({ id }) => !this.#known.has(id));
    for (const whisper of fresh) this.#note(whisper);
    if (fresh.some(({ kind }) => kind === 'whisper')) this.#reconsider();
    void this.#take(whispers.map(({ id }) => id));
  }

  #note({ id, kind, text, at }: SessionWhisper): void {
    const { conversation, prompts } = this.#deps;
    this.#known.add(id);
    const name = kind === 'whisper' ? 'whisper_note' : 'hand_back_note';
    conversation.note(id, prompts.render(name, { note: text }), at);
  }

  /**
   * A hint is no reason to talk when it is the customer's turn: it counts for the agent's next words. Where the
   * customer is waiting for an answer, that is now.
   */
  #reconsider(): void {
    const { conversation, replies } = this.#deps;
    const customerWaits =
      conversation.turns().at(-1)?.role === 'customer' && conversation.openCalls().length === 0;
    replies.reconsider(customerWaits);
  }

  async #take(ids: string[]): Promise<void> {
    if (this.#taking) return;
    this.#taking = true;
    const { claim, interactions, log } = this.#deps;
    await interactions
      .takeWhispers(claim, ids)
      .catch((err: unknown) => log.warn({ err }, 'whispers could not be marked as taken; they come again'));
    this.#taking = false;
  }
}
