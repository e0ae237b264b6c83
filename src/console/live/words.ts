import type { Interaction, Role, Sentiment } from './events.ts';
import type { Track } from './track.ts';

export const SENTIMENT_WORDS: Readonly<Record<Sentiment, string>> = {
  good: 'Good',
  neutral: 'Neutral',
  critical: 'Critical',
};

export const ROLE_WORDS: Readonly<Record<Role, string>> = {
  customer: 'Customer',
  agent: 'Agent',
  supervisor: 'Supervisor',
  system: 'System',
};

/** What a plot shows, in words. */
export function describeTrack({ scores, sentiments }: Track): string {
  const [last, mood] = [scores.at(-1), sentiments.at(-1)];
  if (last === undefined || mood === undefined) return 'No measurement yet';
  const before = scores.at(-13) ?? scores[0] ?? last;
  const trend = last - before > 8 ? ', rising' : last - before < -8 ? ', falling' : ', steady';
  return `${SENTIMENT_WORDS[mood]}, satisfaction ${Math.round(last)} of 100${trend}`;
}

/** Whose the customer is, as far as it is known. */
export function customerName({ phone_number, phone_source }: Interaction): string {
  if (!phone_number) return 'Number unknown';
  return phone_source === 'claimed' ? `${phone_number} (as they say)` : phone_number;
}
