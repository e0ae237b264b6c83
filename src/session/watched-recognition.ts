import { type APIConnectOptions, type AudioBuffer, stt } from '@livekit/agents';
import type { AudioFrame } from '@livekit/rtc-node';
import type { Log } from '../log.ts';

export interface WatchedRecognitionOptions {
  /** Sound must have been heard for this long before an answer is missed. */
  readonly soundMs?: number;
  /** A stream that says nothing for this long after sound began is taken for dead. */
  readonly answerWithinMs?: number;
  readonly log: Log;
}

/** Sound that is kept for a stream that takes over; longer speech without any answer loses its beginning. */
const REPLAY_MS = 15_000;
/** Louder than this is sound (root mean square of full scale); breath and line noise are below. */
const SOUND_LEVEL = 0.01;
const LONGEST_ANSWER_MS = 60_000;

/**
 * Keeps a caller understood when the recognition service's connection is lost.
 *
 * The Deepgram plugin (1.9.0) only logs a connection that closes in mid-stream: no error reaches the session,
 * nothing connects again, and what the caller says from then on is lost. Here a stream that does not answer to
 * sound is replaced by a new one, which is given the unanswered sound once more.
 */
export class WatchedRecognition extends stt.STT {
  label = 'floorwalker.WatchedRecognition';
  readonly inner: stt.STT;
  readonly options: WatchedRecognitionOptions;

  constructor(inner: stt.STT, options: WatchedRecognitionOptions) {
    super(inner.capabilities);
    this.inner = inner;
    this.options = options;
    inner.on('metrics_collected', (metrics) => this.emit('metrics_collected', metrics));
    // A stream that fails is replaced like one that is silent; the session would end on the error.
    inner.on('error', ({ error }) => options.log.warn({ err: error }, 'speech recognition failed'));
  }

  override get model(): string {
    return this.inner.model;
  }

  override get provider(): string {
    return this.inner.provider;
  }

  /** Not passed on: the plugin answers by connecting again, and its old sender then takes every other frame. */
  override _updateSessionKeyterms(): void {}

  override stream(options?: { connOptions?: APIConnectOptions }): stt.SpeechStream {
    return new WatchedStream(this, options?.connOptions);
  }

  override async close(): Promise<void> {
    await this.inner.close();
  }

  protected override async _recognize(frame: AudioBuffer, signal?: AbortSignal): Promise<stt.SpeechEvent> {
    return this.inner.recognize(frame, signal);
  }
}

class WatchedStream extends stt.SpeechStream {
  label = 'floorwalker.WatchedStream';
  readonly #owner: WatchedRecognition;
  readonly #connection: { connOptions?: APIConnectOptions };
  #current: stt.SpeechStream | undefined;
  #currentEnded: Promise<void> = Promise.resolve();
  /** Sound since the last answer. */
  #unanswered: AudioFrame[] = [];
  #unansweredMs = 0;
  #soundMs = 0;
  #sinceSoundMs = 0;
  #elapsedMs = 0;
  #speaking = false;
  #answerWithinMs: number;

  constructor(owner: WatchedRecognition, connOptions?: APIConnectOptions) {
    super(owner, undefined, connOptions);
    this.#owner = owner;
    this.#connection = connOptions ? { connOptions } : {};
    this.#answerWithinMs = this.#patienceMs;
  }

  get #patienceMs(): number {
    return this.#owner.options.answerWithinMs ?? 2_000;
  }

  /** The inner stream counts already. */
  protected override async monitorMetrics(): Promise<void> {
    for await (const event of this.queue) {
      if (!this.output.closed) this.output.put(event);
    }
    if (!this.output.closed) this.output.close();
  }

  protected async run(): Promise<void> {
    this.#open();
    this.abortSignal.addEventListener('abort', () => this.#current?.close(), { once: true });
    for await (const frame of this.input) {
      if (this.abortSignal.aborted) return;
      if (typeof frame === 'symbol') this.#pass((stream) => stream.flush());
      else this.#hear(frame);
    }
    this.#pass((stream) => stream.endInput());
    await this.#currentEnded;
  }

  #open(): void {
    const stream = this.#owner.inner.stream(this.#connection);
    stream.startTimeOffset = this.startTimeOffset + (this.#elapsedMs - this.#unansweredMs) / 1000;
    this.#current = stream;
    this.#currentEnded = this.#forward(stream);
  }

  async #forward(stream: stt.SpeechStream): Promise<void> {
    for await (const event of stream) {
      if (stream !== this.#current) return;
      this.#answered(event);
    }
  }

  #answered(event: stt.SpeechEvent): void {
    if (event.type !== stt.SpeechEventType.RECOGNITION_USAGE) {
      this.#unanswered = [];
      this.#unansweredMs = this.#soundMs = this.#sinceSoundMs = 0;
      this.#answerWithinMs = this.#patienceMs;
    }
    if (event.type === stt.SpeechEventType.START_OF_SPEECH) {
      // A stream that took over begins the same speech once more.
      if (this.#speaking) return;
      this.#speaking = true;
    }
    if (event.type === stt.SpeechEventType.END_OF_SPEECH) this.#speaking = false;
    if (!this.queue.closed) this.queue.put(event);
  }

  #hear(frame: AudioFrame): void {
    const durationMs = (frame.samplesPerChannel / frame.sampleRate) * 1000;
    this.#elapsedMs += durationMs;
    this.#remember(frame, durationMs);
    if (isSound(frame)) this.#soundMs += durationMs;
    if (this.#soundMs > 0) this.#sinceSoundMs += durationMs;
    this.#pass((stream) => stream.pushFrame(frame));
    // The sound itself is the clock: while no frames come there is nothing to be answered.
    const isMissed = this.#soundMs >= (this.#owner.options.soundMs ?? 300);
    if (isMissed && this.#sinceSoundMs >= this.#answerWithinMs) this.#replace();
  }

  #replace(): void {
    this.#owner.options.log.warn(
      { unansweredMs: Math.round(this.#unansweredMs) },
      'speech recognition does not answer; connecting again',
    );
    const dead = this.#current;
    this.#open();
    dead?.close();
    for (const frame of this.#unanswered) this.#pass((stream) => stream.pushFrame(frame));
    // Noise that is no speech stays unanswered too: ask less and less often.
    this.#answerWithinMs = Math.min(this.#answerWithinMs * 2, LONGEST_ANSWER_MS);
    this.#sinceSoundMs = 0;
  }

  #remember(frame: AudioFrame, durationMs: number): void {
    this.#unanswered.push(frame);
    this.#unansweredMs += durationMs;
    // Before any sound only what a word may begin with is worth keeping.
    const keptMs = this.#soundMs > 0 ? REPLAY_MS : 500;
    while (this.#unansweredMs > keptMs && this.#unanswered.length > 1) {
      const dropped = this.#unanswered.shift();
      if (dropped) this.#unansweredMs -= (dropped.samplesPerChannel / dropped.sampleRate) * 1000;
    }
  }

  /** A stream that has ended by itself throws; its silence is noticed with the next sound. */
  #pass(action: (stream: stt.SpeechStream) => void): void {
    try {
      if (this.#current) action(this.#current);
    } catch (err) {
      this.#owner.options.log.debug({ err }, 'a recognition stream took no more sound');
    }
  }
}

function isSound(frame: AudioFrame): boolean {
  let energy = 0;
  for (const sample of frame.data) energy += sample * sample;
  return Math.sqrt(energy / Math.max(1, frame.data.length)) / 32768 > SOUND_LEVEL;
}
