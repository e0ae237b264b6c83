import { RoomServiceClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import { claimInteraction, completeInteraction, createInteraction } from '../database/interactions.ts';
import { keepClaims, releaseLease } from '../database/leases.ts';
import { parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Claims } from './worker.ts';

/** An interaction that was lost so often within a short time ends those who take it, and is given up. */
const MOST_RECOVERIES = 8;

export function createClaims(db: Database, config: Config, log: Log): Claims {
  const rooms = new RoomServiceClient(config.livekit.url, config.livekit.apiKey, config.livekit.apiSecret);
  const leaseSeconds = config.figures.leaseMs / 1000;
  return {
    async claim(interactionId, workerId, only) {
      if (only && (await channelOf(db, interactionId)) !== only) return { refused: 'other_channel' };
      const claim = await claimInteraction(db, { interactionId, workerId, leaseSeconds });
      if (!claim.claimed) return { refused: claim.reason };
      const { generation } = claim;
      if (claim.interaction.recoveries <= MOST_RECOVERIES) return { generation };
      // One that has ended every worker that took it would end the next one too.
      await completeInteraction(db, {
        interactionId,
        generation,
        status: 'failed',
        endReason: 'recovery_failed',
      });
      log.error(
        { interaction: interactionId, recoveries: claim.interaction.recoveries },
        'interaction given up: no worker could carry it',
      );
      // Their client is told by the end of the room; a room that is gone already needs no end.
      await rooms.deleteRoom(claim.interaction.livekit_room_id).catch(() => undefined);
      return { refused: 'recovery_failed' };
    },

    async createFor({ agentId, phoneNumber, rehearsal }, room) {
      const { data } = await db.from('agents').select('agent_type').eq('id', agentId).maybeSingle();
      const created = await createInteraction(db, {
        agent_id: agentId,
        channel: data?.agent_type === 'voice' ? 'voice' : 'chat',
        room,
        kind: rehearsal ? 'rehearsal' : 'live',
        ...(phoneNumber ? { phone_number: phoneNumber, phone_source: 'claimed' as const } : {}),
        require_public: false,
      });
      return created.interaction_id;
    },

    release: (claim) => releaseLease(db, claim),

    keep: (claims, workerId) => keepClaims(db, { workerId, claims, leaseSeconds }),

    // A process that was only stopped wakes up as a ghost beside its successor; out of the room it is harmless.
    async removePredecessors(room, interactionId, generation) {
      if (generation <= 1) return;
      try {
        for (const { identity } of await rooms.listParticipants(room)) {
          const agent = parseAgentIdentity(identity);
          if (agent?.interactionId !== interactionId || agent.generation >= generation) continue;
          await rooms.removeParticipant(room, identity);
          log.info(
            { interaction: interactionId, generation: agent.generation },
            'predecessor removed from the room',
          );
        }
      } catch (err) {
        log.warn({ err, interaction: interactionId }, 'the room could not be cleared of predecessors');
      }
    },
  };
}

async function channelOf(db: Database, interactionId: string): Promise<unknown> {
  const { data } = await db
    .from('interactions')
    .select('interaction_type')
    .eq('id', interactionId)
    .maybeSingle();
  return data?.interaction_type;
}
