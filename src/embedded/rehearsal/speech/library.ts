import { type ClauseText, speakable, splitClauses, spreadWords, type WordTime } from './clauses.ts';
import { createFramer, FEATURE_RATE, type Frame } from './features.ts';
import { createFlite } from './flite.ts';
import { resampleClip, toFloat, toInt16 } from './resample.ts';

/** What OpenAI's speech endpoint answers for `pcm`: signed 16-bit mono at this rate. */
export const SPEECH_RATE = 24_000;
/** Reference fingerprints are twice as fine as what is compared with them, so that a start in between fits. */
export const REFERENCE_HOP_MS = 10;
const KEPT_CLAUSES = 400;

/** One clause as one voice says it, with the fingerprint by which it is recognised again. */
export interface SpokenClause {
  readonly key: string;
  readonly samples: Int16Array;
  readonly frames: readonly Frame[];
  readonly peakDb: number;
  readonly words: readonly WordTime[];
  /** The same sound may belong to several texts ("Yes," and "Yes."). */
  readonly uses: Map<
    string,
    { readonly utterance: string; readonly index: number; tokens: readonly string[]; order: number }
  >;
}

/** A sound that was not made here: somebody's recording, a cough. */
export interface Recording {
  /** The request for speech that it answers, and in which voice; without one, in any. */
  readonly input: string;
  readonly voice?: string;
  /** What is recognised in it; nothing in a sound that is no words. */
  readonly words: string;
  /** At {@link SPEECH_RATE}. */
  readonly samples: Int16Array;
}

/** OpenAI's voices, spoken by the few that the synthesiser has. */
const VOICES: Record<string, string> = {
  echo: 'rms',
  onyx: 'rms',
  ash: 'rms',
  verse: 'rms',
  cedar: 'rms',
  fable: 'awb',
  ballad: 'awb',
};

/** Says texts, and remembers how each sounded so that the recogniser can tell which one it hears. */
export class SpeechLibrary {
  readonly #flite = createFlite();
  readonly #clauses = new Map<string, Promise<SpokenClause>>();
  readonly #ready = new Map<string, SpokenClause>();
  readonly #recorded = new Map<string, SpokenClause>();
  #order = 0;

  constructor(recordings: readonly Recording[] = []) {
    for (const recording of recordings) this.#learn(recording);
  }

  /** The whole text as samples at {@link SPEECH_RATE}, without silence before or after it. */
  async say(text: string, options: { voice?: string; speed?: number } = {}): Promise<Int16Array> {
    const recorded =
      this.#recorded.get(recordingKey(text, options.voice)) ?? this.#recorded.get(recordingKey(text));
    if (recorded) {
      for (const use of recorded.uses.values()) use.order = this.#order++;
      return recorded.samples;
    }
    const voice = VOICES[options.voice ?? ''] ?? 'slt';
    const stretch = 1 / Math.min(4, Math.max(0.25, options.speed ?? 1));
    const texts = splitClauses(text);
    const spoken = await Promise.all(texts.map((clause) => this.#clause(clause, voice, stretch)));
    const utterance = `${voice}|${stretch}|${speakable(text)}`;
    for (const [index, clause] of spoken.entries()) {
      const use = { utterance, index, tokens: texts[index]?.tokens ?? [], order: this.#order++ };
      clause.uses.set(`${utterance}|${index}`, use);
    }
    return join(spoken, texts);
  }

  /** Starts the synthesiser ahead of the first words, which would otherwise wait for it. */
  warmUp(): void {
    this.#flite.speak('hello', 'slt', 1).catch(() => {});
  }

  /** Every clause said lately: what the recogniser can hear. */
  known(): SpokenClause[] {
    return [...this.#recorded.values(), ...this.#ready.values()];
  }

  async close(): Promise<void> {
    await this.#flite.close();
  }

  #learn({ input, voice, words, samples }: Recording): void {
    const key = recordingKey(input, voice);
    const tokens = words.split(/\s+/u).filter((token) => token !== '');
    const uses = new Map([[key, { utterance: key, index: 0, tokens, order: this.#order++ }]]);
    this.#recorded.set(key, { key, samples, uses, ...fingerprint(toFloat(samples), SPEECH_RATE, tokens) });
  }

  #clause(text: ClauseText, voice: string, stretch: number): Promise<SpokenClause> {
    const words = text.tokens
      .join(' ')
      .toLowerCase()
      .replace(/[^a-z0-9$%'.,@& -]/g, '')
      .replace(/[.,]+$/, '');
    const key = `${voice}|${stretch}|${words}`;
    const existing = this.#clauses.get(key);
    if (existing !== undefined) {
      // Moved to the young end, so that what is still in use is not forgotten first.
      this.#clauses.delete(key);
      this.#clauses.set(key, existing);
      return existing;
    }
    const made = this.#make(key, words, voice, stretch, text.tokens);
    this.#clauses.set(key, made);
    made.then(
      (clause) => this.#ready.set(key, clause),
      () => this.#clauses.delete(key),
    );
    for (const oldest of this.#clauses.keys()) {
      if (this.#clauses.size <= KEPT_CLAUSES) break;
      this.#clauses.delete(oldest);
      this.#ready.delete(oldest);
    }
    return made;
  }

  async #make(
    key: string,
    words: string,
    voice: string,
    stretch: number,
    tokens: readonly string[],
  ): Promise<SpokenClause> {
    const made = await this.#flite.speak(words, voice, stretch);
    const trimmed = trimSilence(toFloat(made.samples), made.sampleRate);
    const samples = toInt16(resampleClip(trimmed, made.sampleRate, SPEECH_RATE));
    return { key, samples, uses: new Map(), ...fingerprint(trimmed, made.sampleRate, tokens) };
  }
}

function recordingKey(input: string, voice = ''): string {
  return `${voice}|${input}`;
}

function fingerprint(
  samples: Float32Array,
  sampleRate: number,
  tokens: readonly string[],
): Pick<SpokenClause, 'frames' | 'peakDb' | 'words'> {
  const frames = createFramer(REFERENCE_HOP_MS)(resampleClip(samples, sampleRate, FEATURE_RATE));
  const peakDb = frames.reduce((peak, frame) => Math.max(peak, frame.levelDb), -100);
  return { frames, peakDb, words: spreadWords(tokens, (samples.length / sampleRate) * 1000) };
}

function join(spoken: readonly SpokenClause[], texts: readonly ClauseText[]): Int16Array {
  const gap = (index: number) =>
    index === spoken.length - 1 ? 0 : Math.round(((texts[index]?.pauseAfterMs ?? 0) * SPEECH_RATE) / 1000);
  const length = spoken.reduce((sum, clause, index) => sum + clause.samples.length + gap(index), 0);
  const whole = new Int16Array(length);
  let offset = 0;
  for (const [index, clause] of spoken.entries()) {
    whole.set(clause.samples, offset);
    offset += clause.samples.length + gap(index);
  }
  return whole;
}

/** Takes away the synthesiser's silence around the words and leaves 20 ms, so that ends are true ends. */
function trimSilence(samples: Float32Array, sampleRate: number): Float32Array {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const audible = peak * 0.02;
  const margin = Math.round(sampleRate * 0.02);
  const first = samples.findIndex((sample) => Math.abs(sample) > audible);
  const last = samples.findLastIndex((sample) => Math.abs(sample) > audible);
  if (first < 0) return samples.slice(0, 0);
  return samples.slice(Math.max(0, first - margin), Math.min(samples.length, last + margin));
}
