import type { PromptBook, PromptChannel } from '../definitions/prompts.ts';
import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Conversation } from './conversation.ts';
import type { Recorder } from './recorder.ts';

export interface CallbackOfferDeps {
  readonly prompts: PromptBook;
  readonly channel: PromptChannel;
  readonly conversation: Conversation;
  readonly recorder: Recorder;
  /** The number that is known, if one is. */
  phoneNumber(): string | null;
  /** Records the request for a person to call. Throws FloorwalkerError. */
  requestCallback(phoneNumber: string): Promise<void>;
  readonly log: Log;
}

/** Digits with what people put between them; seven at least, so that an order number is none. */
const WRITTEN_NUMBER = /(?:\+|\b00)[\d\s().-]{7,25}\d/;
const E164 = /^\+[1-9]\d{6,14}$/;

/**
 * What is said in the place of a reply that no model could give. The first time it is an apology; if it happens
 * again without an answer in between, a person is to call the customer: on the number that is known, or on the one
 * that they give. All of it works without a model.
 */
export class CallbackOffer {
  readonly #deps: CallbackOfferDeps;
  #failures = 0;
  #requestedFor: string | undefined;

  constructor(deps: CallbackOfferDeps) {
    this.#deps = deps;
  }

  /** A model has answered: the trouble is over. */
  answered(): void {
    this.#failures = 0;
  }

  async instead(): Promise<string> {
    const { prompts, channel } = this.#deps;
    this.#failures += 1;
    const offered = this.#failures > 1;
    const turn = this.#failures - 1;
    const given = this.#numberJustGiven();
    const number = given ?? (offered ? this.#deps.phoneNumber() : null);
    if (number !== null && (await this.#request(number))) {
      return prompts.render('callback_arranged', { last_digits: number.slice(-4) }, { channel });
    }
    const apology = prompts.render('unavailable_apology', {}, { channel, turn });
    const known = this.#deps.phoneNumber();
    if (this.#requestedFor !== undefined) return apology;
    const offer = known
      ? prompts.render('callback_offer_known', { last_digits: known.slice(-4) }, { channel })
      : prompts.render('callback_offer', {}, { channel });
    return `${apology} ${offer}`;
  }

  #numberJustGiven(): string | null {
    // Only after the offer: before it, a number is part of what they wanted.
    if (this.#failures < 2) return null;
    const text = this.#deps.conversation.lastSaid('customer')?.text ?? '';
    const written = WRITTEN_NUMBER.exec(text)?.[0]
      .replace(/[\s().-]/g, '')
      .replace(/^00/, '+');
    return written !== undefined && E164.test(written) ? written : null;
  }

  /** @returns whether somebody is going to call. */
  async #request(number: string): Promise<boolean> {
    if (this.#requestedFor === number) return false;
    const { requestCallback, recorder, log } = this.#deps;
    try {
      await requestCallback(number);
    } catch (err) {
      if (!isFloorwalkerError(err)) throw err;
      log.warn({ err }, 'a callback could not be recorded');
      return false;
    }
    this.#requestedFor = number;
    recorder.step('callback_requested', { output: { because: 'no model could answer' } });
    return true;
  }
}
