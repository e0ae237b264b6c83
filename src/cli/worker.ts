import { randomUUID } from 'node:crypto';
import { type Config, handDownSpool } from '../config.ts';
import { createServiceClient } from '../database/client.ts';
import { releaseWorker } from '../database/leases.ts';
import type { Log } from '../log.ts';
import { createClaims } from '../runtime/claims.ts';
import { Dispatcher } from '../runtime/dispatcher.ts';
import { HostProcesses } from '../runtime/host-processes.ts';
import { createHousekeeping } from '../runtime/housekeeping.ts';
import { createRecordSink } from '../runtime/record-sink.ts';
import { SpoolFolder } from '../runtime/spool.ts';
import { createSummon } from '../runtime/summon.ts';
import { Worker } from '../runtime/worker.ts';
import { systemClock, within } from '../session/clock.ts';
import { Outbox } from '../session/outbox.ts';

/** How long a worker that stops tries to store what its processes have left. */
const LAST_RECORDS_MS = 10_000;

/**
 * `floorwalker worker`: runs until `stop` is aborted, then drains.
 *
 * @throws WorkerError of the framework when LiveKit can't be reached after several attempts.
 */
export async function runWorker(config: Config, log: Log, stop: AbortSignal): Promise<void> {
  const db = createServiceClient(config.supabase);
  const spool = await SpoolFolder.make(log).catch((err: unknown) =>
    log.warn({ err }, 'what waits for the database can not be kept on disk'),
  );
  if (spool) handDownSpool(spool.address);
  const left = new Outbox({ sink: createRecordSink(db), clock: systemClock, log });
  const recoverSpooled = async () => spool?.recoverDead(left);
  const worker = new Worker({
    config,
    claims: createClaims(db, config, log),
    recoverSpooled,
    onGivenBack: () => dispatcher.hurry(),
    clock: systemClock,
    log,
  });
  const chats = new HostProcesses({
    config,
    onLost: async (hostId, stalledBy) => {
      await recoverSpooled();
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
    const recovered = recoverSpooled().catch((err: unknown) => log.warn({ err }, 'records were left behind'));
    await within(systemClock, LAST_RECORDS_MS, recovered);
    left.close();
    await spool?.remove();
  }
}
