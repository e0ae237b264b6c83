import { describe, expect, test } from 'vitest';
import { readTrack } from '../../src/console/pages/history/metrics-track.ts';
import { asQuery, NO_SEARCH } from '../../src/console/pages/history/search.ts';
import { happenedBy, makeTimeline } from '../../src/console/pages/history/timeline.ts';
import { startOfDay } from '../../src/console/pages/shared/time-zone.ts';

describe('a day of the business', () => {
  test.each([
    ['2026-01-15', 'UTC', 0, '2026-01-15T00:00:00.000Z'],
    ['2026-01-15', 'America/New_York', 0, '2026-01-15T05:00:00.000Z'],
    // The clocks change at two or three in the morning: the day begins before, and ends after.
    ['2026-03-29', 'Europe/Amsterdam', 0, '2026-03-28T23:00:00.000Z'],
    ['2026-03-29', 'Europe/Amsterdam', 1, '2026-03-29T22:00:00.000Z'],
    ['2026-10-25', 'Europe/Amsterdam', 0, '2026-10-24T22:00:00.000Z'],
    ['2026-10-25', 'Europe/Amsterdam', 1, '2026-10-25T23:00:00.000Z'],
    ['2026-06-01', 'Pacific/Auckland', 0, '2026-05-31T12:00:00.000Z'],
  ])('%s in %s, %i days on', (day, zone, days, expected) => {
    expect(startOfDay(day, zone, days).toISOString()).toBe(expected);
  });
});

describe('what is searched for', () => {
  test('nothing is asked for that was not filled in', () => {
    expect(asQuery(NO_SEARCH, 'UTC')).toEqual({});
  });

  test('tags in the form of the vocabulary, the last day included', () => {
    const search = {
      ...NO_SEARCH,
      issue: ' Late delivery! ',
      from: '2026-03-01',
      to: '2026-03-01',
      sentiment: 'odd',
    };
    expect(asQuery(search, 'UTC')).toEqual({
      issue: 'late_delivery',
      from: '2026-03-01T00:00:00.000Z',
      to: '2026-03-02T00:00:00.000Z',
    });
  });
});

describe('a conversation along its time', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, seconds)).toISOString();
  const message = (seq: number, seconds: number) => ({
    seq,
    item_id: `m${seq}`,
    role: 'agent' as const,
    content: 'words',
    interrupted: false,
    spoken_at: at(seconds),
    created_at: at(seconds + 5),
  });
  const timeline = makeTimeline({
    started_at: at(0),
    ended_at: at(60),
    messages: [message(1, 2), message(2, 30)],
    steps: [],
    tool_calls: [
      {
        call_id: 'c1',
        tool_name: 'refund_order',
        arguments: {},
        state: 'succeeded',
        refusal_reason: null,
        output: null,
        requires_permission: true,
        requested_at: at(20),
        started_at: null,
        finished_at: null,
        duration_ms: null,
        permission: null,
      },
    ],
  });

  test('words and calls stand in the order in which they happened, up to the end', () => {
    expect(timeline.moments.map(({ key, atMs }) => [key, atMs])).toEqual([
      ['m1', 2_000],
      ['call c1', 20_000],
      ['m2', 30_000],
    ]);
    expect(timeline.durationMs).toBe(60_000);
  });

  test.each([
    [0, 0],
    [2_000, 1],
    [19_999, 1],
    [29_000, 2],
    [60_000, 3],
  ])('by %i ms %i of them have happened', (atMs, count) => {
    expect(happenedBy(timeline.moments, atMs)).toBe(count);
  });
});

test('an archive’s series is read as plots take it, and one without measurements is empty', () => {
  const series = {
    points: 2,
    from: '2026-01-01T00:00:10Z',
    offset_seconds: [0, 5],
    sentiment: 'gc',
    satisfaction: [80, 20],
    last_feed_text: 'angry',
  };
  expect(readTrack(series)).toEqual({
    times: [1_767_225_610, 1_767_225_615],
    scores: [80, 20],
    sentiments: ['good', 'critical'],
    feedText: 'angry',
  });
  expect(readTrack({ points: 0 }).times).toEqual([]);
});
