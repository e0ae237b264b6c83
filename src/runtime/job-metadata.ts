import { z } from 'zod';
import type { Channel } from '../domain/channel.ts';

const uuid = z.uuid();
const metadataSchema = z.union([
  // The channel is a hint for a worker that serves one of them only; the database knows better.
  z.object({ interaction_id: uuid, channel: z.enum(['voice', 'chat']).optional().catch(undefined) }),
  z.object({
    agent_id: uuid,
    phone_number: z.string().optional(),
    kind: z.enum(['live', 'rehearsal']).optional(),
  }),
]);

export type JobMetadata = z.output<typeof metadataSchema>;

/** A room of somebody else's making that wants an agent. */
export interface AgentRequest {
  readonly agentId: string;
  readonly phoneNumber?: string | undefined;
  readonly rehearsal: boolean;
}

/** What a job is for, or why it can't be told. An empty text stands for a call that came in by telephone. */
export type ParsedMetadata =
  | {
      readonly kind: 'interaction';
      readonly interactionId: string;
      readonly channel?: Channel | undefined;
    }
  | ({ readonly kind: 'agent' } & AgentRequest)
  | { readonly kind: 'telephone' }
  | { readonly kind: 'malformed'; readonly problem: string };

/** Reads the metadata of a LiveKit job: `{"interaction_id": …}` or `{"agent_id": …}`. */
export function parseJobMetadata(text: string): ParsedMetadata {
  if (text.trim() === '') return { kind: 'telephone' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'malformed', problem: 'it is not JSON' };
  }
  const parsed = metadataSchema.safeParse(value);
  if (!parsed.success) {
    return { kind: 'malformed', problem: 'it has neither an interaction_id nor an agent_id that is a UUID' };
  }
  if ('interaction_id' in parsed.data) {
    const { interaction_id: interactionId, channel } = parsed.data;
    return { kind: 'interaction', interactionId, channel };
  }
  const { agent_id: agentId, phone_number: phoneNumber, kind } = parsed.data;
  return { kind: 'agent', agentId, phoneNumber, rehearsal: kind === 'rehearsal' };
}
