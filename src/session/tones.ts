import { AudioFrame } from '@livekit/rtc-node';

/** A quarter of full scale: clear on a telephone, and no fright. */
const LOUDNESS = 0.25;
const FRAME_MS = 20;

/** Two soft notes, a falling third: something is wrong, and the line is not dead. */
export function signalTone(sampleRate: number): AudioFrame[] {
  return frames(sampleRate, signalSamples(sampleRate));
}

export function silence(sampleRate: number, durationMs: number): AudioFrame[] {
  return frames(sampleRate, rest(sampleRate, durationMs));
}

/** The same two notes as samples. */
export function signalSamples(sampleRate: number): Int16Array {
  const parts = [
    note(sampleRate, 440, 180),
    rest(sampleRate, 60),
    note(sampleRate, 349, 260),
    rest(sampleRate, 200),
  ];
  const samples = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    samples.set(part, offset);
    offset += part.length;
  }
  return samples;
}

function rest(sampleRate: number, durationMs: number): Int16Array {
  return new Int16Array(Math.round((sampleRate * durationMs) / 1000));
}

function note(sampleRate: number, hertz: number, durationMs: number): Int16Array {
  const samples = rest(sampleRate, durationMs);
  for (let index = 0; index < samples.length; index += 1) {
    // Swells and fades, so that it does not click.
    const swell = Math.sin((Math.PI * index) / samples.length);
    samples[index] = Math.sin((2 * Math.PI * hertz * index) / sampleRate) * swell * LOUDNESS * 32_767;
  }
  return samples;
}

function frames(sampleRate: number, samples: Int16Array): AudioFrame[] {
  const size = (sampleRate * FRAME_MS) / 1000;
  const made: AudioFrame[] = [];
  for (let from = 0; from < samples.length; from += size) {
    const part = samples.slice(from, from + size);
    made.push(new AudioFrame(part, sampleRate, 1, part.length));
  }
  return made;
}
