import { type APIConnectOptions, tts } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import type { Log } from '../log.ts';
import { type Clock, delay, within } from './clock.ts';
import { signalTone, silence } from './tones.ts';

export interface SteadySpeechOptions {
  /** Said in the voice of before when the service fails; made ahead of time, while it works. */
  readonly apology: string;
  /** A request that gives no sound within this time has failed. */
  readonly firstSoundMs?: number;
  /** A sentence could not be spoken. */
  readonly onUnspoken?: (() => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const ATTEMPTS = 2;
const PAUSE_MS = 300;
/** Twice that is less than the 10 s after which the framework gives up a speech without sound. */
const FIRST_SOUND_MS = 3_500;
/** Sentence after sentence may fail; the apology is not said for each of them. */
const APOLOGY_EVERY_MS = 15_000;
const BETWEEN_MS = 200;

/**
 * Keeps a caller from dead silence when the speech service fails.
 *
 * The OpenAI plugin (1.9.0) makes its request once, whatever retries are asked for, and what it can't say is dropped
 * without a sound. Here a sentence is tried again, and when it still can't be spoken the caller hears an apology that
 * was made ahead of time, or at least a tone. Its words reach a caller with a screen all the same, because the
 * framework sends them along with whatever sound there is.
 */
export class SteadySpeech extends tts.TTS {
  label = 'floorwalker.SteadySpeech';
  readonly inner: tts.TTS;
  readonly options: SteadySpeechOptions;
  #apology: AudioFrame[] | undefined;
  #preparing = false;
  #apologisedAt = Number.NEGATIVE_INFINITY;

  constructor(inner: tts.TTS, options: SteadySpeechOptions) {
    super(inner.sampleRate, inner.numChannels, { streaming: false });
    this.inner = inner;
    this.options = options;
    // What fails is tried again here; the session would take it for the end.
    inner.on('error', ({ error }) => options.log.warn({ err: error }, 'the speech service failed'));
  }

  override get model(): string {
    return this.inner.model;
  }

  override get provider(): string {
    return this.inner.provider;
  }

  override synthesize(
    text: string,
    connOptions?: APIConnectOptions,
    abortSignal?: AbortSignal,
  ): tts.ChunkedStream {
    return new SteadyStream(this, text, connOptions, abortSignal);
  }

  override stream(): tts.SynthesizeStream {
    throw new Error('Sentences are synthesised one by one.');
  }

  override async close(): Promise<void> {
    await this.inner.close();
  }

  /** @internal The service works: now is the time to make what is needed when it doesn't. */
  works(): void {
    if (this.#preparing) return;
    this.#preparing = true;
    this.#prepare().catch((err: unknown) =>
      this.options.log.debug({ err }, 'the apology could not be made ahead of time'),
    );
  }

  /** @internal What the caller hears in the place of a sentence that could not be spoken. */
  substitute(): readonly AudioFrame[] {
    const { clock } = this.options;
    const now = clock.now();
    if (now - this.#apologisedAt < APOLOGY_EVERY_MS) return silence(this.sampleRate, BETWEEN_MS);
    this.#apologisedAt = now;
    // Frames are played once: the framework marks them.
    return this.#apology?.map(copy) ?? signalTone(this.sampleRate);
  }

  async #prepare(): Promise<void> {
    const frames: AudioFrame[] = [];
    for await (const { frame } of this.inner.synthesize(this.options.apology)) frames.push(copy(frame));
    if (frames.length > 0) this.#apology = frames;
    else this.#preparing = false;
  }
}

class SteadyStream extends tts.ChunkedStream {
  label = 'floorwalker.SteadyStream';
  readonly #owner: SteadySpeech;
  readonly #connection: APIConnectOptions | undefined;

  constructor(owner: SteadySpeech, text: string, connOptions?: APIConnectOptions, abortSignal?: AbortSignal) {
    super(text, owner, connOptions, abortSignal);
    this.#owner = owner;
    this.#connection = connOptions;
  }

  protected async run(): Promise<void> {
    const { clock, log } = this.#owner.options;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (attempt > 1) await delay(clock, PAUSE_MS);
      if (this.abortSignal.aborted) return;
      if (await this.#speak()) return this.#owner.works();
      if (this.abortSignal.aborted) return;
      log.warn({ attempt }, 'a sentence could not be spoken');
    }
    // Not as an error event: the framework's adapter passes it on to nobody, and an event that nobody takes throws.
    this.#owner.options.onUnspoken?.();
    const frames = this.#owner.substitute();
    for (const [index, frame] of frames.entries()) {
      this.queue.put({
        requestId: 'substitute',
        segmentId: 'substitute',
        frame,
        final: index === frames.length - 1,
      });
    }
  }

  /** @returns whether there was any sound; what was heard can't be taken back, so a sentence that breaks off stays so. */
  async #speak(): Promise<boolean> {
    const { inner, options } = this.#owner;
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    this.abortSignal.addEventListener('abort', stop, { once: true });
    const sounds = inner.synthesize(this.inputText, this.#connection, abort.signal);
    const next = (): Promise<IteratorResult<tts.SynthesizedAudio>> => sounds.next();
    try {
      const limitMs = options.firstSoundMs ?? FIRST_SOUND_MS;
      let sound = await within(options.clock, limitMs, next());
      if (sound === undefined || sound.done) return false;
      while (!sound.done) {
        if (this.abortSignal.aborted) return true;
        this.queue.put(sound.value);
        sound = await next();
      }
      return true;
    } finally {
      this.abortSignal.removeEventListener('abort', stop);
      abort.abort();
    }
  }
}

function copy(frame: AudioFrame): AudioFrame {
  return new AudioFrame(frame.data.slice(), frame.sampleRate, frame.channels, frame.samplesPerChannel);
}
