import { Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { useAlerts } from '../alerts/alerts-context.tsx';
import { Empty } from '../components/empty.tsx';
import iconUrl from '../icon.svg';
import { FLOOR } from '../live/live.ts';
import { useLiveValue } from '../live/live-context.tsx';
import { Dock } from '../room/dock.tsx';
import { type ConsoleRoute, ROUTES } from '../routes.tsx';
import { useMe } from '../session/me.ts';
import { Bar } from './bar.tsx';
import { ErrorBoundary } from './error-boundary.tsx';
import { ShortcutHelp } from './shortcut-help.tsx';
import { ShortcutProvider, useShortcuts } from './shortcuts.tsx';
import { useCurrentTitle } from './title.tsx';

function useNavigation(): readonly ConsoleRoute[] {
  const me = useMe();
  return useMemo(
    () => ROUTES.filter(({ navigation }) => navigation && (!navigation.adminOnly || me?.role === 'admin')),
    [me?.role],
  );
}

function Rail({ routes }: { readonly routes: readonly ConsoleRoute[] }) {
  const [place] = useLocation();
  const waiting = useLiveValue(FLOOR, (live) => live.pending().length);
  return (
    <nav className="rail" aria-label="Pages">
      <span className="rail-mark">
        <img src={iconUrl} alt="Floorwalker" />
      </span>
      {routes.map(({ path, navigation }) => {
        if (!navigation) return null;
        const here =
          path === '/' ? place === '/' || place.startsWith('/interactions/') : place.startsWith(path);
        return (
          <Link key={path} href={path} className="rail-link" aria-current={here ? 'page' : undefined}>
            <navigation.icon aria-hidden />
            {navigation.label}
            {path === '/' && waiting > 0 && (
              <span className="rail-count">
                {waiting}
                <span className="only-read-aloud"> waiting for a decision</span>
              </span>
            )}
          </Link>
        );
      })}
    </nav>
  );
}

/** The tab's title is seen while another tab is in front: what waits comes first. */
function useTabTitle(): void {
  const title = useCurrentTitle();
  const { attention } = useAlerts();
  useEffect(() => {
    document.title = `${attention > 0 ? `(${attention}) ` : ''}${title ? `${title} · ` : ''}Floorwalker`;
  }, [attention, title]);
}

function Pages() {
  const [place] = useLocation();
  const main = useRef<HTMLElement>(null);
  const before = useRef(place);
  useEffect(() => {
    // After moving to another page a screen reader starts at its beginning, not in the navigation.
    if (before.current !== place) main.current?.focus({ preventScroll: true });
    before.current = place;
  }, [place]);
  return (
    <main className="main" id="main" ref={main} tabIndex={-1}>
      <ErrorBoundary key={place}>
        <Suspense fallback={null}>
          <Switch>
            {ROUTES.map(({ path, page: Page }) => (
              <Route key={path} path={path}>
                <Page />
              </Route>
            ))}
            <Route>
              <Empty title="There is no such page">
                <Link href="/">Back to the floor</Link>
              </Empty>
            </Route>
          </Switch>
        </Suspense>
      </ErrorBoundary>
    </main>
  );
}

function Frame() {
  const routes = useNavigation();
  const [, go] = useLocation();
  const [help, setHelp] = useState(false);
  useTabTitle();
  useShortcuts(
    useMemo(
      () => [
        { keys: '?', label: 'Show the shortcuts', run: () => setHelp(true) },
        ...routes.flatMap(({ path, navigation }) =>
          navigation
            ? [{ keys: `g ${navigation.key}`, label: `Go to ${navigation.label}`, run: () => go(path) }]
            : [],
        ),
      ],
      [routes, go],
    ),
  );
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Rail routes={routes} />
      <Bar onHelp={() => setHelp(true)} />
      <Pages />
      <Dock />
      <ShortcutHelp isOpen={help} onClose={() => setHelp(false)} />
    </div>
  );
}

export function Shell() {
  return (
    <ShortcutProvider>
      <Frame />
    </ShortcutProvider>
  );
}
