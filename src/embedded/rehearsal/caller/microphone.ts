import {
  AudioFrame,
  AudioSource,
  LocalAudioTrack,
  type Room,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';

const RATE = 24_000;
const FRAME = RATE / 50;
/** How far ahead of real time frames are handed over; more would delay what is said next. */
const QUEUE_MS = 100;

export interface Spoken {
  /** Date.now() of the first sample and of the true end of speech. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly cut: boolean;
}

interface Utterance {
  readonly samples: Int16Array;
  offset: number;
  startedAt: number;
  done(spoken: Spoken): void;
  failed(error: Error): void;
}

/** A microphone that is always open: silence between utterances, as from a real one, so that ends can be heard. */
export class Microphone {
  readonly #source = new AudioSource(RATE, 1, QUEUE_MS);
  readonly #queue: Utterance[] = [];
  #closed = false;
  #pump: Promise<void> = Promise.resolve();
  #sid: string | undefined;
  /** Why nothing can be said any more. */
  #broken: Error | undefined;

  async publish(room: Room): Promise<void> {
    const track = LocalAudioTrack.createAudioTrack('microphone', this.#source);
    const options = new TrackPublishOptions();
    options.source = TrackSource.SOURCE_MICROPHONE;
    const publication = await room.localParticipant?.publishTrack(track, options);
    this.#sid = publication?.sid;
    this.#pump = this.#run();
  }

  get trackSid(): string | undefined {
    return this.#sid;
  }

  /** Plays samples (24 kHz) in real time, after what is still being said. */
  say(samples: Int16Array): Promise<Spoken> {
    return new Promise((done, failed) => {
      if (this.#broken) failed(this.#broken);
      else this.#queue.push({ samples, offset: 0, startedAt: 0, done, failed });
    });
  }

  /** Breaks off what is being said, as somebody who is interrupted does. */
  hush(): void {
    const now = Date.now() + this.#source.queuedDuration;
    for (const utterance of this.#queue.splice(0)) {
      utterance.done({ startedAt: utterance.startedAt, endedAt: now, cut: true });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.hush();
    await this.#pump;
    await this.#source.close();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const samples = new Int16Array(FRAME);
      const current = this.#queue[0];
      let ended = false;
      if (current !== undefined) {
        if (current.offset === 0) current.startedAt = Date.now() + this.#source.queuedDuration;
        const part = current.samples.subarray(current.offset, current.offset + FRAME);
        samples.set(part);
        current.offset += FRAME;
        ended = current.offset >= current.samples.length;
        if (ended) this.#queue.shift();
      }
      try {
        await this.#source.captureFrame(new AudioFrame(samples, RATE, 1, FRAME));
      } catch (error) {
        // The room is gone, or the source: whoever speaks must not wait for ever.
        this.#break(new Error('the microphone does not take sound any more', { cause: error }), current);
        return;
      }
      if (current !== undefined && ended) this.#finish(current);
    }
  }

  #break(error: Error, current: Utterance | undefined): void {
    this.#broken = error;
    for (const utterance of new Set([...(current ? [current] : []), ...this.#queue.splice(0)])) {
      utterance.failed(error);
    }
  }

  #finish(utterance: Utterance): void {
    const remainingMs = this.#source.queuedDuration;
    const { startedAt } = utterance;
    setTimeout(() => utterance.done({ startedAt, endedAt: Date.now(), cut: false }), remainingMs);
  }
}
