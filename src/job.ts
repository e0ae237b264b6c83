import { defineAgent, type JobContext } from '@livekit/agents';
import { loadProcessConfig } from './config.ts';
import { parseAgentIdentity } from './domain/identities.ts';
import { FloorwalkerError } from './errors.ts';
import { createLog } from './log.ts';
import { loadClaim } from './runtime/claim-loader.ts';
import { createProcessServices, type ProcessServices } from './runtime/process-services.ts';
import { InteractionSession } from './session/interaction-session.ts';

interface ProcessData extends Record<string, unknown> {
  services?: Promise<ProcessServices>;
}

/** What LiveKit's worker loads in each job process: made ready once, then one interaction. */
export default defineAgent<ProcessData>({
  prewarm: async (proc) => {
    const config = loadProcessConfig();
    const services = createProcessServices(config, createLog({ level: config.logLevel }));
    proc.userData.services = services;
    await (await services).loadVad();
  },

  entry: async (ctx: JobContext<ProcessData>) => {
    const services = await ctx.proc.userData.services;
    if (!services) throw new FloorwalkerError('internal', 'The job process was not made ready.');
    const key = parseAgentIdentity(ctx.info.acceptArguments.identity);
    if (!key) throw new FloorwalkerError('internal', 'The job was accepted under an unknown identity.');
    const log = services.log.child({ interaction: key.interactionId, generation: key.generation });
    try {
      const [claim] = await Promise.all([loadClaim(services.db, key), ctx.connect()]);
      const session = new InteractionSession(claim, ctx.room, services);
      // The worker asks its jobs to leave: when the drain time is over, or when it was told to stop at once.
      ctx.addShutdownCallback(() => session.leave('the worker stops'));
      await session.start();
      const outcome = await session.outcome;
      log.info({ outcome }, 'job done');
      ctx.shutdown(outcome.kind);
    } catch (err) {
      log.error({ err }, 'job failed');
      ctx.shutdown('failed');
    }
  },
});
