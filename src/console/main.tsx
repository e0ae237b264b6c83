import './styles/tokens.css';
import './styles/base.css';
import './styles/components.css';
import './styles/shell.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createApi } from './client/api.ts';
import { Console } from './console.tsx';
import { Session } from './session/session.ts';
import { loadSettings } from './session/settings.ts';
import { startTheme } from './session/theme.ts';

startTheme();
const place = document.getElementById('root');
if (!place) throw new Error('the page has no #root');
const root = createRoot(place);

async function start(): Promise<void> {
  const settings = await loadSettings();
  const session = new Session(settings);
  const app = { settings, session, api: createApi(session.accessToken) };
  root.render(
    <StrictMode>
      <Console app={app} />
    </StrictMode>,
  );
}

function explain(): void {
  root.render(
    <main className="sign-in">
      <div className="sign-in-card" role="alert">
        <h1>The console can’t start</h1>
        <p>The server could not be reached, or is not set up for the console.</p>
        <button type="button" className="button button-primary" onClick={() => location.reload()}>
          Try again
        </button>
      </div>
    </main>,
  );
}

start().catch((error: unknown) => {
  console.error(error);
  explain();
});
