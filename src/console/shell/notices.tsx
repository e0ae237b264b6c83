import { X } from 'lucide-react';
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
import { Button } from '../components/button.tsx';

interface Told {
  readonly id: number;
  readonly text: string;
}

const SHOWN_MS = 10_000;
const NoticesContext = createContext<(text: string) => void>(() => {});

/** Says something that outlives the part of the page which it is about; read aloud once. */
export function useTell(): (text: string) => void {
  return useContext(NoticesContext);
}

export function NoticesProvider({ children }: { readonly children: ReactNode }) {
  const [notices, setNotices] = useState<readonly Told[]>([]);
  const timers = useRef(new Set<ReturnType<typeof setTimeout>>());
  const next = useRef(0);
  const drop = useCallback((id: number) => setNotices((all) => all.filter((notice) => notice.id !== id)), []);
  const tell = useCallback(
    (text: string): void => {
      next.current += 1;
      const id = next.current;
      setNotices((all) => [...all.slice(-3), { id, text }]);
      const timer = setTimeout(() => {
        timers.current.delete(timer);
        drop(id);
      }, SHOWN_MS);
      timers.current.add(timer);
    },
    [drop],
  );
  useEffect(() => {
    const running = timers.current;
    return () => {
      for (const timer of running) clearTimeout(timer);
    };
  }, []);
  return (
    <NoticesContext value={tell}>
      {children}
      <div className="told" role="alert">
        {useMemo(
          () =>
            notices.map(({ id, text }) => (
              <p key={id} className="told-one">
                {text}
                <Button look="plain" size="small" aria-label="Dismiss" onPress={() => drop(id)}>
                  <X aria-hidden />
                </Button>
              </p>
            )),
          [notices, drop],
        )}
      </div>
    </NoticesContext>
  );
}
