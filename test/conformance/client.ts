import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * The command that `conformance client` starts, for all scenarios at once. They take turns, a few at a time: on a
 * small machine twenty starting processes would only make each other miss their deadlines.
 */
const SLOTS = 3;
const folder = process.env.CONFORMANCE_SLOTS;

async function takeTurn(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const slot = join(folder, `slot-${attempt % SLOTS}`);
    try {
      mkdirSync(slot);
      process.once('exit', () => rmdirSync(slot));
      return;
    } catch {
      if (attempt % SLOTS === SLOTS - 1) await delay(100);
    }
  }
}

if (folder !== undefined) await takeTurn(folder);
await import('./scenario.ts');
