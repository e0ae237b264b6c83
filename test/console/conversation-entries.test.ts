import { describe, expect, test } from 'vitest';
import type { Call, Message } from '../../src/console/interaction/conversation.ts';
import { readEdited } from '../../src/console/interaction/edited.ts';
import { mergeEntries } from '../../src/console/interaction/entries.ts';
import { EMPTY_TRACK, extendTrack } from '../../src/console/live/track.ts';

const message = (itemId: string, atMs: number): Message => ({
  itemId,
  seq: 1,
  role: 'agent',
  content: itemId,
  final: true,
  interrupted: false,
  atMs,
});
const call = (callId: string, atMs: number): Call => ({
  interaction_id: 'i',
  call_id: callId,
  tool_name: 'tool',
  arguments: {},
  state: 'running',
  output: null,
  requested_at: new Date(atMs).toISOString(),
  started_at: null,
  finished_at: null,
});

describe('a transcript', () => {
  test('shows tool calls where they were asked for', () => {
    const entries = mergeEntries(
      [message('a', 1_000), message('b', 3_000)],
      [call('x', 2_000), call('y', 4_000)],
    );
    expect(entries.map(({ key }) => key)).toEqual(['message a', 'call x', 'message b', 'call y']);
  });

  test('keeps the order of what was said although a clock was wrong', () => {
    const entries = mergeEntries([message('a', 5_000), message('b', 1_000)], [call('x', 2_000)]);
    expect(entries.map(({ key }) => key)).toEqual(['call x', 'message a', 'message b']);
  });
});

describe('edited arguments', () => {
  test('are an object of JSON', () => {
    expect(readEdited('{"amount": 5}')).toEqual({ value: { amount: 5 } });
    for (const draft of ['[1]', '"text"', 'null', '5']) {
      expect(readEdited(draft)).toEqual({ problem: 'Arguments are an object: { "name": value }' });
    }
    expect(readEdited('{amount}')).toMatchObject({ problem: expect.stringContaining('not valid JSON') });
  });
});

describe('a track', () => {
  const at = (seconds: number) => ({
    seconds,
    score: seconds,
    sentiment: 'good' as const,
    feedText: `${seconds}`,
  });

  test('takes a measurement once, also when it comes again after a reconnect', () => {
    const track = extendTrack(extendTrack(extendTrack(EMPTY_TRACK, at(1)), at(2)), at(2));
    expect(track).toMatchObject({ times: [1, 2], scores: [1, 2], feedText: '2' });
  });

  test('of a very long interaction loses its beginning and not its end', () => {
    let track = EMPTY_TRACK;
    for (let second = 1; second <= 1_600; second += 1) track = extendTrack(track, at(second));
    expect(track.times).toHaveLength(1_500);
    expect(track.times.at(-1)).toBe(1_600);
  });
});
