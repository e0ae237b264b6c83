import { voice } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import type { Clock } from './clock.ts';

/** What plays sound into a room, some of it ahead of time; an `AudioSource` of LiveKit's client is one. */
export interface SoundSource {
  readonly sampleRate: number;
  /** What it has been given and has not played, in milliseconds. */
  readonly queuedDuration: number;
  /** Resolves when there is room for more. */
  captureFrame(frame: AudioFrame): Promise<void>;
  waitForPlayout(): Promise<void>;
  clearQueue(): void;
  close(): Promise<void>;
}

/** So much of what was given last is at hand, to be said again; a source holds less of it ahead. */
const AT_HAND_MS = 1_000;

interface Given {
  readonly frame: AudioFrame;
  readonly segment: Segment;
  taken(): void;
  failed(error: unknown): void;
}

/** What is said in one go, from its first frame to its flush. */
class Segment {
  readonly cut = Promise.withResolvers<void>();
  /** What was given to the source and not played yet, and somewhat more. */
  readonly recent: AudioFrame[] = [];
  begun = false;
  isCut = false;
  playedMs = 0;
  finishing: Promise<void> | undefined;
}

/**
 * The agent's voice in the room, which is silent at the moment it is told to pause, and loses no word by it.
 *
 * The framework's own output lets go of what its source holds only when the next frame is given to it, which is as late as
 * a frame is long (100 ms), and not at all when there is no further one; and what it lets go is never heard. Here that is
 * taken back at once, and heard first when the voice goes on.
 */
export class YieldingOutput extends voice.AudioOutput {
  readonly #source: SoundSource;
  readonly #audible: Promise<void>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #waiting: Given[] = [];
  #segment: Segment | undefined;
  #isHeld = false;
  #giving: Promise<void> | undefined;
  /** Resolves when there is something to give, or nothing any more. */
  #stirred = Promise.withResolvers<void>();
  #cuts = 0;

  /** @param audible resolves when the caller can hear what is played. */
  constructor(source: SoundSource, audible: Promise<void>, clock: Pick<Clock, 'now'>) {
    super(source.sampleRate, undefined, { pause: true });
    this.#source = source;
    this.#audible = audible;
    this.#clock = clock;
  }

  override async captureFrame(frame: AudioFrame): Promise<void> {
    const cuts = this.#cuts;
    await this.#audible;
    await this.#segment?.finishing;
    if (cuts !== this.#cuts) return;
    const counted = super.captureFrame(frame);
    this.#segment ??= new Segment();
    const segment = this.#segment;
    await counted;
    if (segment.isCut) return;
    const { promise, resolve: taken, reject: failed } = Promise.withResolvers<void>();
    this.#waiting.push({ frame, segment, taken, failed });
    this.#give();
    await Promise.race([promise, segment.cut.promise]);
  }

  override pause(): void {
    super.pause();
    if (this.#isHeld) return;
    this.#isHeld = true;
    if (this.#segment) this.#takeBack(this.#segment);
  }

  override resume(): void {
    super.resume();
    this.#isHeld = false;
    this.#give();
  }

  override flush(): void {
    super.flush();
    const segment = this.#segment;
    if (segment) segment.finishing ??= this.#finish(segment);
  }

  override clearBuffer(): void {
    this.#cuts += 1;
    const segment = this.#segment;
    if (!segment || segment.isCut) return;
    segment.isCut = true;
    segment.playedMs -= this.#source.queuedDuration;
    this.#source.clearQueue();
    this.#waiting.length = 0;
    segment.cut.resolve();
    this.flush();
  }

  async close(): Promise<void> {
    this.clearBuffer();
    await this.#source.close();
  }

  #give(): void {
    this.#giving ??= this.#pump().finally(() => {
      this.#giving = undefined;
      this.#stirred.resolve();
      this.#stirred = Promise.withResolvers<void>();
      // Given, or let go, in the same moment.
      if (!this.#isHeld && this.#waiting.length > 0) this.#give();
    });
  }

  async #pump(): Promise<void> {
    while (!this.#isHeld) {
      const given = this.#waiting.shift();
      if (!given) return;
      const { frame, segment, taken, failed } = given;
      if (!segment.begun) {
        segment.begun = true;
        this.onPlaybackStarted(this.#clock.now());
      }
      segment.recent.push(frame);
      segment.playedMs += durationMs(frame);
      let atHandMs = segment.recent.reduce((sum, one) => sum + durationMs(one), 0);
      while (segment.recent[0] && atHandMs - durationMs(segment.recent[0]) > AT_HAND_MS)
        atHandMs -= durationMs(segment.recent.shift() ?? frame);
      try {
        await this.#source.captureFrame(frame);
        taken();
      } catch (error) {
        failed(error);
      }
    }
  }

  /** What the source has not played is heard first when the voice goes on. */
  #takeBack(segment: Segment): void {
    let left = Math.round((this.#source.queuedDuration * this.#source.sampleRate) / 1_000);
    if (left === 0) return;
    this.#source.clearQueue();
    const again: AudioFrame[] = [];
    for (let frame = segment.recent.pop(); frame && left > 0; frame = segment.recent.pop()) {
      const part = lastOf(frame, left);
      left -= part.samplesPerChannel;
      segment.playedMs -= durationMs(part);
      again.unshift(part);
    }
    segment.recent.length = 0;
    const nobody = (): void => {};
    this.#waiting.unshift(...again.map((frame) => ({ frame, segment, taken: nobody, failed: nobody })));
  }

  async #finish(segment: Segment): Promise<void> {
    await Promise.race([this.#played(), segment.cut.promise]);
    this.#segment = undefined;
    const playbackPosition = Math.max(0, segment.playedMs) / 1_000;
    this.onPlaybackFinished({ playbackPosition, interrupted: segment.isCut });
  }

  /** Resolves when all that was given has been played; what was taken back in the meantime too. */
  async #played(): Promise<void> {
    do {
      while (this.#giving || this.#waiting.length > 0) await this.#stirred.promise;
      await this.#source.waitForPlayout();
    } while (this.#giving || this.#waiting.length > 0);
  }
}

function durationMs({ samplesPerChannel, sampleRate }: AudioFrame): number {
  return (samplesPerChannel / sampleRate) * 1_000;
}

function lastOf(frame: AudioFrame, samples: number): AudioFrame {
  const { data, channels, sampleRate, samplesPerChannel } = frame;
  if (samples >= samplesPerChannel) return frame;
  // A copy: a frame is handed to the native side by the whole of its buffer.
  const part = data.slice(data.length - samples * channels);
  return new AudioFrame(part, sampleRate, channels, samples);
}
