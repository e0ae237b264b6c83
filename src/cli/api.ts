import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type ApiAddresses, ApiServer } from '../api/server.ts';
import type { Config } from '../config.ts';
import { createServiceClient } from '../database/client.ts';
import type { Log } from '../log.ts';
import { createHousekeeping } from '../runtime/housekeeping.ts';
import { systemClock } from '../session/clock.ts';

/** A running API: what it listens on, and how to stop it. */
export interface RunningApi extends ApiAddresses {
  stop(): Promise<void>;
}

/**
 * Starts the API; signals are the caller's.
 *
 * @throws FloorwalkerError `config_invalid` without a publishable key, `cannot_listen` for a port that is taken
 */
export async function runApi(config: Config, log: Log): Promise<RunningApi> {
  const server = new ApiServer(config, log);
  const addresses = await server.start();
  // Those who wait need somebody who looks after them, above all when no worker is there.
  const housekeeping = createHousekeeping({
    db: createServiceClient(config.supabase),
    config,
    candidate: `api-${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    clock: systemClock,
    log: log.child({ component: 'housekeeping' }),
  });
  housekeeping.start();
  const stop = async (): Promise<void> => {
    await Promise.all([housekeeping.stop(), server.stop()]);
  };
  return { ...addresses, stop };
}
