import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useState } from 'react';
import { Router } from 'wouter';
import { Problem } from './client/problem.ts';
import { type App, AppContext, useSessionState } from './session/app-context.ts';
import { SignIn } from './session/sign-in.tsx';
import { SignedIn } from './signed-in.tsx';

function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        // What was refused is refused again; what did not arrive may.
        retry: (failures, error) =>
          failures < 3 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
      },
    },
  });
}

/** Another person's answers must not be left in memory: everything below is made anew for each who signs in. */
function ForPerson() {
  const [queries] = useState(makeQueries);
  return (
    <QueryClientProvider client={queries}>
      <SignedIn />
    </QueryClientProvider>
  );
}

function Gate() {
  const state = useSessionState();
  if (state.kind === 'loading') return null;
  if (state.kind === 'signed-in') return <ForPerson key={state.userId} />;
  return <SignIn />;
}

export function Console({ app }: { readonly app: App }) {
  return (
    <AppContext value={app}>
      <Router base="/console">
        <Gate />
      </Router>
    </AppContext>
  );
}
