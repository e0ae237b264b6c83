/** The promise, or the signal's reason as soon as that is aborted and `mayLeave` says so; the promise goes on. */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  mayLeave: () => boolean = () => true,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    if (mayLeave()) aborted.reject(signal.reason);
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Whoever left does not hear how it ended.
    promise.catch(() => undefined);
    aborted.promise.catch(() => undefined);
  }
}
