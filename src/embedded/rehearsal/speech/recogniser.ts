import { createFramer, FEATURE_RATE, type Frame } from './features.ts';
import type { SpeechLibrary, SpokenClause } from './library.ts';
import { ClauseMatcher, HEARD_HOP_MS, type Match } from './matcher.ts';
import { createResampler } from './resample.ts';

export interface HeardWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

export type RecogniserEvent =
  | { readonly type: 'started'; readonly atMs: number }
  | {
      readonly type: 'result';
      readonly final: boolean;
      /** The speaker has paused for as long as the endpointing setting asks. */
      readonly speechFinal: boolean;
      readonly fromFlush: boolean;
      readonly known: boolean;
      readonly words: readonly HeardWord[];
      readonly startMs: number;
      readonly durationMs: number;
    }
  | { readonly type: 'utteranceEnd'; readonly lastWordEndMs: number };

export interface RecogniserOptions {
  readonly sampleRate: number;
  /** Silence after which a final result is an endpoint; null never says so. */
  readonly endpointingMs: number | null;
  readonly utteranceEndMs: number | null;
  readonly interimResults: boolean;
}

export const NOT_RECOGNISED = '(speech not recognised by the rehearsal server)';

// Between the same sound through a codec (up to 0.16) and other speech (from 0.2, mostly above 0.35).
const SAME_SOUND = 0.24;
const QUIETEST_SOUND_DB = -52;
const ABOVE_NOISE_DB = 10;
const NOISE_RISE_DB = 0.05;
const LOUDEST_NOISE_DB = -35;
const STARTED_AFTER_MS = 100;
const INTERIM_EVERY_MS = 240;
const INTERIM_NOT_BEFORE_MS = 300;
/** Stops inside a word are silent for up to 100 ms, so no shorter gap ends a clause. */
const CLAUSE_GAP_MS = 120;
const CUT_OFF_GAP_MS = 300;
const REMAINDER_MS = 100;
const SHORTEST_UNKNOWN_MS = 200;
const LONGEST_UNKNOWN_MS = 8_000;

interface Segment {
  readonly startMs: number;
  readonly matcher: ClauseMatcher;
  /** Silent frames that count only if the same clause goes on after them. */
  held: Frame[];
  soundMs: number;
  interimAtMs: number;
}

/**
 * Hears which of the library's clauses is being said. It knows no language: it finds sounds that this
 * server made, and says plainly when it hears any other.
 */
export class Recogniser {
  readonly #library: SpeechLibrary;
  readonly #options: RecogniserOptions;
  readonly #emit: (event: RecogniserEvent) => void;
  readonly #resample: (block: Float32Array) => Float32Array;
  readonly #frames = createFramer(HEARD_HOP_MS);
  #timeMs = 0;
  #noiseDb = -70;
  #segment: Segment | undefined;
  #speaking = false;
  #lastSoundMs = 0;
  #words: HeardWord[] = [];
  #known = true;
  #resultStartMs = 0;
  #utteranceEndDueMs: number | undefined;
  #previous: { utterance: string; index: number } | undefined;

  constructor(library: SpeechLibrary, options: RecogniserOptions, emit: (event: RecogniserEvent) => void) {
    this.#library = library;
    this.#options = options;
    this.#emit = emit;
    this.#resample = createResampler(options.sampleRate, FEATURE_RATE);
  }

  /** How much sound has come in, by its own clock. */
  get timeMs(): number {
    return this.#timeMs;
  }

  push(samples: Float32Array): void {
    for (const frame of this.#frames(this.#resample(samples))) {
      this.#timeMs += HEARD_HOP_MS;
      this.#hear(frame);
    }
  }

  /** Ends what is being heard now, as Deepgram does on `Finalize` and `CloseStream`. */
  flush(): void {
    this.#closeSegment();
    this.#final(false, true);
  }

  #hear(frame: Frame): void {
    this.#noiseDb = Math.min(frame.levelDb, this.#noiseDb + NOISE_RISE_DB, LOUDEST_NOISE_DB);
    this.#noiseDb = Math.max(this.#noiseDb, -90);
    if (frame.levelDb > Math.max(this.#noiseDb + ABOVE_NOISE_DB, QUIETEST_SOUND_DB)) this.#sound(frame);
    else this.#silence(frame);
  }

  #sound(frame: Frame): void {
    this.#segment ??= {
      startMs: this.#timeMs - HEARD_HOP_MS,
      matcher: new ClauseMatcher(this.#library.known()),
      held: [],
      soundMs: 0,
      interimAtMs: this.#timeMs + INTERIM_NOT_BEFORE_MS,
    };
    const segment = this.#segment;
    for (const held of segment.held) segment.matcher.push(held);
    segment.held = [];
    segment.matcher.push(frame);
    segment.soundMs += HEARD_HOP_MS;
    this.#lastSoundMs = this.#timeMs;
    this.#utteranceEndDueMs = undefined;
    if (!this.#speaking && segment.soundMs >= STARTED_AFTER_MS) {
      this.#speaking = true;
      this.#emit({ type: 'started', atMs: segment.startMs });
    }
    if (this.#timeMs >= segment.interimAtMs) {
      segment.interimAtMs = this.#timeMs + INTERIM_EVERY_MS;
      this.#interim(segment);
      const best = this.#match(segment);
      if (best === undefined && segment.soundMs > LONGEST_UNKNOWN_MS) {
        this.#closeSegment();
        this.#final(false, false);
      }
    }
  }

  #silence(frame: Frame): void {
    const gapMs = this.#timeMs - this.#lastSoundMs;
    if (this.#segment !== undefined) {
      this.#segment.held.push(frame);
      const match = gapMs >= CLAUSE_GAP_MS ? this.#match(this.#segment) : undefined;
      const finished = match !== undefined && match.remainingMs - gapMs <= REMAINDER_MS;
      if (finished || gapMs >= CUT_OFF_GAP_MS) this.#closeSegment();
    }
    if (this.#segment === undefined && this.#speaking) {
      const { endpointingMs } = this.#options;
      if (endpointingMs === null) {
        if (gapMs >= CUT_OFF_GAP_MS && this.#words.length > 0) this.#final(false, false);
      } else if (gapMs >= endpointingMs) this.#final(true, false);
    }
    if (this.#utteranceEndDueMs !== undefined && this.#timeMs >= this.#utteranceEndDueMs) {
      this.#utteranceEndDueMs = undefined;
      this.#speaking = false;
      this.#emit({ type: 'utteranceEnd', lastWordEndMs: this.#lastSoundMs });
    }
  }

  #match(segment: Segment): Match | undefined {
    const [best] = segment.matcher.best(1);
    return best !== undefined && best.cost <= SAME_SOUND ? best : undefined;
  }

  #interim(segment: Segment): void {
    if (!this.#options.interimResults) return;
    const match = this.#match(segment);
    const words = match === undefined ? [] : this.#wordsOf(segment, match, 0);
    if (words.length === 0) return;
    this.#emit({
      type: 'result',
      final: false,
      speechFinal: false,
      fromFlush: false,
      known: true,
      words: [...this.#words, ...words],
      startMs: this.#resultStartMs,
      durationMs: this.#timeMs - this.#resultStartMs,
    });
  }

  #closeSegment(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#segment = undefined;
    const match = this.#match(segment);
    if (match !== undefined) {
      const use = this.#useOf(match.clause);
      this.#words.push(...this.#wordsOf(segment, match, REMAINDER_MS));
      this.#previous = use;
      return;
    }
    this.#previous = undefined;
    if (segment.soundMs < SHORTEST_UNKNOWN_MS) return; // A click or a breath.
    this.#known = false;
    // Several unknown pieces in a row are one remark.
    if (this.#words.at(-1)?.text === NOT_RECOGNISED) this.#words.pop();
    this.#words.push({ text: NOT_RECOGNISED, startMs: segment.startMs, endMs: this.#lastSoundMs });
  }

  /** The words said so far; `toleranceMs` lets a word count whose last sound was too soft to hear. */
  #wordsOf(segment: Segment, match: Match, toleranceMs: number): HeardWord[] {
    const tokens = this.#useOf(match.clause)?.tokens ?? [];
    const heardMs = match.positionMs + toleranceMs;
    const words: HeardWord[] = [];
    for (const [index, time] of match.clause.words.entries()) {
      const middleMs = (time.startMs + time.endMs) / 2;
      if (middleMs < match.startMs - REMAINDER_MS || time.endMs > heardMs + REMAINDER_MS) continue;
      const offsetMs = segment.startMs - match.startMs;
      words.push({
        text: tokens[index] ?? '',
        startMs: Math.max(0, time.startMs + offsetMs),
        endMs: time.endMs + offsetMs,
      });
    }
    return words;
  }

  /** Which text the sound belongs to: what follows the clause before, else what was said last. */
  #useOf(clause: SpokenClause) {
    const uses = [...clause.uses.values()];
    const next = uses.find(
      (use) => use.utterance === this.#previous?.utterance && use.index === this.#previous.index + 1,
    );
    return next ?? uses.toSorted((a, b) => b.order - a.order)[0];
  }

  #final(speechFinal: boolean, fromFlush: boolean): void {
    const words = this.#words;
    this.#words = [];
    const wasSpeaking = this.#speaking;
    if (speechFinal || fromFlush) this.#speaking = false;
    if (!wasSpeaking && words.length === 0 && !fromFlush) return;
    this.#emit({
      type: 'result',
      final: true,
      speechFinal,
      fromFlush,
      known: this.#known,
      words,
      startMs: this.#resultStartMs,
      durationMs: this.#timeMs - this.#resultStartMs,
    });
    this.#known = true;
    this.#resultStartMs = this.#timeMs;
    if (this.#options.utteranceEndMs !== null && words.length > 0) {
      this.#utteranceEndDueMs = this.#lastSoundMs + this.#options.utteranceEndMs;
    }
  }
}
