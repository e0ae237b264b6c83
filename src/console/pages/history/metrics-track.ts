import * as z from 'zod/mini';
import type { Sentiment } from '../../live/events.ts';
import { EMPTY_TRACK, type Track } from '../../live/track.ts';

const seriesSchema = z.object({
  from: z.string(),
  offset_seconds: z.array(z.number()),
  sentiment: z.string(),
  satisfaction: z.array(z.number()),
  last_feed_text: z._default(z.string(), ''),
});

const LETTERS: Readonly<Record<string, Sentiment>> = { g: 'good', n: 'neutral', c: 'critical' };

/** The compact series of an archive in the form that the plots take. An interaction that was too short has none. */
export function readTrack(series: unknown): Track {
  const read = seriesSchema.safeParse(series).data;
  if (!read) return EMPTY_TRACK;
  const from = Date.parse(read.from) / 1_000;
  return {
    times: read.offset_seconds.map((seconds) => from + seconds),
    scores: read.satisfaction,
    sentiments: Array.from(read.sentiment, (letter) => LETTERS[letter] ?? 'neutral'),
    feedText: read.last_feed_text,
  };
}
