import { z } from 'zod';
import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import { type LoadedSession, loadSession } from '../database/session-load.ts';
import { customerIdentity } from '../domain/identities.ts';
import type { Claim } from '../session/claim.ts';
import type { AnswerMark } from '../session/unanswered.ts';

/**
 * The claim of a job, in the session's own terms.
 *
 * @param telephoneIdentity identity of the SIP participant, for an interaction that came in by telephone.
 * @throws FloorwalkerError `stale_generation`
 */
export async function loadClaim(
  db: Database,
  key: { interactionId: string; generation: number },
  config: Config,
  telephoneIdentity?: string,
): Promise<Claim> {
  const loaded = await loadSession(db, { ...key, leaseSeconds: config.figures.leaseMs / 1000 });
  const { interaction, business, customer, snapshot } = loaded;
  return {
    ...key,
    workerId: interaction.worker_id ?? '',
    recovered: interaction.claim_attempts > 1,
    handedOver: loaded.handed_over,
    channel: interaction.interaction_type,
    room: interaction.livekit_room_id,
    customerIdentity: telephoneIdentity ?? customerIdentity(interaction.id),
    customerId: interaction.customer_id,
    customerName: customer?.name ?? null,
    phoneNumber: interaction.phone_number,
    phoneSource: interaction.phone_source,
    business: {
      id: business.id,
      name: business.name,
      timeZone: business.time_zone,
      vocabulary: business.tag_vocabulary,
    },
    agent: {
      id: snapshot.agent_id,
      name: snapshot.name,
      systemPrompt: snapshot.system_prompt,
      greeting: snapshot.greeting,
      language: snapshot.language,
      model_settings: snapshot.model_settings,
      voice_settings: snapshot.voice_settings,
    },
    tools: snapshot.tools,
    holder:
      interaction.controlled_by === null
        ? null
        : { id: interaction.controlled_by, name: interaction.controlled_by_name ?? '' },
    whispers: loaded.whispers.map(({ id, kind, text, at }) => ({ id, kind, text, at: Date.parse(at) })),
    messages: loaded.messages.map((message) => ({
      id: message.item_id,
      role: message.role,
      text: message.content,
      interrupted: message.interrupted,
      at: Date.parse(message.spoken_at ?? message.created_at),
      ...readMetadata(message.metadata),
    })),
    calls: loaded.calls.map((call: LoadedSession['calls'][number]) => ({
      ...call,
      // Where its output came, as in the conversation that was: what was said while it waited stands before it.
      at: Date.parse(call.finished_at ?? call.requested_at),
    })),
  };
}

const metadataSchema = z.looseObject({
  mark: z.object({ answers: z.string().nullable(), settled: z.array(z.string()) }).optional(),
  resends: z.boolean().optional(),
  cut_off: z.boolean().optional(),
});

/** What earlier sessions kept with a message for their successors. */
function readMetadata(metadata: unknown): {
  mark?: AnswerMark | undefined;
  resends: boolean;
  cutOff: boolean;
} {
  const { data } = metadataSchema.safeParse(metadata);
  return { mark: data?.mark, resends: data?.resends ?? false, cutOff: data?.cut_off ?? false };
}
