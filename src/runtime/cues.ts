import type { AudioFrame } from '@livekit/rtc-node';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

/** What OpenAI's speech endpoint gives as `pcm`. */
export const CUE_SAMPLE_RATE = 24_000;
const FRAME_MS = 20;
const WITHIN_MS = 8_000;
/** Announcements of a few wordings, numbers and voices; the oldest goes. */
const KEPT = 200;

export interface CueVoice {
  readonly model: string;
  readonly voice: string;
  readonly speed: number;
}

/** A sound as an audio source takes it. @param Frame of LiveKit's client, which is loaded where something is to be said */
export function* cueFrames(samples: Int16Array, Frame: typeof AudioFrame): Generator<AudioFrame> {
  const size = (CUE_SAMPLE_RATE * FRAME_MS) / 1000;
  for (let from = 0; from < samples.length; from += size) {
    const part = samples.slice(from, from + size);
    yield new Frame(part, CUE_SAMPLE_RATE, 1, part.length);
  }
}

/** Spoken announcements, made once and then kept: a hundred callers who wait cost no more than one. */
export class Cues {
  readonly #speech: Config['speech'];
  readonly #log: Log;
  readonly #made = new Map<string, Promise<Int16Array | undefined>>();

  constructor(speech: Config['speech'], log: Log) {
    this.#speech = speech;
    this.#log = log;
  }

  /** The sound of a text; undefined when the speech service can't make it. */
  async of(text: string, voice: CueVoice): Promise<Int16Array | undefined> {
    const key = JSON.stringify([text, voice]);
    const made = this.#made.get(key) ?? this.#make(text, voice);
    // Last used is last in the map.
    this.#made.delete(key);
    this.#made.set(key, made);
    for (const oldest of this.#made.keys()) {
      if (this.#made.size <= KEPT) break;
      this.#made.delete(oldest);
    }
    const sound = await made;
    if (sound === undefined && this.#made.get(key) === made) this.#made.delete(key);
    return sound;
  }

  async #make(text: string, { model, voice, speed }: CueVoice): Promise<Int16Array | undefined> {
    const { openaiApiKey, openaiBaseUrl = 'https://api.openai.com/v1' } = this.#speech;
    try {
      const response = await fetch(`${openaiBaseUrl}/audio/speech`, {
        method: 'POST',
        headers: { authorization: `Bearer ${openaiApiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ input: text, model, voice, speed, response_format: 'pcm' }),
        signal: AbortSignal.timeout(WITHIN_MS),
      });
      if (!response.ok) throw new Error(`the speech service answered ${response.status}`);
      const bytes = await response.arrayBuffer();
      return new Int16Array(bytes, 0, Math.floor(bytes.byteLength / 2));
    } catch (err) {
      this.#log.warn({ err }, 'an announcement could not be made');
      return undefined;
    }
  }
}
