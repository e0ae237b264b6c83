import { setTimeout as wait } from 'node:timers/promises';
import { StallWatch } from '../../src/runtime/stall-watch.ts';

/** A process of two sessions, one of which stands in the way after a moment; how is told on the command line. */
const watch = new StallWatch({ limitMs: 1_000 });

async function converse(identity: string): Promise<void> {
  for (;;) {
    await wait(20);
    if (identity.endsWith('-g2')) block();
  }
}

function block(): void {
  if (process.argv[2] === 'loop') for (;;);
  if (process.argv[2] === 'expression') /^(a+)+$/.test(`${'a'.repeat(60)}!`);
}

await wait(300);
if (process.argv[2] === 'nobody') for (;;);
for (const generation of [1, 2]) {
  const identity = `agent-11111111-2222-4333-8444-55555555555${generation}-g${generation}`;
  void watch.run(identity, () => converse(identity));
}
