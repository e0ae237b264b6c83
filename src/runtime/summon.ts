import { AgentDispatchClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import type { Channel } from '../domain/channel.ts';
import { AGENT_NAME } from '../domain/identities.ts';
import { jobMetadata } from '../domain/job-metadata.ts';

/** Asks LiveKit for a worker that carries an interaction on in its room. LiveKit tries once and forgets it. */
export type Summon = (interaction: {
  channel: Channel;
  interactionId: string;
  room: string;
}) => Promise<void>;

export function createSummon({ url, apiKey, apiSecret }: Config['livekit']): Summon {
  const dispatches = new AgentDispatchClient(url, apiKey, apiSecret);
  return async ({ channel, interactionId, room }) => {
    await dispatches.createDispatch(room, AGENT_NAME, { metadata: jobMetadata(interactionId, channel) });
  };
}
