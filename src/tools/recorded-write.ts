import { setTimeout as delay } from 'node:timers/promises';
import { isFloorwalkerError } from '../errors.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;

/** The lease is another worker's now; nothing more may be written or run here. */
export function isFenced(error: unknown): boolean {
  const code: string | undefined = isFloorwalkerError(error) ? error.code : undefined;
  return code === 'stale_generation';
}

export function isDatabaseUnavailable(error: unknown): boolean {
  const code: string | undefined = isFloorwalkerError(error) ? error.code : undefined;
  return code === 'database_unavailable';
}

/**
 * Writes until it is written: an unreachable database is asked again with growing pauses, anything else is
 * the caller's to handle. Rejects with the signal's reason once that is aborted.
 */
export async function untilWritten<T>(
  write: () => Promise<T>,
  options: { signal: AbortSignal; onRetry: (attempts: number) => void },
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    options.signal.throwIfAborted();
    try {
      return await write();
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      options.onRetry(attempt);
      const pauseMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
      await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal });
    }
  }
}
