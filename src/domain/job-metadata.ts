import type { Channel } from './channel.ts';

/** What a job for an interaction says of itself; read by the worker to which LiveKit offers it. */
export function jobMetadata(interactionId: string, channel: Channel): string {
  return JSON.stringify({ interaction_id: interactionId, channel });
}
