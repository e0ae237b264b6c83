import { FloorwalkerError } from '../errors.ts';
import type { Child } from './child.ts';

/**
 * Waits for a starting child until `ready` settles, it dies, or the deadline passes.
 *
 * @throws FloorwalkerError `embedded_start_failed` with the child's last lines; the child is then stopped.
 */
export async function untilReady<T>(child: Child, ready: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const failure = async (what: string): Promise<never> => {
    await child.stop();
    throw new FloorwalkerError('embedded_start_failed', `${child.name} ${what}\n${child.tail}`.trim());
  };
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), timeoutMs);
  });
  const died = child.exited.then(() => 'died' as const);
  try {
    const outcome = await Promise.race([ready.then((value) => ({ value })), died, deadline]);
    if (outcome === 'late') return await failure(`was not ready within ${timeoutMs} ms`);
    if (outcome === 'died') {
      const { code, signal } = await child.exited;
      return await failure(`ended while it was starting (${signal ?? `status ${code}`})`);
    }
    return outcome.value;
  } finally {
    clearTimeout(timer);
  }
}

/** Polls until `probe` says yes; ends with the child, so that it never outlives what it waits for. */
export async function pollUntil(child: Child, probe: () => Promise<boolean>, everyMs = 50): Promise<void> {
  while (child.running) {
    if (await probe()) return;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
