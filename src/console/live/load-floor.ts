import { type Api, answer } from '../client/api.ts';
import type { Agent, Callback, Interaction, Permission } from './events.ts';
import type { Speech } from './live.ts';
import type { Track } from './track.ts';

export interface LoadedFloor {
  readonly interactions: readonly Interaction[];
  readonly agents: readonly Agent[];
  readonly permissions: readonly Permission[];
  readonly callbacks: readonly Callback[];
  readonly tracks: ReadonlyMap<string, Track>;
  readonly speech: ReadonlyMap<string, Speech>;
}

const PAGE = 200;

/** All pages of a list. */
export async function allPages<T>(
  load: (cursor: string | undefined) => Promise<{ data: T[]; next_cursor: string | null }>,
): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await load(cursor);
    rows.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return rows;
}

/** @throws Problem */
export async function loadFloor(api: Api, signal: AbortSignal): Promise<LoadedFloor> {
  const [interactions, agents, permissions, callbacks, floor] = await Promise.all([
    allPages((cursor) => {
      const query = { status: 'queued,active', limit: PAGE, ...(cursor ? { cursor } : {}) };
      return answer(api.GET('/v1/interactions', { params: { query }, signal }));
    }),
    answer(api.GET('/v1/agents', { signal })),
    allPages((cursor) => {
      const query = { limit: PAGE, ...(cursor ? { cursor } : {}) };
      return answer(api.GET('/v1/permissions', { params: { query }, signal }));
    }),
    allPages((cursor) => {
      const query = { limit: PAGE, ...(cursor ? { cursor } : {}) };
      return answer(api.GET('/v1/callbacks', { params: { query }, signal }));
    }),
    answer(api.GET('/v1/floor', { signal })),
  ]);
  const tracks = new Map<string, Track>();
  const speech = new Map<string, Speech>();
  for (const {
    interaction_id,
    times,
    scores,
    sentiments,
    feed_text,
    last_role,
    last_spoken_at,
  } of floor.data) {
    tracks.set(interaction_id, { times, scores, sentiments, feedText: feed_text ?? '' });
    if (last_role !== null && last_spoken_at !== null) {
      speech.set(interaction_id, { role: last_role, final: true, atMs: Date.parse(last_spoken_at) });
    }
  }
  return { interactions, agents: agents.data, permissions, callbacks, tracks, speech };
}
