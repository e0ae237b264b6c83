import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react';
import { useApp } from '../session/app-context.ts';
import { Live } from './live.ts';

const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error('useLive needs a LiveProvider above it');
  return live;
}

/** Renders anew when something of this topic has changed, and `read` gives something else. */
export function useLiveValue<T>(topic: string, read: (live: Live) => T): T {
  const live = useLive();
  return useSyncExternalStore(
    (tell) => live.listen(topic, tell),
    () => read(live),
  );
}

/** For what is made of several entries: renders anew at each change of the topic, and says how often that was. */
export function useLiveVersion(topic: string): number {
  return useLiveValue(topic, (live) => live.version(topic));
}

export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const { api, session } = useApp();
  const [live] = useState(() => new Live({ api, accessToken: session.accessToken }));
  useEffect(() => {
    const renew = () => live.renew();
    const goOffline = () => live.goOffline();
    const endRenewals = session.onRenewed(renew);
    window.addEventListener('online', renew);
    window.addEventListener('offline', goOffline);
    live.start();
    return () => {
      endRenewals();
      window.removeEventListener('online', renew);
      window.removeEventListener('offline', goOffline);
      live.stop();
    };
  }, [live, session]);
  return <LiveContext value={live}>{children}</LiveContext>;
}
