import { type Recording, SPEECH_RATE } from '../../src/embedded/rehearsal/speech/library.ts';

/** Two bursts of noise that fade, as of somebody who clears their throat; the same noise each time. */
function burstsOfNoise(): Int16Array {
  const bursts = [
    { fromMs: 0, forMs: 220 },
    { fromMs: 290, forMs: 160 },
  ];
  const at = (ms: number) => Math.round((ms * SPEECH_RATE) / 1_000);
  const samples = new Int16Array(at(450));
  let seed = 1;
  const noise = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 1_073_741_824 - 1;
  };
  for (const { fromMs, forMs } of bursts) {
    const length = at(forMs);
    let smooth = 0;
    for (let i = 0; i < length; i += 1) {
      // Duller than white noise, and sudden: throats are.
      smooth += 0.35 * (noise() - smooth);
      samples[at(fromMs) + i] = Math.round(smooth * 30_000 * Math.exp((-4 * i) / length));
    }
  }
  return samples;
}

/** What a caller says who coughs: `say(COUGH.input)`. Recognition finds no words in it. */
export const COUGH: Recording = { input: '(coughs)', words: '', samples: burstsOfNoise() };
