import { VAD, type VADEvent, VADEventType, type VADStream, type voice } from '@livekit/agents';
import type { Clock } from './clock.ts';

/** So likely must it be, by one window of sound, that a caller begins to talk. A voice has begun after two beyond 0.5. */
const LIKELY = 0.4;
/** Words begin with sounds that are hardly a voice yet, as “stop” does; coughs and noise stay below this. */
const POSSIBLE = 0.05;
/** In the midst of “st” it is as unlikely as between two words; only what is below this is no voice. */
const NONE = 0.03;
/** What is so much louder than everything of the last second is new. An echo, a fan or a street is not. */
const LOUDER_DB = 10;
const AUDIBLE_DB = -50;
/** In windows of 32 ms: a second, of which the last are left out because a beginning may take as long. */
const LATELY = { windows: 31, swelling: 3 };
/** How long it takes to be known: to a likely voice two windows more, to a possible one a whole “st”. */
const HELD_MS = { possible: 200, likely: 120 };
/**
 * A hold for what was no voice is a hesitation, of which the agent loses no words. Still it is not done again for a
 * while, for twice as long each time on a noisy line, until a voice was one.
 */
const NOT_AGAIN_MS = { first: 3_000, longest: 48_000 };

export interface OnsetDeps {
  readonly clock: Clock;
  readonly isAgentSpeaking: () => boolean;
}

/**
 * A caller who begins to talk into the agent's words is given way at once.
 *
 * The framework stops the agent when a voice has been there for two windows of sound, asks for it with each window just
 * before it is told of the beginning, and so waits for a third. Here the agent holds with the first window in which a
 * voice is likely, or possible and suddenly loud, and goes on when there is none after all; and the framework is told
 * what it asks for with the window in which the voice has begun.
 */
export class Onset {
  readonly #deps: OnsetDeps;
  #output: Pick<voice.AudioOutput, 'pause' | 'resume'> | undefined;
  #heldByFramework = false;
  #held: { readonly voice: keyof typeof HELD_MS; readonly cancel: () => void } | undefined;
  #notBefore = 0;
  #notAgainMs = NOT_AGAIN_MS.first;
  /** How loud the caller's line was of late, while the agent spoke: with its echo, that is. */
  readonly #loudness: number[] = [];

  constructor(deps: OnsetDeps) {
    this.#deps = deps;
  }

  /** The framework's pauses and those from here are apart: whoever ends one does not end the other. */
  listen(output: Pick<voice.AudioOutput, 'pause' | 'resume'> | null): void {
    if (!output) return;
    const own = { pause: output.pause.bind(output), resume: output.resume.bind(output) };
    this.#output = own;
    output.pause = () => {
      this.#heldByFramework = true;
      own.pause();
    };
    output.resume = () => {
      this.#heldByFramework = false;
      if (!this.#held) own.resume();
    };
  }

  /** The judge of voices for the framework's session; one of `vad` may serve many calls. */
  watch(vad: VAD): VAD {
    return new WatchedVad(vad, (event) => this.#heard(event));
  }

  #heard(event: VADEvent): void {
    if (event.type !== VADEventType.INFERENCE_DONE) return;
    const isSudden = this.#isSudden(event);
    if (event.speaking) return;
    if (event.probability >= LIKELY) this.#hold('likely');
    else if (isSudden && event.probability >= POSSIBLE) this.#hold('possible');
    else if (event.probability < NONE) this.#release();
  }

  #isSudden({ frames }: VADEvent): boolean {
    const lately = this.#loudness;
    if (!this.#deps.isAgentSpeaking()) {
      lately.length = 0;
      return false;
    }
    const db = loudnessDb(frames);
    const before = lately.slice(0, -LATELY.swelling);
    lately.push(db);
    if (lately.length > LATELY.windows) lately.shift();
    return before.length >= LATELY.windows / 2 && db > AUDIBLE_DB && db > Math.max(...before) + LOUDER_DB;
  }

  #hold(voice: keyof typeof HELD_MS): void {
    const { clock, isAgentSpeaking } = this.#deps;
    if (this.#held) {
      if (this.#held.voice === voice || voice === 'possible') return;
      this.#held.cancel();
    } else {
      if (!this.#output || clock.now() < this.#notBefore || !isAgentSpeaking()) return;
      this.#output.pause();
    }
    this.#held = { voice, cancel: clock.after(HELD_MS[voice], () => this.#release()) };
  }

  #release(): void {
    const { clock } = this.#deps;
    if (!this.#held) return;
    this.#held.cancel();
    this.#held = undefined;
    if (this.#heldByFramework) {
      this.#notAgainMs = NOT_AGAIN_MS.first;
      return;
    }
    this.#notBefore = clock.now() + this.#notAgainMs;
    this.#notAgainMs = Math.min(NOT_AGAIN_MS.longest, this.#notAgainMs * 2);
    this.#output?.resume();
  }
}

/** Of full scale. */
function loudnessDb(frames: VADEvent['frames']): number {
  let energy = 0;
  let samples = 0;
  for (const { data } of frames) {
    for (const sample of data) energy += sample * sample;
    samples += data.length;
  }
  return 10 * Math.log10(energy / Math.max(1, samples) / 32_768 ** 2 + 1e-10);
}

class WatchedVad extends VAD {
  readonly label: string;
  readonly #vad: VAD;
  readonly #onEvent: (event: VADEvent) => void;

  constructor(vad: VAD, onEvent: (event: VADEvent) => void) {
    super(vad.capabilities);
    this.label = vad.label;
    this.#vad = vad;
    this.#onEvent = onEvent;
  }

  override get minSilenceDuration(): number | null {
    return this.#vad.minSilenceDuration;
  }

  override stream(): VADStream {
    const stream = this.#vad.stream();
    const original = stream.next.bind(stream);
    let again: VADEvent | undefined;
    stream.next = async () => {
      if (again) {
        const value = again;
        again = undefined;
        return { done: false, value };
      }
      const next = await original();
      if (next.done) return next;
      this.#onEvent(next.value);
      if (next.value.type === VADEventType.START_OF_SPEECH)
        again = { ...next.value, type: VADEventType.INFERENCE_DONE };
      return next;
    };
    return stream;
  }
}
