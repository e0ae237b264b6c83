import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import type { Change } from '../../database/changes.ts';
import { agentsByIds } from '../reads/agents.ts';
import { callbacksByIds } from '../reads/callbacks.ts';
import { interactionsByIds } from '../reads/interactions.ts';
import { permissionsByIds } from '../reads/permissions.ts';
import { readRows } from '../reads/query.ts';
import { messageEventSchema, metricsEventSchema, toolCallEventSchema } from './schemas.ts';

/** Something to tell, and to whom: those who reach the agent. */
export interface ComposedEvent {
  readonly change: { readonly id: number; readonly xid: bigint };
  readonly name: string;
  readonly agentId: string;
  readonly interactionId: string | null;
  readonly data: unknown;
}

/** A list of ids in a query's address must not outgrow what servers take for an address. */
const IDS_A_QUERY = 100;

type ReadRows = (
  db: SupabaseClient,
  ids: readonly string[],
) => Promise<Iterable<readonly [id: string, data: unknown]>>;

const byId = <T extends { id: string }>(rows: readonly T[]) => rows.map((row) => [row.id, row] as const);

const messageRowSchema = messageEventSchema.omit({ final: true }).extend({ id: z.number() });
const callRowSchema = toolCallEventSchema.extend({ id: z.string() });

const READERS: Readonly<Partial<Record<Change['kind'], ReadRows>>> = {
  interaction: async (db, ids) => byId(await interactionsByIds(db, ids)),
  permission: async (db, ids) => byId(await permissionsByIds(db, ids)),
  callback: async (db, ids) => byId(await callbacksByIds(db, ids)),
  agent: async (db, ids) => byId(await agentsByIds(db, ids)),
  message: async (db, ids) => {
    const columns = 'id,interaction_id,item_id,role,content,interrupted,spoken_at,seq';
    const rows = await readRows(
      db.from('interaction_messages').select(columns).in('id', ids),
      messageRowSchema,
    );
    return rows.map(({ id, ...message }) => [String(id), { ...message, final: true }]);
  },
  tool_call: async (db, ids) => {
    const columns =
      'id,interaction_id,call_id,tool_name,arguments,state,output,requested_at,started_at,finished_at';
    const rows = await readRows(db.from('tool_calls').select(columns).in('id', ids), callRowSchema);
    return rows.map(({ id, ...call }) => [id, call]);
  },
};

const interimSchema = messageEventSchema.pick({ item_id: true, role: true, content: true });

/** What is told as it is in the log. */
function fromPayload(change: Change, agentId: string): unknown {
  const { kind, interaction_id, payload } = change;
  if (kind === 'metrics') {
    return metricsEventSchema.parse({
      ...z.looseObject({}).parse(payload),
      interaction_id,
      agent_id: agentId,
    });
  }
  return messageEventSchema.parse({
    ...interimSchema.parse(payload),
    interaction_id,
    final: false,
    interrupted: false,
    spoken_at: null,
    seq: null,
  });
}

/** The rows that the changes name, as they are now, by kind and id. */
async function readSubjects(db: SupabaseClient, changes: readonly Change[]): Promise<Map<string, unknown>> {
  const wanted = new Map<Change['kind'], Set<string>>();
  for (const { kind, subject } of changes) {
    if (subject === null || READERS[kind] === undefined) continue;
    wanted.set(kind, (wanted.get(kind) ?? new Set()).add(subject));
  }
  const found = new Map<string, unknown>();
  const readSome = async (kind: Change['kind'], ids: readonly string[]): Promise<void> => {
    for (const [id, data] of (await READERS[kind]?.(db, ids)) ?? []) found.set(`${kind} ${id}`, data);
  };
  const reads = [...wanted].flatMap(([kind, ids]) => {
    const all = [...ids];
    const parts = Math.ceil(all.length / IDS_A_QUERY);
    return Array.from({ length: parts }, (_, part) =>
      readSome(kind, all.slice(part * IDS_A_QUERY, (part + 1) * IDS_A_QUERY)),
    );
  });
  await Promise.all(reads);
  return found;
}

/** What a later change of the same page makes superfluous; each tick of the metrics counts for itself. */
function keyOf(change: Change, data: unknown): string | undefined {
  if (change.kind === 'metrics') return undefined;
  if (change.kind !== 'message') return `${change.kind} ${change.subject}`;
  return `message ${change.interaction_id} ${messageEventSchema.pick({ item_id: true }).parse(data).item_id}`;
}

/**
 * What a page of the log says, in the form of the API's own lists. Rows are read once a page, whatever the number of
 * their changes: a change says that there is news, the row says which. Read with the secret key; who is told is
 * decided by the agent of each.
 */
export async function composeEvents(
  db: SupabaseClient,
  changes: readonly Change[],
): Promise<ComposedEvent[]> {
  const subjects = await readSubjects(db, changes);
  const told = new Set<string>();
  const events: ComposedEvent[] = [];
  for (const change of changes.toReversed()) {
    const { kind, agent_id: agentId, interaction_id: interactionId, subject } = change;
    if (agentId === null || kind === 'person') continue;
    const data = subject === null ? fromPayload(change, agentId) : subjects.get(`${kind} ${subject}`);
    const place = { change: { id: change.id, xid: BigInt(change.xid) }, agentId, interactionId };
    if (data === undefined) {
      // An agent that was removed is in no list any more; anything else was purged, and nobody needs to hear of it.
      if (kind === 'agent') events.push({ ...place, name: 'reset', data: {} });
      continue;
    }
    const key = keyOf(change, data);
    if (key !== undefined && told.has(key)) continue;
    if (key !== undefined) told.add(key);
    events.push({ ...place, name: kind, data });
  }
  return events.reverse();
}
