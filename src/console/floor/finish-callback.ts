import { useCallback } from 'react';
import { answer } from '../client/api.ts';
import type { Callback } from '../live/events.ts';
import { useLive } from '../live/live-context.tsx';
import { useApp } from '../session/app-context.ts';

/** The customer was called back. */
export function useFinishCallback(): (callback: Callback) => Promise<void> {
  const { api } = useApp();
  const live = useLive();
  return useCallback(
    async ({ id }) => {
      const done = await answer(api.POST('/v1/callbacks/{id}/done', { params: { path: { id } }, body: {} }));
      live.settle({ kind: 'callback', callback: done });
    },
    [api, live],
  );
}
