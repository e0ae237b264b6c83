import { type ApiAddresses, ApiServer } from '../api/server.ts';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

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
  return { ...addresses, stop: () => server.stop() };
}
