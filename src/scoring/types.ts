/** How the customer comes across in one turn, as a careful human reader would label it in context. */
export type Sentiment = 'good' | 'neutral' | 'critical';

/** One utterance of the conversation; a supervisor in control counts as `agent`. */
export interface Turn {
  role: 'customer' | 'agent';
  text: string;
}

/** The state after a customer turn. `satisfaction` runs from 0 to 100; an untouched conversation stands near 60. */
export interface TurnScore {
  sentiment: Sentiment;
  satisfaction: number;
}

export interface ScoreOptions {
  /** Aborts a model's answer that is no longer wanted; the device scorer is too quick to need it. */
  signal?: AbortSignal;
}

/** Scores a conversation: one score for each customer turn, in order. Never looks at later turns for an earlier one. */
export interface ConversationScorer {
  readonly kind: 'device' | 'model';
  score(turns: readonly Turn[], options?: ScoreOptions): Promise<TurnScore[]>;
}

/** Where satisfaction stands before the customer has said anything. */
export const INITIAL_SATISFACTION = 60;
