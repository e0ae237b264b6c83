import type { AlertKind } from './alerts.ts';

/** Two or three soft notes each: told apart by ear, and not startling in headphones. In hertz. */
const NOTES: Readonly<Record<AlertKind, readonly number[]>> = {
  permission: [659, 880],
  human: [523, 659, 784],
  critical: [440, 349, 440],
  silence: [392, 330],
};
const NOTE_SECONDS = 0.16;
const LOUDNESS = 0.14;

let audio: AudioContext | undefined;
const told = new Set<() => void>();

/** Browsers allow sound only after a person has done something on the page; before, this changes nothing. */
export function allowSounds(): void {
  if (!audio) {
    audio = new AudioContext();
    audio.addEventListener('statechange', () => {
      for (const tell of [...told]) tell();
    });
  }
  if (audio.state === 'suspended') void audio.resume();
}

export function soundsBlocked(): boolean {
  return audio !== undefined && audio.state !== 'running';
}

export function onSoundsChange(tell: () => void): () => void {
  told.add(tell);
  return () => told.delete(tell);
}

export function play(kind: AlertKind): void {
  if (audio?.state !== 'running') return;
  const begin = audio.currentTime + 0.02;
  NOTES[kind].forEach((frequency, index) => {
    if (!audio) return;
    const at = begin + index * NOTE_SECONDS;
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.type = 'sine';
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + NOTE_SECONDS * 1.6);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + NOTE_SECONDS * 1.7);
  });
}
