import { createRandom } from './random.ts';
import type { ShopTool } from './shop.ts';

export interface Death {
  /** After the beginning. */
  readonly atMs: number;
  /** The place of the worker that it hits; who stands there changes when one is replaced. */
  readonly worker: number;
  readonly kind: 'process' | 'all' | 'worker' | 'stop' | 'drain';
  /** How long one that is stopped stands still. */
  readonly stopMs: number;
}

export interface Turn {
  readonly tool: ShopTool | undefined;
  readonly slow: boolean;
  readonly decision: 'allowed' | 'denied';
  readonly decideAfterMs: number;
  readonly pauseMs: number;
}

/**
 * All that a run decides by chance, from its seed alone and known before it begins: neither how fast the machine is nor
 * what happened before changes who dies when, or what is said in which conversation.
 */
export function deathsOf({
  seed,
  minutes,
  workers,
}: {
  seed: number;
  minutes: number;
  workers: number;
}): Death[] {
  const random = createRandom(seed * 1_000 + 999);
  const deaths: Death[] = [];
  for (
    let atMs = random.between(3_000, 9_000);
    atMs < minutes * 60_000;
    atMs += random.between(3_000, 9_000)
  ) {
    const worker = random.between(0, workers - 1);
    const kind = random.pick(['process', 'process', 'process', 'all', 'worker', 'stop', 'drain'] as const);
    deaths.push({ atMs, worker, kind, stopMs: random.between(1_000, 14_000) });
  }
  return deaths;
}

/** What is said in a customer's nth conversation. */
export function turnsOf(seed: number, customer: number, nth: number): Turn[] {
  const random = createRandom(seed * 1_000_003 + customer * 1_009 + nth);
  return Array.from({ length: random.between(3, 8) }, () => {
    const tool = random.pick(['', '', 'charge', 'look_up', 'refund'] as const);
    return {
      tool: tool === '' ? undefined : tool,
      slow: random.between(1, 3) === 1,
      decision: random.pick(['allowed', 'denied'] as const),
      decideAfterMs: random.between(200, 2_000),
      pauseMs: random.between(50, 800),
    };
  });
}
