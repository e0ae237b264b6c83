import type { Sql, TransactionSql } from 'postgres';

export interface History extends Home {
  readonly interactions: number;
  /** Different words of each transcript. */
  readonly wordsEach: number;
  /** Over which the interactions are spread evenly, up to now. */
  readonly days: number;
}

/** A business and who works in it. */
export interface Home {
  readonly businessId: string;
  readonly agentIds: readonly string[];
}

export interface OpenChats {
  readonly homes: readonly Home[];
  /** Of each business. */
  readonly chats: number;
  /** Rows of metrics of all of them together, five seconds apart as sessions write them. */
  readonly metrics: number;
}

const VOCABULARY = 20_000;
/** A transcript is put together from four of so many pieces at most: to draw each of its words would take a quarter of an hour. */
const MOST_PIECES = 20_000;
/** By their schema. */
const LARGE = {
  interactions: 'public',
  interaction_archives: 'public',
  interaction_messages: 'public',
  realtime_metrics: 'public',
  archive_search: 'floorwalker',
  agent_days: 'floorwalker',
};

/** Rows in bulk: without triggers and references, and with the indexes made afterwards at one go. */
async function inBulk(
  sql: Sql,
  tables: readonly string[],
  fill: (tx: TransactionSql) => Promise<void>,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`set local maintenance_work_mem = '512MB'`;
    await tx`set local work_mem = '256MB'`;
    await tx`set local synchronous_commit = off`;
    const indexes = await tx<{ place: string; name: string; definition: string }[]>`
      select n.nspname as place, c.relname as name, pg_get_indexdef(x.indexrelid) as definition
      from pg_index x join pg_class c on c.oid = x.indexrelid join pg_namespace n on n.oid = c.relnamespace
      join pg_class t on t.oid = x.indrelid
      where t.relname = any (${tables as string[]}) and not x.indisunique
        and not exists (select from pg_constraint k where k.conindid = x.indexrelid)`;
    for (const { place, name } of indexes) await tx`drop index ${tx(place)}.${tx(name)}`;
    await fill(tx);
    for (const { definition } of indexes) await tx.unsafe(definition);
  });
}

/** Index-only scans need the visibility map, and plans the statistics, which autovacuum would make in its own time. */
async function settle(sql: Sql): Promise<void> {
  for (const [table, schema] of Object.entries(LARGE)) await sql`vacuum analyze ${sql(schema)}.${sql(table)}`;
}

/**
 * Ended chats with their archives and search rows. Words are `w1` to `w20000`, each about as frequent as its number
 * says (Zipf). All that was said is in two messages, which excerpts are cut from. Rows lie in the order of time, as
 * they come when conversations end.
 */
export async function seedHistory(sql: Sql, history: History): Promise<void> {
  const { businessId, agentIds, interactions, wordsEach, days } = history;
  const pieces = Math.min(MOST_PIECES, interactions);
  await inBulk(sql, Object.keys(LARGE), async (tx) => {
    // The same words each time.
    await tx`select setseed(0.5)`;
    await tx`
      insert into interactions (business_id, agent_id, phone_number, phone_source, interaction_type, livekit_room_id,
        status, queued_at, answered_at, started_at, ended_at, duration_seconds, end_reason, generation, created_at)
      select ${businessId}, (${agentIds as string[]}::uuid[])[1 + n % ${agentIds.length}],
        '+316' || lpad((hashint4(n)::bigint & 67108863)::text, 8, '0'), 'claimed', 'chat', ${businessId} || '-' || n,
        'completed', at, at, at, at + seconds * interval '1 s', seconds, 'customer_left', 1, at
      from generate_series(1, ${interactions}::integer) n
      cross join lateral (select 30 + (hashint4(n + 7) & 511) as seconds,
        now() - interval '10 minutes' - (n::double precision / ${interactions}) * ${days} * interval '1 day' as at) moment
      order by n desc`;
    await tx`
      insert into interaction_archives (interaction_id, business_id, agent_id, kind, interaction_status, happened_at,
        summary, summary_source, issues, tags, csat_score, csat_source, resolution_time_seconds, fcr_status, created_at)
      select id, business_id, agent_id, kind, status, started_at, 'The customer asked where order ' || seed || ' is.', 'model',
        jsonb_build_array(jsonb_build_object('issue', 'late delivery', 'status', 'resolved', 'priority', 'low')),
        jsonb_build_object('topics', jsonb_build_array('topic_' || seed % 20), 'sentiment',
          (array['good', 'neutral', 'neutral', 'critical'])[1 + seed % 4], 'issues',
          jsonb_build_array(jsonb_build_object('tag', 'issue_' || seed % 50, 'status', 'resolved'))),
        seed % 101, 'model', duration_seconds, seed % 5 > 0, ended_at
      from interactions cross join lateral (select hashtext(livekit_room_id) & 1048575 as seed) s
      where business_id = ${businessId} order by started_at`;
    await tx`
      create temporary table pieces on commit drop as
      select piece, to_tsvector('simple', string_agg(word, ' ')) as words, string_agg(word, ' ') as said
      from (select piece, 'w' || floor(power(${VOCABULARY}, random()))::integer as word
        from generate_series(0, ${pieces - 1}::integer) piece, generate_series(1, ${Math.ceil(wordsEach / 4)}::integer)) drawn
      group by piece`;
    await tx`analyze pieces`;
    await tx`
      create temporary table conversations on commit drop as
      select i.id, (hashtextextended(i.livekit_room_id, 1) & 1048575) % ${pieces} as p1,
        (hashtextextended(i.livekit_room_id, 2) & 1048575) % ${pieces} as p2,
        (hashtextextended(i.livekit_room_id, 3) & 1048575) % ${pieces} as p3,
        (hashtextextended(i.livekit_room_id, 4) & 1048575) % ${pieces} as p4
      from interactions i where i.business_id = ${businessId}`;
    await tx`analyze conversations`;
    await tx`
      insert into interaction_messages (interaction_id, item_id, seq, role, content, created_at)
      select i.id, 'item_' || seq, seq, case seq when 1 then 'customer' else 'agent' end, turns.said, i.started_at
      from conversations c join interactions i on i.id = c.id
      join pieces p1 on p1.piece = c.p1 join pieces p2 on p2.piece = c.p2
      join pieces p3 on p3.piece = c.p3 join pieces p4 on p4.piece = c.p4
      cross join lateral (values (1, p1.said || ' ' || p2.said), (2, p3.said || ' ' || p4.said)) turns (seq, said)
      order by i.started_at, seq`;
    await tx`
      insert into floorwalker.archive_search (interaction_id, happened_at, configuration, phone_digits, words, keys)
      select a.interaction_id, a.happened_at, 'english', substr(i.phone_number, 2), p1.words || p2.words || p3.words || p4.words,
        array['business:' || a.business_id, 'agent:' || a.agent_id, 'kind:live', 'sentiment:' || (a.tags ->> 'sentiment'),
          'tag:' || (a.tags #>> '{topics,0}'), 'tag:' || (a.tags #>> '{issues,0,tag}'),
          'issue:' || (a.tags #>> '{issues,0,tag}'), 'issue_status:resolved']
          || floorwalker.day_key(a.business_id, 'live', floorwalker.day_number(a.happened_at))
          || floorwalker.phone_keys(substr(i.phone_number, 2))
      from interaction_archives a join interactions i on i.id = a.interaction_id
      join conversations c on c.id = i.id
      join pieces p1 on p1.piece = c.p1
      join pieces p2 on p2.piece = c.p2
      join pieces p3 on p3.piece = c.p3
      join pieces p4 on p4.piece = c.p4
      where a.business_id = ${businessId} order by a.happened_at`;
    await tx`
      insert into floorwalker.search_configurations (business_id, configuration) values (${businessId}, 'english')
      on conflict do nothing`;
    await tx`select floorwalker.recount_days(${businessId})`;
  });
  await settle(sql);
}

/** Chats that are still going on, each with many rows of metrics. They have a worker, so nobody else looks after them. */
export async function seedOpenChats(sql: Sql, { homes, chats, metrics }: OpenChats): Promise<void> {
  const each = Math.max(1, Math.round(metrics / chats / homes.length));
  await inBulk(sql, ['realtime_metrics'], async (tx) => {
    for (const { businessId, agentIds } of homes) {
      await tx`
        insert into interactions (business_id, agent_id, interaction_type, livekit_room_id, status, answered_at,
          started_at, generation, worker_id, lease_until, created_at)
        select ${businessId}, (${agentIds as string[]}::uuid[])[1 + n % ${agentIds.length}], 'chat',
          ${businessId} || '-open-' || n, 'active', at, at, 1, 'elsewhere', now() + interval '1 day', at
        from generate_series(1, ${chats}::integer) n
        cross join lateral (select now() - ${each} * interval '5 s' - n * interval '7 ms' as at) moment`;
    }
    // As they come: all conversations' rows of a moment beside each other, and those of one far apart.
    await tx`
      insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text, created_at)
      select i.id, at, 'neutral', 50, 'The customer waits for an answer.', at
      from generate_series(1, ${each}::integer) n
      cross join (select id, started_at from interactions where status = 'active' and worker_id = 'elsewhere') i
      cross join lateral (select i.started_at + n * interval '5 s' as at) moment
      order by n`;
  });
  await settle(sql);
}
