import { useSyncExternalStore } from 'react';

const told = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let second = Math.floor(Date.now() / 1_000);

function listen(tell: () => void): () => void {
  told.add(tell);
  timer ??= setInterval(() => {
    second = Math.floor(Date.now() / 1_000);
    for (const each of [...told]) each();
  }, 1_000);
  return () => {
    told.delete(tell);
    if (told.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Renders anew every second, all clocks of the page in one go. */
export function useSecond(): number {
  return useSyncExternalStore(listen, () => second);
}

/** 75 → "1:15", 3675 → "1:01:15" */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function formatTime(at: string | number): string {
  return clock.format(new Date(at));
}
