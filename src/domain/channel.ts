export const CHANNELS = ['voice', 'chat'] as const;

/** How customer and agent talk with one another; also the type of an agent. */
export type Channel = (typeof CHANNELS)[number];
