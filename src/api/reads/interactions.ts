import type { SupabaseClient } from '@supabase/supabase-js';
import type { Channel } from '../../domain/channel.ts';
import { cutPage, decodeNumberCursor, decodeTimeCursor } from '../page.ts';
import { archiveSchema, interactionSchema, messageSchema, metricsSchema, stepSchema } from '../schemas.ts';
import { readRows, sameText } from './query.ts';

const INTERACTION_COLUMNS = [
  'id',
  'agent_id',
  'customer_id',
  'channel:interaction_type',
  'kind',
  'direction',
  'status',
  'room:livekit_room_id',
  'phone_number',
  'phone_source',
  'called_number',
  'queued_at',
  'answered_at',
  'started_at',
  'ended_at',
  'duration_seconds',
  'end_reason',
  'control',
  'controlled_by',
  'controlled_by_name',
  'control_changed_at',
  'paused',
  'end_requested_at',
  'supervisor_requested_at',
  'supervisor_request_reason',
  'supervisor_request_escalated_at',
  'supervisor_request_answered_at',
  'disposition',
  'supervisor_notes',
  'rating',
  'rating_comment',
  'created_at',
].join(',');

const ARCHIVE_COLUMNS =
  'summary,summary_source,issues,tags,csat_score,csat_source,resolution_time_seconds,fcr_status,metrics_series,created_at';
const MESSAGE_COLUMNS = 'seq,item_id,role,content,interrupted,spoken_at,created_at';
const STEP_COLUMNS =
  'id,step_id,step_type,name,input,output,error,duration_ms,model,tokens_input,tokens_output,characters,audio_seconds,happened_at';

export interface InteractionFilter {
  readonly status?: string[] | undefined;
  readonly agentId?: string | undefined;
  readonly channel?: Channel | undefined;
  readonly kind: 'live' | 'rehearsal';
  readonly phoneNumber?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Newest first. The cursor is the last row's place in that order, so new interactions move nothing. */
export async function listInteractions(db: SupabaseClient, filter: InteractionFilter, page: PageRequest) {
  let query = db.from('interactions').select(INTERACTION_COLUMNS).eq('kind', filter.kind);
  if (filter.status) query = query.in('status', filter.status);
  if (filter.agentId) query = query.eq('agent_id', filter.agentId);
  if (filter.channel) query = query.eq('interaction_type', filter.channel);
  if (filter.phoneNumber) query = query.filter('phone_number', ...sameText(filter.phoneNumber));
  if (filter.from) query = query.gte('created_at', filter.from);
  if (filter.to) query = query.lt('created_at', filter.to);
  if (page.cursor !== undefined) {
    const [time, id] = decodeTimeCursor(page.cursor);
    // The first of them is implied by the second, and is what an index can begin at.
    query = query
      .lte('created_at', time)
      .or(`created_at.lt."${time}",and(created_at.eq."${time}",id.lt.${id})`);
  }
  const ordered = query
    .order('created_at', { ascending: false })
    .order('id', { ascending: false })
    .limit(page.limit + 1);
  const rows = await readRows(ordered, interactionSchema);
  return cutPage(rows, page.limit, (row) => [row.created_at, row.id]);
}

export async function findInteraction(db: SupabaseClient, id: string) {
  const query = db.from('interactions').select(INTERACTION_COLUMNS).eq('id', id).limit(1);
  return (await readRows(query, interactionSchema))[0];
}

export function interactionsByIds(db: SupabaseClient, ids: readonly string[]) {
  return readRows(db.from('interactions').select(INTERACTION_COLUMNS).in('id', ids), interactionSchema);
}

export async function findArchive(db: SupabaseClient, interactionId: string) {
  const query = db
    .from('interaction_archives')
    .select(ARCHIVE_COLUMNS)
    .eq('interaction_id', interactionId)
    .limit(1);
  return (await readRows(query, archiveSchema))[0] ?? null;
}

export async function findNewestMetrics(db: SupabaseClient, interactionId: string) {
  const query = db
    .from('realtime_metrics')
    .select('timestamp,sentiment,satisfaction_score,feed_text')
    .eq('interaction_id', interactionId)
    .order('timestamp', { ascending: false })
    .limit(1);
  return (await readRows(query, metricsSchema))[0] ?? null;
}

/** In the order of the conversation. */
export async function listMessages(db: SupabaseClient, interactionId: string, page: PageRequest) {
  let query = db.from('interaction_messages').select(MESSAGE_COLUMNS).eq('interaction_id', interactionId);
  if (page.cursor !== undefined) query = query.gt('seq', decodeNumberCursor(page.cursor));
  const rows = await readRows(query.order('seq').limit(page.limit + 1), messageSchema);
  return cutPage(rows, page.limit, (row) => [row.seq]);
}

/** In the order in which they were recorded. */
export async function listSteps(db: SupabaseClient, interactionId: string, page: PageRequest) {
  let query = db.from('interaction_steps').select(STEP_COLUMNS).eq('interaction_id', interactionId);
  if (page.cursor !== undefined) query = query.gt('id', decodeNumberCursor(page.cursor));
  const rows = await readRows(query.order('id').limit(page.limit + 1), stepSchema);
  return cutPage(rows, page.limit, (row) => [row.id]);
}

const placeSchema = interactionSchema.pick({ agent_id: true, room: true, status: true });

/** Where to ring for an interaction. */
export async function findPlace(db: SupabaseClient, interactionId: string) {
  const query = db
    .from('interactions')
    .select('agent_id,room:livekit_room_id,status')
    .eq('id', interactionId)
    .limit(1);
  return (await readRows(query, placeSchema))[0];
}
