import { AgentDispatchClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import { AGENT_NAME } from '../domain/identities.ts';

/** Asks LiveKit for a worker that carries an interaction on in its room. LiveKit tries once and forgets it. */
export type Summon = (interaction: {
  channel: 'voice' | 'chat';
  interactionId: string;
  room: string;
}) => Promise<void>;

export function createSummon({ url, apiKey, apiSecret }: Config['livekit']): Summon {
  const dispatches = new AgentDispatchClient(url, apiKey, apiSecret);
  return async ({ channel, interactionId, room }) => {
    const metadata = JSON.stringify({ interaction_id: interactionId, channel });
    await dispatches.createDispatch(room, AGENT_NAME, { metadata });
  };
}
