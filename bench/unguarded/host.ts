import { initializeLogger } from '@livekit/agents';
import { loadProcessConfig } from '../../src/config.ts';
import { pollSessions } from '../../src/database/leases.ts';
import { createLog } from '../../src/log.ts';
import { createClaims } from '../../src/runtime/claims.ts';
import { createProcessServices, type ProcessServices } from '../../src/runtime/process-services.ts';
import { SessionHost } from '../../src/runtime/session-host.ts';
import { StallWatch } from '../../src/runtime/stall-watch.ts';
import { InterimFeed } from '../../src/session/interim-feed.ts';
import { LeaseKeeper } from '../../src/session/lease-keeper.ts';
import { Outbox } from '../../src/session/outbox.ts';
import type { SessionNews } from '../../src/session/services.ts';
import { softwareVersion } from '../../src/version.ts';

/**
 * A process of chats without a worker, for one comparison: `with` is production's own, `without` has the same code with a
 * store in its memory that forgets. Nothing in `src` knows of it; what differs is what the sessions are given.
 */
function withoutGuarantees(services: ProcessServices): ProcessServices {
  const { clock, log } = services;
  return {
    ...services,
    // What was said, done and measured: taken as stored at once.
    outbox: new Outbox({
      clock,
      log,
      sink: {
        appendRecords: async (batch) => batch.map(({ interaction_id }) => ({ interaction_id, stored: true })),
        recordMetrics: async () => {},
      },
    }),
    interim: new InterimFeed({ send: async () => {}, everyMs: 250, clock, log }),
    // No heartbeats, and nobody who could take an interaction over.
    leases: new LeaseKeeper<SessionNews>({
      // Supervision goes on as it does.
      poll: (leases) => pollSessions(services.db, leases),
      heartbeat: async (leases) =>
        leases.map(({ interactionId }) => ({ interaction_id: interactionId, held: true })),
      heartbeatMs: services.config.figures.heartbeatMs,
      pollMs: services.config.figures.pollMs,
      leaseMs: services.config.figures.leaseMs,
      clock,
      log,
    }),
  };
}

async function main(guarantees: string | undefined): Promise<void> {
  const config = loadProcessConfig();
  const log = createLog({ level: config.logLevel, name: 'floorwalker-bench' });
  initializeLogger({ pretty: false, level: config.worker.logLevel });
  const production = await createProcessServices(config, log);
  const services = guarantees === 'without' ? withoutGuarantees(production) : production;
  const host = new SessionHost({
    services,
    claims: createClaims(services.db, config, log),
    version: softwareVersion,
    channel: 'chat',
    maxSessions: 40,
    watch: new StallWatch({ limitMs: config.figures.leaseMs }),
    log,
  });
  process.on('SIGTERM', () => {
    void host.stop(0).finally(() => process.exit(0));
  });
  await host.start();
  process.stdout.write('registered with LiveKit\n');
}

await main(process.argv[2]);
