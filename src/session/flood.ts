import { type RoomServiceClient, TrackSource } from 'livekit-server-sdk';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import { Allowance } from './allowance.ts';
import type { Claim } from './claim.ts';
import type { Clock } from './clock.ts';
import type { Recorder } from './recorder.ts';

export interface FloodDeps {
  readonly claim: Claim;
  readonly recorder: Recorder;
  readonly prompts: PromptBook;
  readonly rooms: RoomServiceClient;
  say(text: string): void;
  /** It does not stop. */
  onEndless(lastWords: string): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Data that is no text is of no use to the agent; no client of ours sends any. */
const PACKETS = { most: 200, perSecond: 20 };
/** The customer is told no more often. */
const WORDS_EVERY_MS = 10_000;
/** One flood ends when nothing had to be refused for so long. */
const CALM_MS = 5_000;
/** To refuse costs the process something too: after so much LiveKit itself lets nothing more through for a while. */
const MOST_REFUSED = 200;
const MUTED_MS = 15_000;
/** A device that goes on each time it is heard again is not heard any more. */
const MOST_MUTES = 3;

/**
 * What becomes of more than a customer's device may send. First it is refused: not read, not acknowledged, and said so.
 * What goes on all the same is stopped at LiveKit, where it costs the other conversations of this process nothing.
 */
export class Flood {
  readonly #deps: FloodDeps;
  readonly #packets: Allowance;
  /** Since the flood began; 0 when there is none. */
  #refused = 0;
  #total = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #mutes = 0;
  #muted = false;
  #cancelCalm: (() => void) | undefined;
  #cancelMute: (() => void) | undefined;
  #closed = false;

  constructor(deps: FloodDeps) {
    this.#deps = deps;
    this.#packets = new Allowance({ ...PACKETS, clock: deps.clock });
  }

  start(): void {
    const { channel, generation } = this.#deps.claim;
    // A predecessor may have died before it let the customer write again.
    if (channel === 'chat' && generation > 1) void this.#letThrough(true);
  }

  close(): void {
    this.#closed = true;
    this.#cancelCalm?.();
    this.#cancelMute?.();
    if (this.#muted) void this.#letThrough(true);
  }

  /** A data packet that nobody asked for has come from somebody in the room. */
  packet(identity: string): void {
    if (!this.#packets.take()) this.refused(identity, 'packets');
  }

  /** Something of this person's was not taken in. */
  refused(identity: string, what: 'messages' | 'packets'): void {
    if (this.#closed || identity !== this.#deps.claim.customerIdentity) return;
    const { clock, log, prompts, recorder, say } = this.#deps;
    if (this.#refused === 0) {
      log.warn({ what }, 'a customer’s device sends more than can be taken in');
      recorder.step('flood', { output: { what } });
    }
    this.#refused += 1;
    this.#total += 1;
    this.#awaitCalm();
    if (what === 'messages' && clock.now() - this.#toldAt >= WORDS_EVERY_MS) {
      this.#toldAt = clock.now();
      say(prompts.render('writing_too_fast', {}));
    }
    if (this.#refused % MOST_REFUSED === 0 && !this.#muted) void this.#mute();
  }

  /** Restarted by nothing: a timer for each of thousands would be a flood of its own. */
  #awaitCalm(): void {
    if (this.#cancelCalm) return;
    const seen = this.#total;
    this.#cancelCalm = this.#deps.clock.after(CALM_MS, () => {
      this.#cancelCalm = undefined;
      if (this.#total !== seen || this.#muted) return this.#awaitCalm();
      this.#deps.recorder.step('flood_over', { output: { refused: this.#refused } });
      this.#refused = 0;
    });
  }

  async #mute(): Promise<void> {
    const { claim, clock, log, onEndless, prompts, recorder } = this.#deps;
    this.#muted = true;
    this.#mutes += 1;
    log.warn({ refused: this.#refused, times: this.#mutes }, 'a customer’s device is not heard for a while');
    recorder.step('flood_muted', { output: { refused: this.#refused, times: this.#mutes } });
    await this.#letThrough(false);
    if (this.#mutes >= MOST_MUTES) {
      const { business, channel } = claim;
      return onEndless(prompts.render('flood_goodbye', { business_name: business.name }, { channel }));
    }
    this.#cancelMute = clock.after(MUTED_MS, () => {
      this.#muted = false;
      void this.#letThrough(true);
    });
  }

  /** The rest as the API grants it. */
  async #letThrough(canPublishData: boolean): Promise<void> {
    const { claim, log, rooms } = this.#deps;
    const onCall = claim.channel === 'voice';
    try {
      await rooms.updateParticipant(claim.room, claim.customerIdentity, {
        permission: {
          canSubscribe: true,
          canPublish: onCall,
          canPublishSources: onCall ? [TrackSource.MICROPHONE] : [],
          canPublishData,
        },
      });
    } catch (err) {
      // They have left; whoever comes back has a token of their own.
      log.debug({ err }, 'what a customer may send could not be changed');
    }
  }
}
