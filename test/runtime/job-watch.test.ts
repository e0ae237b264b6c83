import { expect, it } from 'vitest';
import type { AgentIdentity } from '../../src/domain/identities.ts';
import { createLog } from '../../src/log.ts';
import { JobWatch } from '../../src/runtime/job-watch.ts';
import { ManualClock } from '../support/clock.ts';

function setup() {
  const clock = new ManualClock();
  const running = new Set<string>();
  const begun = new Set<string>();
  const kept: string[][] = [];
  const gone: string[] = [];
  const watch = new JobWatch({
    runningJobs: () => [...running],
    keep: async (claims: AgentIdentity[]) => {
      const ids = claims.map(({ interactionId }) => interactionId).filter((id) => !begun.has(id));
      kept.push(ids);
      return ids;
    },
    onGone: async ({ interactionId }) => void gone.push(interactionId),
    heartbeatMs: 2_000,
    clock,
    log: createLog({ level: 'silent' }),
  });
  return { clock, running, begun, kept, gone, watch };
}

it('renews the lease of a claim until the process that carries it has begun', async () => {
  const { clock, running, begun, kept, gone, watch } = setup();
  watch.watch('job', { interactionId: 'one', generation: 1 });
  running.add('job');
  await clock.advance(4_000);
  expect(kept).toEqual([['one'], ['one']]);
  begun.add('one');
  await clock.advance(10_000);
  expect(kept).toEqual([['one'], ['one'], []]);
  expect(gone).toEqual([]);
});

it('gives an interaction back at once when its process is gone', async () => {
  const { clock, running, gone, watch } = setup();
  watch.watch('job', { interactionId: 'one', generation: 1 });
  running.add('job');
  await clock.advance(5_000);
  running.delete('job');
  await clock.advance(200);
  expect(gone).toEqual(['one']);
  await clock.advance(60_000);
  expect(gone).toEqual(['one']);
  expect(clock.waiting).toBe(0);
});

it('waits for a process that is still to be started, and gives up one that never comes', async () => {
  const { clock, running, gone, watch } = setup();
  watch.watch('late', { interactionId: 'late', generation: 1 });
  watch.watch('never', { interactionId: 'never', generation: 1 });
  watch.watch('refused', { interactionId: 'refused', generation: 1 });
  watch.forget('refused');
  await clock.advance(19_000);
  running.add('late');
  await clock.advance(5_000);
  expect(gone).toEqual(['never']);
  watch.close();
  expect(clock.waiting).toBe(0);
});

it('gives back at its end what no process has been seen to give back, once', async () => {
  const { clock, running, gone, watch } = setup();
  watch.watch('killed', { interactionId: 'killed', generation: 1 });
  watch.watch('never begun', { interactionId: 'never begun', generation: 2 });
  running.add('killed');
  await clock.advance(1_000);
  await watch.finish();
  await watch.finish();
  expect(gone).toEqual(['killed', 'never begun']);
  expect(clock.waiting).toBe(0);
});
