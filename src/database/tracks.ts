import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

const sentimentSchema = z.enum(['good', 'neutral', 'critical']);

export const trackSchema = z.object({
  interaction_id: z.guid(),
  /** Seconds since 1970; scores and sentiments have the same length. */
  times: z.array(z.number()),
  scores: z.array(z.number()),
  sentiments: z.array(sentimentSchema),
  /** The newest measurement; null before the first. */
  sentiment: sentimentSchema.nullable(),
  satisfaction_score: z.number().nullable(),
  feed_text: z.string().nullable(),
  last_role: z.enum(['customer', 'agent', 'supervisor']).nullable(),
  last_spoken_at: z.string().nullable(),
});
export type Track = z.output<typeof trackSchema>;

/**
 * How interactions went, as this person may see them: of one, or of all that are open. Measurements are removed when
 * an interaction ends; what is kept then is in its archive.
 */
export function interactionTracks(
  db: Database,
  args: { interactionId: string | null; points: number },
): Promise<Track[]> {
  const parameters = { p_interaction_id: args.interactionId, p_points: args.points };
  return callFunction(db, 'interaction_tracks', parameters, z.array(trackSchema));
}
