import { defineAgent, type JobContext, type JobProcess } from '@livekit/agents';
import { loadProcessConfig } from './config.ts';
import { releaseLease } from './database/leases.ts';
import { type AgentIdentity, parseAgentIdentity } from './domain/identities.ts';
import { FloorwalkerError } from './errors.ts';
import { createLog } from './log.ts';
import { loadSessionFor } from './runtime/load-session.ts';
import { createProcessServices, type ProcessServices } from './runtime/process-services.ts';
import { watchWorker } from './runtime/worker-signals.ts';
import type { InteractionSession } from './session/interaction-session.ts';

interface ProcessData extends Record<string, unknown> {
  services?: ProcessServices;
}

/** What LiveKit's worker loads in each process of a conversation that has one to itself: made ready once, then one interaction. */
export default defineAgent<ProcessData>({
  prewarm: async (proc: JobProcess<ProcessData>) => {
    const config = loadProcessConfig();
    const services = await createProcessServices(config, createLog({ level: config.logLevel }));
    proc.userData.services = services;
    // Where chats have processes of their own too, they share the warm ones with calls, which must not wait.
    if (config.worker.voice.execution === 'isolated') await services.loadVad();
  },

  entry: async (ctx: JobContext<ProcessData>) => {
    const { services } = ctx.proc.userData;
    if (!services) throw new FloorwalkerError('internal', 'The job process was not made ready.');
    const key = parseAgentIdentity(ctx.info.acceptArguments.identity);
    if (!key) throw new FloorwalkerError('internal', 'The job was accepted under an unknown identity.');
    const log = services.log.child({ interaction: key.interactionId, generation: key.generation });
    try {
      const session = await begin(ctx, services, key);
      const outcome = await session.outcome;
      await services.toolServers.close();
      log.info({ outcome }, 'job done');
      ctx.shutdown(outcome.kind);
    } catch (err) {
      log.error({ err }, 'job failed');
      // For the next worker to take at once, rather than when the lease runs out.
      await releaseLease(services.db, key).catch(() => false);
      ctx.shutdown('failed');
    }
  },
});

async function begin(
  ctx: JobContext<ProcessData>,
  services: ProcessServices,
  key: AgentIdentity,
): Promise<InteractionSession> {
  let session: InteractionSession | undefined;
  let asked: string | undefined;
  watchWorker(process, services.clock, (why) => {
    asked = why;
    void session?.handOver(why);
  });
  // The process stays until everything is stored, also when the room is gone and the database away.
  ctx.addShutdownCallback(async () => void (await session?.outcome));
  session = await loadSessionFor(key, ctx.room, () => ctx.connect(), services);
  await session.start();
  if (asked !== undefined) void session.handOver(asked);
  return session;
}
