import type { LocalAudioTrack } from 'livekit-client';
import { loadLiveKit } from '../conversation/room-link.ts';

export interface Level {
  /** 0 to 1. */
  readonly level: number;
  readonly everHeard: boolean;
  readonly silentSeconds: number;
}

/** The meter's ends in dBFS: a quiet room, and a loud voice. Above the middle somebody speaks. */
const QUIET_DB = -60;
const LOUD_DB = -12;
const VOICE = 0.3;
const EVERY_MS = 60;

/** The customer's microphone and how loud it is. */
export class OpenMicrophone {
  readonly track: LocalAudioTrack;
  readonly #tap: { readonly analyser: AnalyserNode; readonly cleanup: () => Promise<void> };
  readonly #samples: Float32Array<ArrayBuffer>;
  readonly #openedAt = Date.now();
  #everHeard = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(track: LocalAudioTrack, tap: { analyser: AnalyserNode; cleanup: () => Promise<void> }) {
    this.track = track;
    this.#tap = tap;
    this.#samples = new Float32Array(tap.analyser.fftSize);
  }

  /** Asks for it; the browser may ask the customer. @throws what `getUserMedia` throws */
  static async open(): Promise<OpenMicrophone> {
    if (!globalThis.isSecureContext)
      throw new DOMException('no microphone on plain http', 'InsecureContextError');
    const { createLocalAudioTrack, createAudioAnalyser } = await loadLiveKit();
    const track = await createLocalAudioTrack({
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    });
    return new OpenMicrophone(track, createAudioAnalyser(track));
  }

  onLevel(tell: (level: Level) => void): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      const level = this.#level();
      this.#everHeard ||= level > VOICE;
      tell({ level, everHeard: this.#everHeard, silentSeconds: (Date.now() - this.#openedAt) / 1_000 });
    }, EVERY_MS);
  }

  #level(): number {
    this.#tap.analyser.getFloatTimeDomainData(this.#samples);
    let energy = 0;
    for (const sample of this.#samples) energy += sample * sample;
    const decibel = 10 * Math.log10(energy / this.#samples.length + 1e-10);
    return Math.min(1, Math.max(0, (decibel - QUIET_DB) / (LOUD_DB - QUIET_DB)));
  }

  /** @returns whether it is muted now */
  async mute(muted: boolean): Promise<boolean> {
    if (muted) await this.track.mute();
    else await this.track.unmute();
    return this.track.isMuted;
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#tap.cleanup().catch(() => undefined);
    this.track.stop();
  }
}
