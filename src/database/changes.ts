import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

const changeSchema = z.object({
  id: z.number(),
  /** The transaction that made it, as a number in text: it has 64 bits. */
  xid: z.string(),
  kind: z.enum([
    'metrics',
    'message',
    'permission',
    'interaction',
    'agent',
    'tool_call',
    'callback',
    'person',
  ]),
  interaction_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  /** The row that changed; null when `payload` is all there is. */
  subject: z.string().nullable(),
  payload: z.unknown(),
  created_at: z.string(),
});
export type Change = z.output<typeof changeSchema>;

const windowSchema = z.object({
  epoch: z.string(),
  /** False when something of the window may be missing: the reader has to begin anew. */
  intact: z.boolean(),
  from: z.string(),
  to: z.string(),
  more: z.boolean(),
  now: z.string(),
  changes: z.array(changeSchema),
});
export type ChangeWindow = z.output<typeof windowSchema>;

/**
 * A page of what was committed between two snapshots of the database (`from` excluded, `to` included, both as
 * PostgreSQL writes a `pg_snapshot`). Without `from` nothing is read, and `to` is where one can begin.
 */
export function readChanges(
  db: Database,
  args: {
    epoch?: string | undefined;
    from?: string | undefined;
    to?: string | undefined;
    afterId?: number;
    limit?: number;
  } = {},
): Promise<ChangeWindow> {
  const parameters = {
    p_epoch: args.epoch ?? null,
    p_from: args.from ?? null,
    p_to: args.to ?? null,
    p_after_id: args.afterId ?? 0,
    p_limit: args.limit ?? 500,
  };
  return callFunction(db, 'read_changes', parameters, windowSchema);
}

/** Removes what is older than `keepSeconds` (and at most twice as old); returns how many entries. */
export function trimChanges(db: Database, args: { keepSeconds?: number } = {}): Promise<number> {
  const parameters = args.keepSeconds === undefined ? {} : { p_keep_seconds: args.keepSeconds };
  return callFunction(db, 'trim_changes', parameters, z.number());
}

const visibleSchema = z.array(z.object({ user_id: z.string(), agents: z.array(z.string()) }));

/** The agents that each person reaches; people who are not there any more are not in it. */
export async function visibleAgentsOfPeople(
  db: Database,
  args: { userIds: readonly string[] },
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const rows = await callFunction(
    db,
    'visible_agents_of_people',
    { p_user_ids: args.userIds },
    visibleSchema,
  );
  return new Map(rows.map(({ user_id, agents }) => [user_id, new Set(agents)]));
}

const interimSchema = z.object({ told: z.number(), refused: z.number() });

/** What is being said, before it is a turn; for those who watch. */
export interface InterimMessage {
  readonly interaction_id: string;
  readonly generation: number;
  readonly item_id: string;
  readonly role: 'customer' | 'agent' | 'supervisor';
  readonly content: string;
  /** ISO 8601; with it, the newest state is kept until the message is complete, for whoever has to go on with it. */
  readonly began_at?: string;
}

export function appendInterim(
  db: Database,
  args: { rows: readonly InterimMessage[] },
): Promise<z.output<typeof interimSchema>> {
  return callFunction(db, 'append_interim', { p_rows: args.rows }, interimSchema);
}
