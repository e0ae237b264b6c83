import { RoomServiceClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import {
  type ClaimedInteraction,
  claimTogether,
  completeInteraction,
  createInteraction,
} from '../database/interactions.ts';
import { countStall, keepClaims, releaseLease } from '../database/leases.ts';
import { appendRecords } from '../database/records.ts';
import { channelSchema } from '../database/rows.ts';
import { loadPrompts, PROMPTS_DIRECTORY } from '../definitions/prompts.ts';
import type { Channel } from '../domain/channel.ts';
import { parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { systemClock } from '../session/clock.ts';
import { readSettings } from '../session/settings.ts';
import type { Claims } from './admission.ts';
import { Cues } from './cues.ts';
import { sayFarewell } from './farewell.ts';

/** An interaction that was lost so often within a short time ends those who take it, and is given up. */
const MOST_RECOVERIES = 8;
/** Each time it took all chats of its process along. */
const MOST_STALLS = 1;

export function createClaims(db: Database, config: Config, log: Log): Claims {
  const rooms = new RoomServiceClient(config.livekit.url, config.livekit.apiKey, config.livekit.apiSecret);
  const leaseSeconds = config.figures.leaseMs / 1000;
  const take = claimTogether(db, leaseSeconds);

  /** One that has ended every worker that took it would end the next one too. */
  const giveUp = async ({
    interaction,
    generation,
    business,
    snapshot,
  }: ClaimedInteraction): Promise<void> => {
    const { id: interactionId, recoveries, stalls, livekit_room_id: room } = interaction;
    const channel = interaction.interaction_type;
    const output = { recoveries, stalls };
    const step = { step_id: `given-up-${generation}`, step_type: 'given_up', output };
    await appendRecords(db, [{ interaction_id: interactionId, generation, steps: [step] }]).catch(() => {});
    await completeInteraction(db, {
      interactionId,
      generation,
      status: 'failed',
      endReason: 'recovery_failed',
    });
    log.error({ interaction: interactionId, ...output }, 'interaction given up: no worker could carry it');
    const prompts = loadPrompts(PROMPTS_DIRECTORY, snapshot.language);
    const { voice } = readSettings({ model_settings: {}, voice_settings: snapshot.voice_settings }, () => {});
    const { tts_model: model, voice: name, speed } = voice;
    const words = {
      interactionId,
      generation,
      room,
      text: prompts.render('recovery_goodbye', { business_name: business.name }, { channel }),
      voice: channel === 'voice' ? { model, voice: name, speed } : undefined,
    };
    const deps = { livekit: config.livekit, cues: new Cues(config.speech, log), clock: systemClock };
    // Nobody waits for this: a job is to be refused in time, and the archive is made.
    sayFarewell(words, deps)
      .catch((err: unknown) => log.warn({ err, interaction: interactionId }, 'the customer was not told'))
      // A room that is gone already needs no end.
      .finally(() => rooms.deleteRoom(room).catch(() => undefined));
  };

  return {
    async claim(interactionId, workerId) {
      const claim = await take(interactionId, workerId);
      if (!claim.claimed) return { refused: claim.reason };
      const { generation } = claim;
      const { recoveries, stalls } = claim.interaction;
      if (recoveries <= MOST_RECOVERIES && stalls <= MOST_STALLS) return { generation };
      await giveUp(claim);
      return { refused: 'recovery_failed' };
    },

    channelOf: (what) =>
      'agentId' in what ? channelOfAgent(db, what.agentId) : channelOfInteraction(db, what.interactionId),

    async createFor({ agentId, phoneNumber, rehearsal }, room) {
      const created = await createInteraction(db, {
        agent_id: agentId,
        channel: (await channelOfAgent(db, agentId)) ?? 'chat',
        room,
        kind: rehearsal ? 'rehearsal' : 'live',
        ...(phoneNumber ? { phone_number: phoneNumber, phone_source: 'claimed' as const } : {}),
        require_public: false,
      });
      return created.interaction_id;
    },

    release: (claim) => releaseLease(db, claim),

    blame: (interactionId) => countStall(db, interactionId),

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

async function channelOfAgent(db: Database, agentId: string): Promise<Channel | undefined> {
  const { data, error } = await db.from('agents').select('agent_type').eq('id', agentId).maybeSingle();
  if (error) throw error;
  return data ? channelSchema.parse(data.agent_type) : undefined;
}

async function channelOfInteraction(db: Database, interactionId: string): Promise<Channel | undefined> {
  const { data, error } = await db
    .from('interactions')
    .select('interaction_type')
    .eq('id', interactionId)
    .maybeSingle();
  if (error) throw error;
  return data ? channelSchema.parse(data.interaction_type) : undefined;
}
