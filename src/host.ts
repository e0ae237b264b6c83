import { initializeLogger } from '@livekit/agents';
import { z } from 'zod';
import { loadProcessConfig } from './config.ts';
import { CHANNELS } from './domain/channel.ts';
import { createLog } from './log.ts';
import { createClaims } from './runtime/claims.ts';
import { type HostReport, hostOrderSchema } from './runtime/host-messages.ts';
import { createProcessServices } from './runtime/process-services.ts';
import { SessionHost } from './runtime/session-host.ts';
import { StallWatch } from './runtime/stall-watch.ts';
import type { SessionServices } from './session/services.ts';
import { softwareVersion } from './version.ts';

/** Often enough that a process that stands still is found out in seconds. */
const BEAT_MS = 1_000;
/** Of the time that a lease lasts, for how much the event loop may stand still. */
const STALL_PART = 0.75;

const NAMES = { chat: 'floorwalker-chats', voice: 'floorwalker-calls' } as const;

const argumentsSchema = z.tuple([z.enum(CHANNELS), z.coerce.number().int().min(1)]);

/** A process of many conversations of a channel, started by the worker; it ends when the worker says so or is gone. */
async function main(): Promise<void> {
  const [channel, maxSessions] = argumentsSchema.parse(process.argv.slice(2, 4));
  const config = loadProcessConfig();
  const log = createLog({ level: config.logLevel, name: NAMES[channel] });
  initializeLogger({ pretty: false, level: config.worker.logLevel });
  const services = await createProcessServices(config, log);
  // Before the leases run out: whoever waits is waited for less, and the culprit is known before others take it over.
  const watch = new StallWatch({ limitMs: config.figures.leaseMs * STALL_PART });
  const host = new SessionHost({
    services: channel === 'voice' ? { ...services, ...(await loadVoice(services)) } : services,
    claims: createClaims(services.db, config, log),
    version: softwareVersion,
    channel,
    maxSessions,
    watch,
    log,
  });
  const report = (message: HostReport): void => {
    if (process.connected) process.send?.(message);
  };
  const exitAfter = (stopped: Promise<void>): void => {
    stopped
      .then(() => services.toolServers.close())
      .then(
        () => process.exit(0),
        (err: unknown) => {
          log.error({ err }, 'conversations did not end cleanly');
          process.exit(1);
        },
      );
  };
  // Ctrl-C and a container's stop reach the whole group; the worker decides when its conversations end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('unhandledRejection', (err) =>
    log.error({ err, session: watch.running }, 'a session failed outside of its own course'),
  );
  process.on('uncaughtException', (err) => {
    // What it left behind is not known: this process says nothing new, and its conversations go on in another.
    const session = watch.running;
    log.error({ err, session }, 'a session failed in the middle of something; all leave this process');
    report({ kind: 'failed' });
    exitAfter(host.fail(session));
  });
  process.on('disconnect', () => {
    log.error('the worker is gone: its conversations go on elsewhere');
    exitAfter(host.stop(0));
    // Nobody is left who would end it.
    services.clock.after(config.figures.endMs, () => {
      log.error('the conversations do not leave, and nobody waits for them: the process ends');
      process.exit(1);
    });
  });
  process.on('message', (message) => {
    const order = hostOrderSchema.safeParse(message);
    if (order.data?.kind === 'refuse') host.refuse();
    else if (order.data) exitAfter(host.stop(order.data.drainMs));
  });
  // A worker that died while this process was starting has said so before anybody listened.
  if (process.send && !process.connected) process.exit(1);
  await host.start();
  report({ kind: 'ready', hostId: host.id });
  setInterval(() => {
    const { active, largest } = host;
    report({ kind: 'beat', active, residentBytes: process.memoryUsage.rss(), largest });
  }, BEAT_MS);
}

/** What all calls of a process share. Ready before the first of them, who would wait for it. */
async function loadVoice(services: SessionServices): Promise<Pick<SessionServices, 'turnInference'>> {
  const { loadTurnInference } = await import('./session/turn-inference.ts');
  const [turnInference] = await Promise.all([loadTurnInference(services.log), services.loadVad()]);
  return { turnInference };
}

await main();
