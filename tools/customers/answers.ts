import { z } from 'zod';
import { type Health, profileSchema, scoreSchema, signalSchema } from './care.ts';

export const healthAnswerSchema = {
  standing: profileSchema.shape.standing,
  score: scoreSchema.nullable(),
  change: z.number().nullable(),
  open_signals: z.array(signalSchema),
};

/** The latest score, and how far it is from the one before. */
export function healthAnswer({ standing, scores, signals }: Health): Record<string, unknown> {
  const [latest, before] = scores;
  return {
    standing,
    score: latest ?? null,
    change: latest === undefined || before === undefined ? null : latest.overall - before.overall,
    open_signals: signals,
  };
}

export function unknown(): string {
  return 'Nothing is known of a customer with this phone number yet. Ask them what you need; add_note keeps it.';
}
