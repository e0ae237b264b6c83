import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react';
import { useLive } from '../live/live-context.tsx';
import { useApp } from '../session/app-context.ts';
import { Desk, type Seat } from './desk.ts';

const DeskContext = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (desk === null) throw new Error('useDesk needs a DeskProvider above it');
  return desk;
}

export function useSeats(): readonly Seat[] {
  const desk = useDesk();
  return useSyncExternalStore(desk.subscribe, desk.seats);
}

export function useSeat(interactionId: string): Seat | undefined {
  const desk = useDesk();
  return useSyncExternalStore(desk.subscribe, () => desk.seat(interactionId));
}

export function DeskProvider({
  userId,
  children,
}: {
  readonly userId: string;
  readonly children: ReactNode;
}) {
  const { api } = useApp();
  const live = useLive();
  const [desk] = useState(() => new Desk({ api, live, userId }));
  useEffect(() => {
    desk.start();
    return () => desk.stop();
  }, [desk]);
  return <DeskContext value={desk}>{children}</DeskContext>;
}
