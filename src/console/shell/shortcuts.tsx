import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef } from 'react';

export interface Shortcut {
  /** One key, or two in a row: `g f`. */
  readonly keys: string;
  readonly label: string;
  readonly run: () => void;
}

interface Registry {
  readonly add: (shortcuts: readonly Shortcut[]) => () => void;
  readonly list: () => readonly Shortcut[];
}

const ShortcutContext = createContext<Registry | null>(null);
/** The second key of a pair has to come within this time. */
const PAIR_MS = 1_200;

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    target.closest('input, textarea, select, [role="textbox"], [role="dialog"]') !== null
  );
}

/** Keys for what this part of the page does, as long as it is shown. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const registry = useContext(ShortcutContext);
  useEffect(() => registry?.add(shortcuts), [registry, shortcuts]);
}

export function useShortcutList(): () => readonly Shortcut[] {
  const registry = useContext(ShortcutContext);
  return registry?.list ?? (() => []);
}

/** Never takes a key from a field, from a dialog, or from the browser and screen readers (modifiers). */
export function ShortcutProvider({ children }: { readonly children: ReactNode }) {
  const groups = useRef<Set<readonly Shortcut[]>>(new Set());
  const registry = useMemo<Registry>(
    () => ({
      add: (shortcuts) => {
        groups.current.add(shortcuts);
        return () => groups.current.delete(shortcuts);
      },
      list: () => [...groups.current].flat(),
    }),
    [],
  );
  useEffect(() => {
    let first: { key: string; at: number } | undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target))
        return;
      const pair = first && event.timeStamp - first.at < PAIR_MS ? `${first.key} ${event.key}` : undefined;
      const all = registry.list();
      const found = all.find(({ keys }) => keys === pair) ?? all.find(({ keys }) => keys === event.key);
      first = { key: event.key, at: event.timeStamp };
      if (!found) return;
      event.preventDefault();
      first = undefined;
      found.run();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [registry]);
  return <ShortcutContext value={registry}>{children}</ShortcutContext>;
}
