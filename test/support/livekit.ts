import { inject } from 'vitest';

export interface TestLiveKit {
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** The run's LiveKit server. Rooms have random names, so files don't meet in one. */
export function setupLiveKit(): TestLiveKit {
  const livekit = inject('livekit');
  if (livekit) return livekit;
  throw new Error(
    'No livekit-server was found. Run "npm test", whose set-up brings one, or set LIVEKIT_SERVER_BIN.',
  );
}
