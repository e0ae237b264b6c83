import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** Adds up what was counted since the last time, so that figures stay quick to read. Returns of how many agents' days. */
export function foldFigures(db: Database): Promise<number> {
  return callFunction(db, 'fold_figures', {}, z.number());
}

/** Adds what was measured since to what cards draw, so that the floor stays quick to read. Returns of how many interactions. */
export function foldTracks(db: Database): Promise<number> {
  return callFunction(db, 'fold_tracks', {}, z.number());
}

/** Makes what phrases are found by for archives that are older than it. Returns of how many. */
export function pairArchives(db: Database): Promise<number> {
  return callFunction(db, 'pair_archives', {}, z.number());
}
