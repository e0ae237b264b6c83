import type { Sentiment } from './events.ts';

/** How an interaction went: one entry a measurement, oldest first. */
export interface Track {
  /** Seconds since 1970, as the plots take them. */
  readonly times: readonly number[];
  readonly scores: readonly number[];
  readonly sentiments: readonly Sentiment[];
  readonly feedText: string;
}

export const EMPTY_TRACK: Track = { times: [], scores: [], sentiments: [], feedText: '' };

/** At five seconds each, about two hours; a card shows no more than its width in pixels. */
const LONGEST = 1_500;

export function extendTrack(
  track: Track,
  at: {
    readonly seconds: number;
    readonly score: number;
    readonly sentiment: Sentiment;
    readonly feedText: string;
  },
): Track {
  const last = track.times.at(-1);
  // Repeated after a reconnect.
  if (last !== undefined && at.seconds <= last) return track;
  const keep = track.times.length >= LONGEST ? 1 : 0;
  return {
    times: [...track.times.slice(keep), at.seconds],
    scores: [...track.scores.slice(keep), at.score],
    sentiments: [...track.sentiments.slice(keep), at.sentiment],
    feedText: at.feedText,
  };
}
