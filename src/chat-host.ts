import { initializeLogger } from '@livekit/agents';
import { z } from 'zod';
import { loadProcessConfig } from './config.ts';
import { createLog } from './log.ts';
import { createClaims } from './runtime/claims.ts';
import { type HostReport, hostOrderSchema } from './runtime/host-messages.ts';
import { createProcessServices } from './runtime/process-services.ts';
import { SessionHost } from './runtime/session-host.ts';
import { StallWatch } from './runtime/stall-watch.ts';
import { softwareVersion } from './version.ts';

/** Often enough that a process that stands still is found out in seconds. */
const BEAT_MS = 1_000;
/** Of the time that a lease lasts, for how much the event loop may stand still. */
const STALL_PART = 0.75;

/** A process of many chats, started by the worker; it ends when the worker says so or is gone. */
async function main(): Promise<void> {
  const config = loadProcessConfig();
  const log = createLog({ level: config.logLevel, name: 'floorwalker-chats' });
  initializeLogger({ pretty: false, level: config.worker.logLevel });
  const services = await createProcessServices(config, log);
  // Before the leases run out: whoever waits is waited for less, and the culprit is known before others take it over.
  const watch = new StallWatch({ limitMs: config.figures.leaseMs * STALL_PART });
  const host = new SessionHost({
    services,
    claims: createClaims(services.db, config, log),
    version: softwareVersion,
    maxSessions: z.coerce.number().int().min(1).parse(process.argv[2]),
    watch,
    log,
  });
  const report = (message: HostReport): void => {
    if (process.connected) process.send?.(message);
  };
  const stop = (drainMs: number): void => {
    const stopped = host.stop(drainMs).then(() => services.toolServers.close());
    stopped.then(
      () => process.exit(0),
      (err: unknown) => {
        log.error({ err }, 'chats did not end cleanly');
        process.exit(1);
      },
    );
  };
  // Ctrl-C and a container's stop reach the whole group; the worker decides when its chats end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('unhandledRejection', (err) =>
    log.error({ err, session: watch.running }, 'a chat failed outside of its own course'),
  );
  process.on('uncaughtException', (err) => {
    // What it left behind is not known: this process says nothing new, and its chats go on in another.
    log.error(
      { err, session: watch.running },
      'a chat failed in the middle of something; all leave this process',
    );
    stop(0);
  });
  process.on('disconnect', () => {
    log.error('the worker is gone: its chats go on elsewhere');
    stop(0);
  });
  process.on('message', (message) => {
    const order = hostOrderSchema.safeParse(message);
    if (order.success) stop(order.data.drainMs);
  });
  // A worker that died while this process was starting has said so before anybody listened.
  if (process.send && !process.connected) process.exit(1);
  await host.start();
  report({ kind: 'ready', hostId: host.id });
  setInterval(() => {
    report({ kind: 'beat', active: host.active, residentBytes: process.memoryUsage.rss() });
  }, BEAT_MS);
}

await main();
