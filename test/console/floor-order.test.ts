import { describe, expect, test } from 'vitest';
import { compareUrgency, holdOrder, mustMove, type Urgency } from '../../src/console/floor/order.ts';

const NOW = 1_000_000;
const card = (id: string, given: Partial<Urgency> = {}): Urgency => ({
  id,
  deadlineMs: null,
  critical: false,
  lastSpokenMs: NOW,
  startedMs: NOW,
  ...given,
});
const sorted = (...cards: Urgency[]) => cards.sort(compareUrgency(NOW)).map(({ id }) => id);

describe('the order of the floor', () => {
  test('nearest deadline, then critical, then silence, then age', () => {
    expect(
      sorted(
        card('young', { startedMs: NOW - 10 }),
        card('old', { startedMs: NOW - 5_000 }),
        card('silent', { lastSpokenMs: NOW - 60_000 }),
        card('very silent', { lastSpokenMs: NOW - 90_000 }),
        card('critical', { critical: true }),
        card('deadline far', { deadlineMs: NOW + 300_000 }),
        card('deadline near', { deadlineMs: NOW + 5_000 }),
      ),
    ).toEqual(['deadline near', 'deadline far', 'critical', 'very silent', 'silent', 'old', 'young']);
  });

  test('a critical one with a deadline is not before a nearer deadline', () => {
    expect(
      sorted(
        card('a', { critical: true, deadlineMs: NOW + 9_000 }),
        card('b', { deadlineMs: NOW + 8_000 }),
        card('c', { critical: true }),
      ),
    ).toEqual(['b', 'a', 'c']);
  });

  test('a pause for breath moves nothing, and equal ones have a place', () => {
    const pause = card('b', { lastSpokenMs: NOW - 10_000 });
    expect(sorted(pause, card('a'), card('c', { lastSpokenMs: null }))).toEqual(['a', 'b', 'c']);
  });
});

describe('while somebody is about to press a button', () => {
  test('what is shown stays, what is gone goes, what waits comes first and other new ones last', () => {
    const now = [
      card('new', {}),
      card('waits', { deadlineMs: NOW }),
      card('b', { deadlineMs: NOW }),
      card('a'),
    ];
    expect(holdOrder(['a', 'gone', 'b'], now)).toEqual(['waits', 'a', 'b', 'new']);
  });
});

describe('cards move at once', () => {
  const before = ['waits', 'a', 'b'];
  const now = [card('waits', { deadlineMs: NOW }), card('a'), card('b')];

  test('when one is new or gone, or waits and does not stand first', () => {
    expect(mustMove(before, [...now, card('new')])).toBe(true);
    expect(mustMove(before, now.slice(0, 2))).toBe(true);
    expect(mustMove(before, [...now.slice(0, 2), card('new')])).toBe(true);
    const waits = [card('b', { deadlineMs: NOW - 1 }), ...now.slice(0, 2)];
    expect(mustMove(before, waits)).toBe(true);
  });

  test('and not for a mood or a silence, nor when what waited is decided', () => {
    expect(mustMove(before, now)).toBe(false);
    expect(
      mustMove(before, [card('waits', { deadlineMs: NOW }), card('b', { critical: true }), card('a')]),
    ).toBe(false);
    expect(mustMove(before, [card('a'), card('b'), card('waits')])).toBe(false);
  });
});
