import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Outbox, type Unstored } from '../../src/customer-page/conversation/outbox.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setup(left: readonly Unstored[] = []) {
  const sent: string[] = [];
  let kept: readonly Unstored[] = left;
  let failing = false;
  const outbox = new Outbox(
    {
      send: async ({ text }) => {
        if (failing) throw new Error('no connection');
        sent.push(text);
      },
      keep: (unstored) => {
        kept = unstored;
      },
      now: () => Date.now(),
    },
    left,
  );
  return {
    outbox,
    sent,
    kept: () => kept.map(({ text }) => text),
    fail: (fails: boolean) => {
      failing = fails;
    },
  };
}

describe('a message of the customer', () => {
  test('waits for an agent, is sent in order, and is kept until the agent has stored it', async () => {
    const { outbox, sent, kept } = setup();
    const first = outbox.write('one');
    outbox.write('two');
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual([]);
    outbox.agentAppeared();
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual(['one', 'two']);
    expect(kept()).toEqual(['one', 'two']);
    expect(outbox.acknowledged(first.id)).toBe(true);
    expect(kept()).toEqual(['two']);
    outbox.close();
  });

  test('goes out again under the same id when another agent appears, or when nobody answers for long', async () => {
    const { outbox, sent } = setup();
    outbox.agentAppeared();
    const { id } = outbox.write('one');
    await vi.advanceTimersByTimeAsync(10);
    outbox.agentGone();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toEqual(['one']);
    outbox.agentAppeared();
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual(['one', 'one']);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(sent).toEqual(['one', 'one', 'one']);
    outbox.acknowledged(id);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toHaveLength(3);
    outbox.close();
  });

  test('survives a reload, and a send that fails', async () => {
    const { outbox, sent, fail } = setup([{ id: 'm1', text: 'before the reload', at: 1 }]);
    fail(true);
    outbox.agentAppeared();
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual([]);
    fail(false);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(sent).toEqual(['before the reload']);
    outbox.close();
  });
});
