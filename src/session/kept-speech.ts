import { type APIConnectOptions, tokenize, tts } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import type { FixedWords } from '../definitions/fixed-words.ts';
import { type Clock, within } from './clock.ts';

/** Sound that was made before, for all sessions of a process and for other processes of this machine. */
export interface Sounds {
  /** 16 bit samples, to be copied and not changed. Never throws: what can't be read is not there. */
  find(key: string): Promise<Int16Array | undefined>;
  keep(key: string, samples: Int16Array): void;
}

export interface Keeping {
  readonly sounds: Sounds;
  /** Everything but the words that shapes the sound. */
  readonly voice: Readonly<Record<string, string | number>>;
  /** What is said to everybody, so that its sound may be kept. */
  readonly words: FixedWords;
  readonly clock: Clock;
}

/** Marks in the framework's metrics what was not asked of the service. */
export const KEPT_SOUND = 'kept';

/**
 * A disk that takes longer than all of them is no help; the service is asked then. In parts, because a process that
 * was busy finds both ready, what was read and the end of a wait, and sees to the wait first.
 */
const LOOKUP_PARTS = 10;
const LOOKUP_PART_MS = 50;
const FRAMES_A_SECOND = 10;

/**
 * Keeps the sound of words that are said to everybody, and speaks them from there: at once, for nothing, and also
 * while the speech service is down. Everything else goes to the service as it is.
 */
export class KeptSpeech extends tts.TTS {
  label = 'floorwalker.KeptSpeech';
  readonly inner: tts.TTS;
  readonly #keeping: Keeping;
  /** Prepared and not yet asked for. */
  readonly #begun = new Map<string, tts.ChunkedStream>();
  readonly #asked = new Set<string>();

  constructor(inner: tts.TTS, keeping: Keeping) {
    super(inner.sampleRate, inner.numChannels, { streaming: false });
    this.inner = inner;
    this.#keeping = keeping;
    inner.on('error', (error) => this.emit('error', error));
  }

  /**
   * What is going to be said as soon as the caller is there: looked for, and asked of the service where it is not kept,
   * while the call is still being connected.
   */
  prepare(words: string): void {
    const sentences = new tokenize.basic.SentenceTokenizer().tokenize(words);
    for (const sentence of new Set(sentences)) void this.#prepare(sentence);
  }

  override get model(): string {
    return this.inner.model;
  }

  override get provider(): string {
    return this.inner.provider;
  }

  override synthesize(
    words: string,
    connOptions?: APIConnectOptions,
    abortSignal?: AbortSignal,
  ): tts.ChunkedStream {
    if (!this.#keeping.words.include(words)) return this.make(words, connOptions, abortSignal);
    return new KeptStream(this, words, connOptions, abortSignal);
  }

  /** @internal The service's sound, which may be on its way already; whoever asks again after a failure asks anew. */
  make(words: string, connOptions?: APIConnectOptions, abortSignal?: AbortSignal): tts.ChunkedStream {
    this.#asked.add(words);
    const begun = this.#begun.get(words);
    if (!begun) return this.inner.synthesize(words, connOptions, abortSignal);
    this.#begun.delete(words);
    abortSignal?.addEventListener('abort', () => begun.close(), { once: true });
    return begun;
  }

  override stream(): tts.SynthesizeStream {
    throw new Error('Sentences are synthesised one by one.');
  }

  override async close(): Promise<void> {
    await this.inner.close();
  }

  /** @internal */
  async find(words: string): Promise<Int16Array | undefined> {
    const { clock, sounds } = this.#keeping;
    const looked = sounds.find(this.#key(words)).then((samples) => ({ samples }));
    for (let part = 0; part < LOOKUP_PARTS; part += 1) {
      const found = await within(clock, LOOKUP_PART_MS, looked);
      if (found) return found.samples;
    }
    return undefined;
  }

  /** @internal */
  keep(words: string, frames: readonly AudioFrame[]): void {
    // What a service gives in another form than it says can't be played again by what it said.
    const asSaid = frames.every(
      ({ sampleRate, channels }) => sampleRate === this.sampleRate && channels === this.numChannels,
    );
    if (asSaid) this.#keeping.sounds.keep(this.#key(words), joined(frames));
  }

  async #prepare(sentence: string): Promise<void> {
    if (this.#keeping.words.include(sentence) && (await this.find(sentence))) return;
    if (!this.#asked.has(sentence)) this.#begun.set(sentence, this.inner.synthesize(sentence));
  }

  #key(words: string): string {
    const { voice } = this.#keeping;
    const shape = { ...voice, model: this.model, rate: this.sampleRate, channels: this.numChannels, words };
    return JSON.stringify(Object.entries(shape).sort(([one], [other]) => (one < other ? -1 : 1)));
  }
}

class KeptStream extends tts.ChunkedStream {
  label = 'floorwalker.KeptStream';
  readonly #owner: KeptSpeech;
  readonly #connection: APIConnectOptions | undefined;

  constructor(owner: KeptSpeech, words: string, connOptions?: APIConnectOptions, abortSignal?: AbortSignal) {
    super(words, owner, connOptions, abortSignal);
    this.#owner = owner;
    this.#connection = connOptions;
  }

  protected async run(): Promise<void> {
    const kept = await this.#owner.find(this.inputText);
    if (this.abortSignal.aborted) return;
    if (kept) this.#play(kept);
    else await this.#make();
  }

  #play(samples: Int16Array): void {
    const { numChannels, sampleRate } = this.#owner;
    const size = (sampleRate * numChannels) / FRAMES_A_SECOND;
    for (let from = 0; from < samples.length; from += size) {
      // A copy: a frame is handed to the native side by the whole of its buffer, and what is kept is played again.
      const part = samples.slice(from, from + size);
      this.queue.put({
        requestId: KEPT_SOUND,
        segmentId: KEPT_SOUND,
        frame: new AudioFrame(part, sampleRate, numChannels, part.length / numChannels),
        final: from + size >= samples.length,
      });
    }
  }

  async #make(): Promise<void> {
    const frames: AudioFrame[] = [];
    let complete = false;
    for await (const sound of this.#owner.make(this.inputText, this.#connection, this.abortSignal)) {
      frames.push(sound.frame);
      complete = sound.final;
      if (!this.abortSignal.aborted) this.queue.put(sound);
    }
    // A sentence that broke off, or was broken off, would be kept as such.
    if (complete && !this.abortSignal.aborted) this.#owner.keep(this.inputText, frames);
  }
}

function joined(frames: readonly AudioFrame[]): Int16Array {
  const samples = new Int16Array(frames.reduce((sum, { data }) => sum + data.length, 0));
  let offset = 0;
  for (const { data } of frames) {
    samples.set(data, offset);
    offset += data.length;
  }
  return samples;
}
