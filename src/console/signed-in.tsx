import { AlertsProvider } from './alerts/alerts-context.tsx';
import { LiveProvider } from './live/live-context.tsx';
import { DeskProvider } from './room/desk-context.tsx';
import { useUserId } from './session/app-context.ts';
import { NoticesProvider } from './shell/notices.tsx';
import { Shell } from './shell/shell.tsx';
import { TitleProvider } from './shell/title.tsx';

export function SignedIn() {
  const userId = useUserId();
  return (
    <LiveProvider>
      <AlertsProvider>
        <DeskProvider userId={userId}>
          <TitleProvider>
            <NoticesProvider>
              <Shell />
            </NoticesProvider>
          </TitleProvider>
        </DeskProvider>
      </AlertsProvider>
    </LiveProvider>
  );
}
