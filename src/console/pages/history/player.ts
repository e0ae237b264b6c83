import { useCallback, useEffect, useState } from 'react';

const TICK_MS = 100;

export interface Player {
  readonly atMs: number;
  readonly playing: boolean;
  readonly speed: number;
  readonly toggle: () => void;
  readonly seek: (atMs: number) => void;
  readonly setSpeed: (speed: number) => void;
}

/** A clock that runs over the time of the conversation. It begins at the end: first one reads, then one plays. */
export function usePlayer(durationMs: number): Player {
  const [atMs, setAt] = useState(durationMs);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(4);
  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => setAt((at) => Math.min(durationMs, at + TICK_MS * speed)), TICK_MS);
    return () => clearInterval(timer);
  }, [playing, speed, durationMs]);
  useEffect(() => {
    if (atMs >= durationMs) setPlaying(false);
  }, [atMs, durationMs]);
  const toggle = useCallback(() => {
    setPlaying((before) => !before);
    setAt((at) => (at >= durationMs ? 0 : at));
  }, [durationMs]);
  const seek = useCallback(
    (wanted: number) => setAt(Math.min(durationMs, Math.max(0, wanted))),
    [durationMs],
  );
  return { atMs, playing, speed, toggle, seek, setSpeed };
}
