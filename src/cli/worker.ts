import { randomUUID } from 'node:crypto';
import { type Config, handDownSpool } from '../config.ts';
import { createServiceClient, type Database } from '../database/client.ts';
import { releaseWorker } from '../database/leases.ts';
import type { Log } from '../log.ts';
import { createClaims } from '../runtime/claims.ts';
import { Dispatcher } from '../runtime/dispatcher.ts';
import { HostProcesses } from '../runtime/host-processes.ts';
import { createHousekeeping } from '../runtime/housekeeping.ts';
import { LeftRecords } from '../runtime/left-records.ts';
import { createLeftRecordSink } from '../runtime/record-sink.ts';
import { SpoolFolder } from '../runtime/spool-folder.ts';
import { createSummon } from '../runtime/summon.ts';
import { Worker } from '../runtime/worker.ts';
import { systemClock } from '../session/clock.ts';
import { Outbox } from '../session/outbox.ts';

/**
 * `floorwalker worker`: runs until `stop` is aborted, then drains.
 *
 * @throws WorkerError of the framework when LiveKit can't be reached after several attempts.
 */
export async function runWorker(config: Config, log: Log, stop: AbortSignal): Promise<void> {
  const db = createServiceClient(config.supabase);
  const left = await openLeftRecords(db, config, log);
  // Before anybody carries those conversations on.
  await left.start();
  if (stop.aborted) return await left.stop();
  const worker = new Worker({
    config,
    claims: createClaims(db, config, log),
    recoverSpooled: () => left.recoverDead(),
    onGivenBack: () => dispatcher.hurry(),
    clock: systemClock,
    log,
  });
  const chats = new HostProcesses({
    config,
    onLost: async (hostId, stalledBy) => {
      await left.recoverDead();
      await releaseWorker(db, hostId, { stalledBy });
      dispatcher.hurry();
    },
    clock: systemClock,
    log,
  });
  const dispatcher = new Dispatcher({
    db,
    config,
    summon: createSummon(config.livekit),
    places: (channel) => (channel === 'chat' ? chats.places : worker.places),
    clock: systemClock,
    log,
  });
  // Containers of one image may share host name and process id.
  const candidate = `${worker.id}-${randomUUID().slice(0, 8)}`;
  const housekeeping = createHousekeeping({ db, config, candidate, clock: systemClock, log });
  stop.addEventListener('abort', () => {
    void dispatcher.stop();
    void housekeeping.stop();
    void chats.stop(config.figures.drainMs);
    worker.stop().catch((err: unknown) => log.error({ err }, 'worker did not stop cleanly'));
  });
  void Promise.all([worker.registered(), chats.start()]).then(() => {
    if (stop.aborted) return;
    const { maxInteractions: calls, maxChats: chatCap } = config.worker;
    log.info({ worker: worker.id, calls, chats: chatCap }, 'worker is registered with LiveKit');
    dispatcher.start();
    housekeeping.start();
  });
  try {
    await worker.run();
  } finally {
    // Also when LiveKit is lost for good: a process that takes nothing must not look alive.
    await Promise.all([dispatcher.stop(), housekeeping.stop()]);
    await Promise.all([worker.stop(), chats.stop(0)]);
    // Processes that had to end before the database was back have left it here.
    await left.stop();
  }
}

/** Its processes inherit the folder. */
async function openLeftRecords(db: Database, config: Config, log: Log): Promise<LeftRecords> {
  const folder = await SpoolFolder.make({
    parent: config.worker.spoolDirectory,
    secret: config.supabase,
    log,
  }).catch((err: unknown) => {
    log.warn({ err }, 'what waits for the database can not be kept on disk');
    return undefined;
  });
  if (folder) handDownSpool(folder.path);
  const outbox = new Outbox({ sink: createLeftRecordSink(db), clock: systemClock, log });
  return new LeftRecords({ folder, outbox, clock: systemClock, log });
}
