import type { VAD } from '@livekit/agents';
import { RoomServiceClient } from 'livekit-server-sdk';
import { type Config, inheritedSpool } from '../config.ts';
import { updateArchive } from '../database/archives.ts';
import { requestCallback } from '../database/callbacks.ts';
import { appendInterim } from '../database/changes.ts';
import { createServiceClient, type Database } from '../database/client.ts';
import { releaseControl, takeWhispers } from '../database/control.ts';
import { completeInteraction, requestSupervisor, setPhoneNumber } from '../database/interactions.ts';
import { heartbeat, pollSessions, releaseLease } from '../database/leases.ts';
import { loadAgentTools } from '../database/session-load.ts';
import { loadPromptLibrary, PROMPTS_DIRECTORY, type PromptLibrary } from '../definitions/prompts.ts';
import { scorerPrompt } from '../definitions/scorer-prompt.ts';
import type { Log } from '../log.ts';
import { createDeviceScorer } from '../scoring/device-scorer.ts';
import { createModelScorer } from '../scoring/model-scorer.ts';
import type { ConversationScorer } from '../scoring/types.ts';
import { systemClock } from '../session/clock.ts';
import { InterimFeed } from '../session/interim-feed.ts';
import { LeaseKeeper } from '../session/lease-keeper.ts';
import { loadVad } from '../session/models.ts';
import { Outbox } from '../session/outbox.ts';
import type { InteractionStore, SessionNews, SessionServices } from '../session/services.ts';
import { Ticks } from '../session/ticks.ts';
import { createToolCallStore } from '../tools/call-store.ts';
import { ServerPool } from '../tools/server-pool.ts';
import { createToolTokens } from '../tools/token-rows.ts';
import { dropNativeLogs } from './native-logs.ts';
import { createRecordSink } from './record-sink.ts';
import { createSounds } from './sounds.ts';
import { openSpool } from './spool.ts';
import { createSummon } from './summon.ts';

/** What is being said reaches those who watch this often. */
const INTERIM_MS = 250;

export interface ProcessServices extends SessionServices {
  readonly db: Database;
}

/** Makes what the sessions of this process share. Nothing of it is a session's own. */
export async function createProcessServices(config: Config, log: Log): Promise<ProcessServices> {
  dropNativeLogs(config.worker.nativeLog);
  const clock = systemClock;
  const db = createServiceClient(config.supabase);
  const prompts = loadPromptLibrary(PROMPTS_DIRECTORY);
  const deviceScorer = await createDeviceScorer();
  const { leaseMs, heartbeatMs, pollMs } = config.figures;
  // An answer later than that is as good as none: a lease could have run out, and the database may be back.
  const timeoutMs = Math.min(4_000, leaseMs / 2);
  const spoolFolder = inheritedSpool();
  const { directory, megabytes } = config.worker.sounds;
  let vad: Promise<VAD> | undefined;
  return {
    config,
    log,
    clock,
    db,
    prompts,
    deviceScorer,
    modelScorer: createRefiningScorer(config, prompts, deviceScorer),
    outbox: new Outbox({
      clock,
      log,
      sink: createRecordSink(db),
      spool: spoolFolder === undefined ? undefined : openSpool(spoolFolder, config.supabase, log),
    }),
    leases: new LeaseKeeper<SessionNews>({
      poll: (leases) => pollSessions(db, leases, { timeoutMs }),
      // Leases of a process were all claimed by the one worker that started it.
      heartbeat: async (leases) => {
        const workerId = leases[0]?.workerId ?? '';
        return heartbeat(db, { workerId, leases, leaseSeconds: leaseMs / 1000, timeoutMs });
      },
      heartbeatMs,
      pollMs,
      leaseMs,
      clock,
      log,
    }),
    interactions: createInteractionStore(db),
    toolCalls: createToolCallStore(db),
    toolServers: new ServerPool({ config: config.tools, log, tokens: createToolTokens(db, config.tools) }),
    summon: createSummon(config.livekit),
    ticks: new Ticks({ everyMs: config.figures.metricsMs, clock }),
    interim: new InterimFeed({
      send: async (rows) => void (await appendInterim(db, { rows })),
      everyMs: INTERIM_MS,
      clock,
      log,
    }),
    rooms: new RoomServiceClient(config.livekit.url, config.livekit.apiKey, config.livekit.apiSecret),
    sounds:
      megabytes > 0 ? createSounds({ path: directory, mostBytes: megabytes * 1_000_000 }, log) : undefined,
    loadVad() {
      vad ??= loadVad();
      return vad;
    },
  };
}

function createRefiningScorer(
  config: Config,
  prompts: PromptLibrary,
  fallback: ConversationScorer,
): ConversationScorer | undefined {
  if (config.scoring.scorer !== 'model') return undefined;
  return createModelScorer({
    ...config.llm,
    model: config.scoring.model,
    prompt: scorerPrompt(prompts.forLanguage('en').book),
    fallback,
  });
}

function createInteractionStore(db: Database): InteractionStore {
  return {
    async setPhoneNumber(key, phoneNumber, source) {
      const { customer_id } = await setPhoneNumber(db, { ...key, phoneNumber, source });
      return { customerId: customer_id };
    },
    async requestSupervisor(key, reason) {
      const { supervisor_present } = await requestSupervisor(db, { ...key, reason });
      return { supervisorPresent: supervisor_present };
    },
    async requestCallback(key, wanted) {
      const { phone_number } = await requestCallback(db, { ...key, ...wanted });
      return { phoneNumber: phone_number };
    },
    async releaseControl(key, controlledBy, reason) {
      return (await releaseControl(db, { ...key, controlledBy, reason })).released;
    },
    async takeWhispers(key, ids) {
      await takeWhispers(db, { ...key, ids });
    },
    async complete(key, status, endReason) {
      const { archive, already } = await completeInteraction(db, { ...key, status, endReason });
      return { summary: archive?.summary ?? '', facts: archive?.facts ?? {}, already };
    },
    async updateArchive(interactionId, result) {
      await updateArchive(db, { interactionId, result });
    },
    loadTools: (key) => loadAgentTools(db, key),
    release: (key, handedOver) => releaseLease(db, key, { handedOver }),
  };
}
