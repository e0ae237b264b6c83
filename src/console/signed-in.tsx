import { AlertsProvider } from './alerts/alerts-context.tsx';
import { LiveProvider } from './live/live-context.tsx';
import { Shell } from './shell/shell.tsx';
import { TitleProvider } from './shell/title.tsx';

export function SignedIn() {
  return (
    <LiveProvider>
      <AlertsProvider>
        <TitleProvider>
          <Shell />
        </TitleProvider>
      </AlertsProvider>
    </LiveProvider>
  );
}
