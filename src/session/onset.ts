import { VAD, type VADEvent, VADEventType, type VADStream, type voice } from '@livekit/agents';
import type { Clock } from './clock.ts';

/** So likely must it be, by one window of sound, that a caller begins to talk. A voice has begun after two beyond 0.5. */
const LIKELY = 0.4;
/** Whether a voice has begun is known with the next two windows (32 ms each); by then the framework holds, or nobody. */
const HELD_MS = 120;
/**
 * Each hold for what was no voice costs up to a quarter of a second of the agent's words. So it is not done again for a
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
 * voice is likely, and goes on when the next ones don't bear it out; and the framework is told what it asks for with
 * the window in which the voice has begun.
 */
export class Onset {
  readonly #deps: OnsetDeps;
  #output: Pick<voice.AudioOutput, 'pause' | 'resume'> | undefined;
  #heldByFramework = false;
  #release: (() => void) | undefined;
  #notBefore = 0;
  #notAgainMs = NOT_AGAIN_MS.first;

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
      if (!this.#release) own.resume();
    };
  }

  /** The judge of voices for the framework's session; one of `vad` may serve many calls. */
  watch(vad: VAD): VAD {
    return new WatchedVad(vad, (event) => this.#heard(event));
  }

  #heard(event: VADEvent): void {
    if (event.type !== VADEventType.INFERENCE_DONE || event.speaking) return;
    if (event.probability >= LIKELY) this.#hold();
    else this.#release?.();
  }

  #hold(): void {
    const { clock, isAgentSpeaking } = this.#deps;
    const output = this.#output;
    if (!output || this.#release || clock.now() < this.#notBefore || !isAgentSpeaking()) return;
    const cancel = clock.after(HELD_MS, () => this.#release?.());
    this.#release = () => {
      cancel();
      this.#release = undefined;
      if (this.#heldByFramework) {
        this.#notAgainMs = NOT_AGAIN_MS.first;
        return;
      }
      this.#notBefore = clock.now() + this.#notAgainMs;
      this.#notAgainMs = Math.min(NOT_AGAIN_MS.longest, this.#notAgainMs * 2);
      output.resume();
    };
    output.pause();
  }
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
