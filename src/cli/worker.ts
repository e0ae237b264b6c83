import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { type Config, type Execution, handDownSpool } from '../config.ts';
import { createServiceClient, type Database } from '../database/client.ts';
import { releaseWorker } from '../database/leases.ts';
import { CHANNELS } from '../domain/channel.ts';
import type { Log } from '../log.ts';
import { createClaims } from '../runtime/claims.ts';
import { Dispatcher } from '../runtime/dispatcher.ts';
import { Ending } from '../runtime/ending.ts';
import { serveHealth } from '../runtime/health.ts';
import { HostProcesses } from '../runtime/host-processes.ts';
import { createHousekeeping } from '../runtime/housekeeping.ts';
import { LeftRecords } from '../runtime/left-records.ts';
import { OwnChildren } from '../runtime/own-children.ts';
import { createLeftRecordSink } from '../runtime/record-sink.ts';
import { SpoolFolder } from '../runtime/spool-folder.ts';
import { createSummon } from '../runtime/summon.ts';
import { Worker } from '../runtime/worker.ts';
import { systemClock } from '../session/clock.ts';
import { Outbox } from '../session/outbox.ts';

/** A request to the database or to LiveKit that is under way. */
const ROUNDS_MS = 10_000;
/** More than it takes to find out that the database is away. */
const RECORDS_MS = 12_000;
/** Whatever still keeps the process when everything has ended: a connection, a timer, a child. */
const LAST_MS = 5_000;

/**
 * `floorwalker worker`: runs until `stop` is aborted, then drains, and ends within the drain time, `endMs` and 45
 * seconds in every case.
 *
 * @returns the status to exit with: 0, or 1 when something had to be ended by force or left behind.
 * @throws WorkerError of the framework when LiveKit can't be reached after several attempts.
 */
export async function runWorker(config: Config, log: Log, stop: AbortSignal): Promise<number> {
  const children = new OwnChildren();
  const ending = new Ending({ clock: systemClock, log });
  try {
    await work(config, log, stop, { children, ending });
    return ending.complete ? 0 : 1;
  } finally {
    children.close();
    exitSoon(children, ending, log);
  }
}

/** Does not keep the process itself. */
function exitSoon(children: OwnChildren, ending: Ending, log: Log): void {
  const last = setTimeout(() => {
    const processes = children.alive();
    const resources = process.getActiveResourcesInfo();
    if (processes.length > 0)
      ending.gaveUp('process', { limitMs: LAST_MS, processes, instead: 'they are killed' });
    children.kill();
    log.warn({ limitMs: LAST_MS, resources }, 'something keeps the process after its end; it exits');
    process.exit(process.exitCode || (ending.complete ? 0 : 1));
  }, LAST_MS);
  last.unref();
}

async function work(
  config: Config,
  log: Log,
  stop: AbortSignal,
  { children, ending }: { readonly children: OwnChildren; readonly ending: Ending },
): Promise<void> {
  const db = createServiceClient(config.supabase);
  const left = await openLeftRecords(db, config, log);
  const stopLeft = () =>
    ending.step('records', RECORDS_MS, left.stop(), 'what is on this disk is stored by the next worker');
  // Before anybody carries those conversations on.
  await left.start();
  if (stop.aborted) return void (await stopLeft());
  // Containers of one image may share host name and process id.
  const id = `${hostname()}-${process.pid}`;
  const candidate = `${id}-${randomUUID().slice(0, 8)}`;
  const by = (execution: Execution) =>
    CHANNELS.filter((channel) => config.worker[channel].execution === execution);
  const isolated = by('isolated');
  const worker =
    isolated.length === 0
      ? undefined
      : new Worker({
          config,
          id,
          channels: isolated,
          claims: createClaims(db, config, log),
          recoverSpooled: () => left.recoverDead(),
          onGivenBack: () => dispatcher.hurry(),
          children,
          ending,
          clock: systemClock,
          log,
        });
  const hosts = new Map(
    by('shared').map((channel) => [
      channel,
      new HostProcesses({
        config,
        channel,
        onLost: async (hostId, stalledBy) => {
          await left.recoverDead();
          await releaseWorker(db, hostId, { stalledBy });
          dispatcher.hurry();
        },
        ending,
        clock: systemClock,
        log,
      }),
    ]),
  );
  const stopHosts = (drainMs: number) =>
    Promise.all([...hosts.values()].map((processes) => processes.stop(drainMs)));
  const dispatcher = new Dispatcher({
    db,
    config,
    summon: createSummon(config.livekit),
    places: (channel) => hosts.get(channel)?.places ?? worker?.places(channel) ?? 0,
    clock: systemClock,
    log,
  });
  const housekeeping = createHousekeeping({ db, config, candidate, clock: systemClock, log });
  const {
    figures,
    worker: { voice, chat },
  } = config;
  let rounds: Promise<unknown> | undefined;
  const stopRounds = () => {
    rounds ??= ending.step(
      'rounds',
      ROUNDS_MS,
      Promise.all([dispatcher.stop(), housekeeping.stop()]),
      'what is under way is left to itself',
    );
    return rounds;
  };
  stop.addEventListener('abort', () => {
    void stopRounds();
    void stopHosts(figures.drainMs);
    worker?.stop().catch((err: unknown) => log.error({ err }, 'worker did not stop cleanly'));
  });
  const started = [...hosts.values()].map((processes) => processes.start());
  void Promise.all([worker?.registered(), ...started]).then(() => {
    if (stop.aborted) return;
    log.info(
      { worker: id, calls: voice.most, chats: chat.most, shared: [...hosts.keys()] },
      'worker is registered with LiveKit',
    );
    dispatcher.start();
    housekeeping.start();
  });
  try {
    await (worker?.run() ?? runHosts([...hosts.values()], config, stop));
  } finally {
    // Also when LiveKit is lost for good: a process that takes nothing must not look alive.
    await stopRounds();
    await Promise.all([worker?.stop(), stopHosts(worker ? 0 : figures.drainMs)]);
    // Processes that had to end before the database was back have left it here.
    await stopLeft();
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

/** Where no conversation has a process to itself, there is no worker of the framework's, which would tell how it is. */
async function runHosts(hosts: readonly HostProcesses[], config: Config, stop: AbortSignal): Promise<void> {
  const { host, port } = config.worker;
  const closeHealth = await serveHealth({ host, port, isHealthy: () => hosts.every(({ ready }) => ready) });
  if (!stop.aborted) await once(stop, 'abort');
  closeHealth();
}
