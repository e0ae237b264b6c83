import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useLive } from '../live/live-context.tsx';
import { type Alert, type AlertKind, currentAlerts, mayAlert } from './alerts.ts';
import { type AlertWay, type Mutes, muteOf, readMutes, writeMutes } from './mutes.ts';
import { allowSounds, play } from './sounds.ts';

interface Alerts {
  /** How many things want attention, of the kinds that are shown in the tab's title. */
  readonly attention: number;
  readonly mutes: Mutes;
  readonly anyMuted: boolean;
  readonly setMuted: (kind: AlertKind, way: AlertWay, muted: boolean) => void;
}

const AlertsContext = createContext<Alerts | null>(null);
/** Silence grows without any event. */
const LOOK_EVERY_MS = 5_000;

export function useAlerts(): Alerts {
  const alerts = useContext(AlertsContext);
  if (alerts === null) throw new Error('useAlerts needs an AlertsProvider above it');
  return alerts;
}

function notify({ key, text, interactionId }: Alert): void {
  if (!('Notification' in window) || Notification.permission !== 'granted' || document.hasFocus()) return;
  const notification = new Notification('Floorwalker', { body: text, tag: key });
  notification.onclick = () => {
    window.focus();
    if (interactionId) {
      history.pushState(null, '', `/console/interactions/${interactionId}`);
      window.dispatchEvent(new PopStateEvent('popstate'));
    }
    notification.close();
  };
}

export function AlertsProvider({ children }: { readonly children: ReactNode }) {
  const live = useLive();
  const [mutes, setMutes] = useState<Mutes>(readMutes);
  const [current, setCurrent] = useState<readonly Alert[]>([]);
  const [announced, setAnnounced] = useState('');
  const muted = useRef(mutes);
  const raised = useRef<ReadonlySet<string> | null>(null);

  useEffect(() => {
    const look = (): void => {
      if (!live.loaded) return;
      const now = currentAlerts(live);
      const before = raised.current;
      raised.current = new Set(now.keys());
      const fresh = [...now.values()].filter(({ key }) => before !== null && !before.has(key));
      if (before === null || fresh.length > 0 || before.size !== now.size) setCurrent([...now.values()]);
      for (const alert of fresh) {
        if (!muted.current.has(muteOf(alert.kind, 'notification'))) notify(alert);
      }
      // One sound for what happens at once, the most urgent: kinds are in that order.
      const heard = fresh.find(({ kind }) => !muted.current.has(muteOf(kind, 'sound')));
      if (heard) play(heard.kind);
      const [told] = fresh;
      if (told) setAnnounced(fresh.length > 1 ? `${told.text}, and ${fresh.length - 1} more` : told.text);
    };
    let due: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      due ??= setTimeout(() => {
        due = undefined;
        look();
      }, 50);
    };
    const endEvents = live.onEvent((event) => {
      if (mayAlert(event)) soon();
    });
    const timer = setInterval(look, LOOK_EVERY_MS);
    const endConnection = live.listen('connection', soon);
    return () => {
      endEvents();
      endConnection();
      clearInterval(timer);
      clearTimeout(due);
    };
  }, [live]);

  useEffect(() => {
    // Whoever has just signed in has done something already; after a reload the browser wants to see a hand first.
    allowSounds();
    window.addEventListener('pointerdown', allowSounds);
    window.addEventListener('keydown', allowSounds);
    return () => {
      window.removeEventListener('pointerdown', allowSounds);
      window.removeEventListener('keydown', allowSounds);
    };
  }, []);

  const setMuted = useCallback((kind: AlertKind, way: AlertWay, off: boolean): void => {
    const next = new Set(muted.current);
    if (off) next.add(muteOf(kind, way));
    else next.delete(muteOf(kind, way));
    muted.current = next;
    writeMutes(next);
    setMutes(next);
  }, []);

  const attention = current.filter(({ kind }) => !mutes.has(muteOf(kind, 'title'))).length;
  const value = useMemo(
    () => ({ attention, mutes, anyMuted: mutes.size > 0, setMuted }),
    [attention, mutes, setMuted],
  );
  return (
    <AlertsContext value={value}>
      {children}
      <p className="only-read-aloud" role="status">
        {announced}
      </p>
    </AlertsContext>
  );
}
