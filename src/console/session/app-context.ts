import { createContext, useContext, useSyncExternalStore } from 'react';
import type { Api } from '../client/api.ts';
import type { Session, SessionState } from './session.ts';
import type { Settings } from './settings.ts';

/** What every part of the console stands on; made once, when the page loads. */
export interface App {
  readonly settings: Settings;
  readonly session: Session;
  readonly api: Api;
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === null) throw new Error('useApp needs an AppContext above it');
  return app;
}

export function useSessionState(): SessionState {
  const { session } = useApp();
  return useSyncExternalStore(session.subscribe, session.state);
}

/** Only below the sign-in, where there is one. */
export function useUserId(): string {
  const state = useSessionState();
  return state.kind === 'signed-in' ? state.userId : '';
}
