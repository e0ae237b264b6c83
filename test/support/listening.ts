import type { Page } from 'playwright-core';
import { z } from 'zod';

/** In the page: the loudness of what each participant's player gets, in decibel, every 50 ms. */
const LISTEN = `(() => {
  const context = new AudioContext();
  const heard = (globalThis.heardByTest = {});
  const known = new WeakSet();
  setInterval(() => {
    for (const player of document.querySelectorAll('audio[data-participant]')) {
      if (known.has(player) || !player.srcObject) continue;
      known.add(player);
      const analyser = context.createAnalyser();
      analyser.fftSize = 2048;
      context.createMediaStreamSource(player.srcObject).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      const list = (heard[player.dataset.participant] ??= []);
      const timer = setInterval(() => {
        if (!player.isConnected) return clearInterval(timer);
        analyser.getFloatTimeDomainData(samples);
        let energy = 0;
        for (const sample of samples) energy += sample * sample;
        list.push([Date.now(), 10 * Math.log10(energy / samples.length + 1e-8)]);
      }, 50);
    }
  }, 50);
})()`;

const heardSchema = z.record(z.string(), z.array(z.tuple([z.number(), z.number()])));

/** Louder than this is a voice: codecs' comfort noise is far below. */
export const VOICE_DB = -45;

export interface Heard {
  readonly from: string;
  /** Loudness every 50 ms or so, with the moment by the clock that pages and tests share. */
  readonly levels: readonly (readonly [at: number, decibel: number])[];
}

/** Taps what the page plays, from now on; the page's own sound stays as it is. */
export async function listenIn(page: Page): Promise<void> {
  await page.evaluate(LISTEN);
}

/** What the page received from those whose identity begins so, between two moments. */
export async function heardFrom(
  page: Page,
  prefix: string,
  from: number,
  to = Number.POSITIVE_INFINITY,
): Promise<Heard> {
  const heard = heardSchema.parse(await page.evaluate('globalThis.heardByTest'));
  const levels = Object.entries(heard)
    .filter(([identity]) => identity.startsWith(prefix))
    .flatMap(([, list]) => list)
    .filter(([at]) => at >= from && at <= to);
  return { from: prefix, levels };
}

/** The part of the time in which there was a voice. */
export function voiced({ levels }: Heard): number {
  if (levels.length === 0) return 0;
  return levels.filter(([, decibel]) => decibel > VOICE_DB).length / levels.length;
}
