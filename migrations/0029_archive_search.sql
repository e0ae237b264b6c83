-- Finding what was said in a million conversations, newest first, a page at a time.
--
-- A filter is one of two kinds. Frequent ones are found by walking the newest archives; rare ones by one inverted index
-- over words and keys (tag, issue, sentiment, agent, business and threes of digits of the phone number alike), whose
-- cost is that of the rarest. search_archives tries the first for a bounded number of rows and then the second, so
-- that no search depends on the planner's guess of how often words occur together.

alter table public.interaction_archives
  add column agent_id uuid references public.agents (id) on delete restrict,
  add column kind text,
  add column interaction_status text,
  add column happened_at timestamptz;

update public.interaction_archives a set agent_id = i.agent_id, kind = i.kind, interaction_status = i.status,
  happened_at = coalesce(i.started_at, i.queued_at)
from public.interactions i where i.id = a.interaction_id;

alter table public.interaction_archives
  alter column agent_id set not null, alter column kind set not null,
  alter column interaction_status set not null, alter column happened_at set not null;

comment on column public.interaction_archives.happened_at is
  'when the interaction started; with agent_id, kind and interaction_status a copy that searches and figures are indexed by';

create function floorwalker.place_archive() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  select i.agent_id, i.kind, i.status, coalesce(i.started_at, i.queued_at)
  into new.agent_id, new.kind, new.interaction_status, new.happened_at
  from interactions i where i.id = new.interaction_id;
  return new;
end
$$;

create trigger place_archive before insert on public.interaction_archives
  for each row execute function floorwalker.place_archive();

-- The figures beside the order, so that a month's averages are read from the index alone.
create index idx_archives_business_newest
  on public.interaction_archives (business_id, kind, happened_at desc, interaction_id desc)
  include (interaction_status, csat_score, fcr_status);
create index idx_archives_agent_newest
  on public.interaction_archives (agent_id, kind, happened_at desc, interaction_id desc)
  include (interaction_status, csat_score, fcr_status);

-- In the schema that is not exposed: it holds every word that was said. It goes with its archive.
create table floorwalker.archive_search (
  interaction_id uuid primary key references public.interaction_archives (interaction_id) on delete cascade,
  happened_at timestamptz not null,
  -- Name of the text search configuration; not regconfig, which pg_upgrade refuses in tables.
  configuration text not null,
  phone_digits text,
  words tsvector not null,
  keys text[] not null
);
alter table floorwalker.archive_search enable row level security;
revoke all on floorwalker.archive_search from public, anon, authenticated;
create index idx_archive_search on floorwalker.archive_search using gin (words, keys);

-- In which configurations there is anything to find: a query is stemmed in each of them.
create table floorwalker.search_configurations (
  business_id uuid not null references public.businesses (id) on delete cascade,
  configuration text not null,
  primary key (business_id, configuration)
);
alter table floorwalker.search_configurations enable row level security;
revoke all on floorwalker.search_configurations from public, anon, authenticated;

-- How words of a language are reduced to their stems; `simple` leaves them as they are.
create function floorwalker.text_configuration(p_language text) returns text
  language sql stable set search_path = public, pg_temp
as $$
  select coalesce((
    select c.cfgname::text from pg_ts_config c
    where c.cfgnamespace = 'pg_catalog'::regnamespace and c.cfgname = '{
      "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "da": "danish", "nl": "dutch", "en": "english",
      "fi": "finnish", "fr": "french", "de": "german", "el": "greek", "hi": "hindi", "hu": "hungarian",
      "id": "indonesian", "ga": "irish", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nb": "norwegian",
      "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
      "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish"
    }'::jsonb ->> split_part(p_language, '-', 1)), 'simple')
$$;

-- 'phone:316', 'phone:161' … of +316 1…: any piece of at least three digits is the meeting of its threes.
create function floorwalker.phone_keys(p_digits text) returns text[]
  language sql immutable set search_path = public, pg_temp
as $$
  select coalesce(array_agg(distinct 'phone:' || substr(p_digits, place, 3)), '{}')
  from generate_series(1, length(p_digits) - 2) place
$$;

create function floorwalker.index_archive(p_interaction_id uuid) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into floorwalker.archive_search as mine (interaction_id, happened_at, configuration, phone_digits, words, keys)
  select a.interaction_id, a.happened_at, c.name, digits.text,
    -- Far below the megabyte that a tsvector may have: an archive must never fail for its length.
    setweight(to_tsvector(c.name::regconfig, left(a.summary || ' ' || coalesce(issues.text, ''), 20000)), 'A')
      || to_tsvector(c.name::regconfig, coalesce((
        select left(string_agg(left(m.content, 20000), E'\n' order by m.seq), 100000)
        from interaction_messages m where m.interaction_id = a.interaction_id and m.role <> 'system'), '')),
    array['business:' || a.business_id, 'agent:' || a.agent_id, 'kind:' || a.kind,
      'sentiment:' || coalesce(a.tags ->> 'sentiment', 'neutral')]
      || coalesce((select array_agg(distinct 'tag:' || t) from (
        select jsonb_array_elements_text(a.tags -> 'topics') as t
        union all select i ->> 'tag' from jsonb_array_elements(a.tags -> 'issues') i) tags where t is not null), '{}')
      || coalesce((select array_agg(distinct 'issue:' || (i ->> 'tag')) || array_agg(distinct 'issue_status:' || (i ->> 'status'))
        from jsonb_array_elements(a.tags -> 'issues') i where i ->> 'tag' is not null and i ->> 'status' is not null), '{}')
      || floorwalker.phone_keys(digits.text)
  from interaction_archives a
  join interactions i on i.id = a.interaction_id
  cross join lateral (select floorwalker.text_configuration(
    coalesce(i.agent_snapshot ->> 'language', (select language from agents where id = a.agent_id))) as name) c
  cross join lateral (select regexp_replace(i.phone_number, '\D', '', 'g') as text) digits
  cross join lateral (select string_agg(e ->> 'issue', ' ') as text from jsonb_array_elements(a.issues) e
    where jsonb_typeof(e) = 'object') issues
  where a.interaction_id = p_interaction_id
  on conflict (interaction_id) do update set happened_at = excluded.happened_at, configuration = excluded.configuration,
    phone_digits = excluded.phone_digits, words = excluded.words, keys = excluded.keys
  where (mine.words, mine.keys, mine.phone_digits, mine.configuration)
    is distinct from (excluded.words, excluded.keys, excluded.phone_digits, excluded.configuration);
  insert into floorwalker.search_configurations (business_id, configuration)
  select a.business_id, s.configuration
  from floorwalker.archive_search s join interaction_archives a on a.interaction_id = s.interaction_id
  where s.interaction_id = p_interaction_id
    and not exists (select from floorwalker.search_configurations c
      where c.business_id = a.business_id and c.configuration = s.configuration)
  on conflict do nothing
$$;

create function floorwalker.index_changed_archive() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.index_archive(new.interaction_id);
  return null;
end
$$;

create trigger index_archive after insert or update of summary, issues, tags on public.interaction_archives
  for each row execute function floorwalker.index_changed_archive();

-- A worker's outbox may deliver the last words after the end.
create function floorwalker.index_late_messages() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.index_archive(s.interaction_id)
  from (select distinct interaction_id from written) w
  join floorwalker.archive_search s on s.interaction_id = w.interaction_id;
  return null;
end
$$;

create trigger index_late_insert after insert on public.interaction_messages
  referencing new table as written for each statement execute function floorwalker.index_late_messages();
create trigger index_late_update after update on public.interaction_messages
  referencing new table as written for each statement execute function floorwalker.index_late_messages();

select floorwalker.index_archive(interaction_id) from public.interaction_archives;

-- Where the transcript goes before the archive, the archive is still found: by what is left of it.
create or replace function floorwalker.purge_transcript(p_interaction_id uuid) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  update interactions set transcript_purged_at = clock_timestamp() where id = p_interaction_id;
  perform floorwalker.empty_of(p_interaction_id, array['interaction_archives', 'callback_requests']);
  perform floorwalker.index_archive(p_interaction_id);
end
$$;

-- The filter of a search, checked and in the form that the index has.
create function floorwalker.archive_conditions(p_filter jsonb) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  digits text := regexp_replace(regexp_replace(p_filter ->> 'phone', '\D', '', 'g'), '^0+', '');
  keys text[] := array['kind:' || coalesce(p_filter ->> 'kind', 'live')];
  name text;
begin
  if digits is not null and length(digits) < 3 then
    perform floorwalker.fail('search_invalid', 'A part of a phone number has at least three digits, leading zeros aside.');
  end if;
  foreach name in array array['tag', 'issue', 'issue_status', 'sentiment'] loop
    if p_filter ->> name is not null then
      keys := keys || (name || ':' || (p_filter ->> name));
    end if;
  end loop;
  return jsonb_build_object('keys', to_jsonb(keys || coalesce(floorwalker.phone_keys(digits), '{}')), 'digits', digits,
    'text', left(nullif(btrim(p_filter ->> 'text'), ''), 200),
    -- With nothing but a kind, each archive of the walk is a hit.
    'filters', digits is not null or cardinality(keys) > 1 or nullif(btrim(p_filter ->> 'text'), '') is not null);
end
$$;

-- The newest archives of some agents, or of the whole business where p_agents is null, older than a place in the order.
create function floorwalker.newest_archives(
  p_business_id uuid, p_agents uuid[], p_kind text, p_from timestamptz, p_to timestamptz,
  p_after_time timestamptz, p_after_id uuid, p_limit integer
) returns table (interaction_id uuid, happened_at timestamptz)
  language plpgsql stable security definer set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
  if p_agents is null then
    return query
      select a.interaction_id, a.happened_at from interaction_archives a
      where a.business_id = p_business_id and a.kind = p_kind and a.happened_at >= p_from and a.happened_at < p_to
        and (a.happened_at, a.interaction_id) < (p_after_time, p_after_id)
      order by a.happened_at desc, a.interaction_id desc limit p_limit;
  else
    -- Agent by agent, each in order: an index gives no common order for a list of agents.
    return query
      select newest.* from unnest(p_agents) agent cross join lateral (
        select a.interaction_id, a.happened_at from interaction_archives a
        where a.agent_id = agent and a.kind = p_kind and a.happened_at >= p_from and a.happened_at < p_to
          and (a.happened_at, a.interaction_id) < (p_after_time, p_after_id)
        order by a.happened_at desc, a.interaction_id desc limit p_limit) newest
      order by newest.happened_at desc, newest.interaction_id desc limit p_limit;
  end if;
end
$$;

-- One page of the archives that the actor may see, newest first: ids alone. The plan is made for each call, because
-- what is frequent in one search is rare in another; and it may not read a whole table, whatever statistics say.
create function floorwalker.find_archives(
  p_filter jsonb, p_after_time timestamptz, p_after_id uuid, p_limit integer, p_walk integer default 1500
) returns table (interaction_id uuid, happened_at timestamptz)
  language plpgsql stable security definer set search_path = public, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan
as $$
declare
  me constant users := floorwalker.require_actor();
  conditions constant jsonb := floorwalker.archive_conditions(p_filter);
  wanted_keys constant text[] := array(select jsonb_array_elements_text(conditions -> 'keys'));
  digits constant text := '%' || (conditions ->> 'digits') || '%';
  asked constant text := conditions ->> 'text';
  wanted_kind constant text := coalesce(p_filter ->> 'kind', 'live');
  one_agent constant uuid := (p_filter ->> 'agent_id')::uuid;
  from_time constant timestamptz := coalesce((p_filter ->> 'from')::timestamptz, '-infinity');
  to_time constant timestamptz := coalesce((p_filter ->> 'to')::timestamptz, 'infinity');
  after_time constant timestamptz := coalesce(p_after_time, 'infinity');
  after_id constant uuid := coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  agents_seen uuid[];
  scope text[] := array['business:' || me.business_id];
  ids uuid[];
  times timestamptz[];
begin
  if me.role <> 'admin' or one_agent is not null then
    select coalesce(array_agg(v), '{}') into agents_seen
    from unnest(floorwalker.visible_agents()) v where one_agent is null or v = one_agent;
    scope := array(select 'agent:' || v from unnest(agents_seen) v);
  end if;
  if not (conditions ->> 'filters')::boolean then
    return query select * from floorwalker.newest_archives(
      me.business_id, agents_seen, wanted_kind, from_time, to_time, after_time, after_id, p_limit);
    return;
  end if;
  if asked is not null and not exists (
    select from floorwalker.search_configurations c
    where c.business_id = me.business_id and numnode(websearch_to_tsquery(c.configuration::regconfig, asked)) > 0) then
    if exists (select from floorwalker.search_configurations c where c.business_id = me.business_id) then
      perform floorwalker.fail('search_invalid', 'Each of these words is too frequent to search for.');
    end if;
    return;
  end if;

  select array_agg(hits.interaction_id), array_agg(hits.happened_at) into ids, times from (
    select n.interaction_id, n.happened_at
    from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
      after_time, after_id, p_walk) with ordinality n (interaction_id, happened_at, place)
    join floorwalker.archive_search s on s.interaction_id = n.interaction_id
    where s.keys @> wanted_keys
      and (digits is null or s.phone_digits like digits)
      and (asked is null or s.words @@ websearch_to_tsquery(s.configuration::regconfig, asked))
    order by n.place limit p_limit) hits;
  -- A full page; or the walk came to the end of all there is.
  if coalesce(cardinality(ids), 0) < p_limit and (
    select count(*) from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
      after_time, after_id, p_walk)) >= p_walk then
    if asked is null then
      select array_agg(hits.interaction_id), array_agg(hits.happened_at) into ids, times from (
        select s.interaction_id, s.happened_at from floorwalker.archive_search s
        where s.keys @> wanted_keys and s.keys && scope and (digits is null or s.phone_digits like digits)
          and s.happened_at >= from_time and s.happened_at < to_time
          and (s.happened_at, s.interaction_id) < (after_time, after_id)
        order by s.happened_at desc, s.interaction_id desc limit p_limit) hits;
    else
      select array_agg(hits.interaction_id), array_agg(hits.happened_at) into ids, times from (
        select s.interaction_id, s.happened_at from floorwalker.search_configurations c
        join floorwalker.archive_search s on s.configuration = c.configuration
          and s.words @@ websearch_to_tsquery(c.configuration::regconfig, asked)
        where c.business_id = me.business_id
          and s.keys @> wanted_keys and s.keys && scope and (digits is null or s.phone_digits like digits)
          and s.happened_at >= from_time and s.happened_at < to_time
          and (s.happened_at, s.interaction_id) < (after_time, after_id)
        order by s.happened_at desc, s.interaction_id desc limit p_limit) hits;
    end if;
  end if;
  return query select * from unnest(ids, times);
end
$$;

-- The first message that has a word that was searched for, cut to the words around it.
create function floorwalker.excerpt(p_interaction_id uuid, p_configuration text, p_text text) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  query tsquery := websearch_to_tsquery(p_configuration::regconfig, p_text);
begin
  -- Words may stand in different messages; what must not occur says nothing about where to look.
  if query::text !~ '!' then
    query := replace(query::text, ' & ', ' | ')::tsquery;
  end if;
  return (
    select jsonb_build_object('seq', m.seq, 'role', m.role, 'text', ts_headline(p_configuration::regconfig,
      left(m.content, 20000), query, 'StartSel="", StopSel="", MaxWords=30, MinWords=12'))
    from interaction_messages m
    where m.interaction_id = p_interaction_id and m.role <> 'system'
      and to_tsvector(p_configuration::regconfig, left(m.content, 20000)) @@ query
    order by m.seq limit 1);
end
$$;

-- p_filter: text, phone, tag, issue, issue_status, sentiment, kind, agent_id, from, to, excerpt (true: with one).
create function public.search_archives(
  p_filter jsonb, p_after_time timestamptz default null, p_after_id uuid default null, p_limit integer default 50
) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', a.interaction_id, 'agent_id', a.agent_id, 'agent_name', g.name, 'channel', i.interaction_type,
    'kind', a.kind, 'status', a.interaction_status, 'end_reason', i.end_reason, 'phone_number', i.phone_number,
    'phone_source', i.phone_source, 'started_at', a.happened_at, 'ended_at', i.ended_at,
    'duration_seconds', i.duration_seconds, 'disposition', i.disposition, 'summary', a.summary,
    'summary_source', a.summary_source, 'issues', a.issues, 'tags', a.tags, 'csat_score', a.csat_score,
    'csat_source', a.csat_source, 'fcr_status', a.fcr_status,
    'excerpt', case when (p_filter ->> 'excerpt')::boolean and nullif(btrim(p_filter ->> 'text'), '') is not null
      then floorwalker.excerpt(a.interaction_id, s.configuration, left(btrim(p_filter ->> 'text'), 200)) end)
    order by f.place), '[]')
  from floorwalker.find_archives(p_filter, p_after_time, p_after_id, greatest(1, least(p_limit, 501)))
    with ordinality f (interaction_id, happened_at, place)
  join interaction_archives a on a.interaction_id = f.interaction_id
  join interactions i on i.id = f.interaction_id
  join agents g on g.id = a.agent_id
  left join floorwalker.archive_search s on s.interaction_id = f.interaction_id
$$;

-- All that remains of an interaction in one reading: archive, words, trace, calls and decisions.
create function floorwalker.replay(p_interaction_id uuid) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
  archive interaction_archives;
begin
  select * into mine from interactions where id = p_interaction_id and agent_id = any (floorwalker.visible_agents());
  if not found then
    perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
  end if;
  select * into archive from interaction_archives where interaction_id = mine.id;
  if not found then
    perform floorwalker.fail('archive_not_found', 'This interaction has no archive: it is still open, or it is older than what is kept.');
  end if;
  return jsonb_build_object(
    'interaction_id', mine.id, 'agent_id', mine.agent_id, 'agent_name', (select name from agents where id = mine.agent_id),
    'agent_version', (mine.agent_snapshot ->> 'version')::integer,
    'channel', mine.interaction_type, 'kind', mine.kind, 'direction', mine.direction, 'status', mine.status,
    'end_reason', mine.end_reason, 'phone_number', mine.phone_number, 'phone_source', mine.phone_source,
    'queued_at', mine.queued_at, 'started_at', coalesce(mine.started_at, mine.queued_at), 'ended_at', mine.ended_at,
    'duration_seconds', mine.duration_seconds, 'disposition', mine.disposition, 'supervisor_notes', mine.supervisor_notes,
    'rating', mine.rating, 'rating_comment', mine.rating_comment,
    'archive', jsonb_build_object('summary', archive.summary, 'summary_source', archive.summary_source,
      'issues', archive.issues, 'tags', archive.tags, 'csat_score', archive.csat_score, 'csat_source', archive.csat_source,
      'resolution_time_seconds', archive.resolution_time_seconds, 'fcr_status', archive.fcr_status,
      'metrics_series', archive.metrics_series, 'facts', archive.facts, 'created_at', archive.created_at),
    'messages', coalesce((select jsonb_agg(jsonb_build_object('seq', m.seq, 'item_id', m.item_id, 'role', m.role,
        'content', m.content, 'interrupted', m.interrupted, 'spoken_at', m.spoken_at, 'created_at', m.created_at) order by m.seq)
      from interaction_messages m where m.interaction_id = mine.id), '[]'),
    'steps', coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'step_id', s.step_id, 'step_type', s.step_type,
        'name', s.name, 'input', s.input, 'output', s.output, 'error', s.error, 'duration_ms', s.duration_ms,
        'model', s.model, 'tokens_input', s.tokens_input, 'tokens_output', s.tokens_output, 'characters', s.characters,
        'audio_seconds', s.audio_seconds, 'happened_at', s.happened_at) order by s.happened_at, s.id)
      from interaction_steps s where s.interaction_id = mine.id), '[]'),
    'tool_calls', coalesce((select jsonb_agg(jsonb_build_object('call_id', c.call_id, 'tool_name', c.tool_name,
        'arguments', c.arguments, 'state', c.state, 'refusal_reason', c.refusal_reason, 'output', c.output,
        'requires_permission', c.requires_permission, 'requested_at', c.requested_at, 'started_at', c.started_at,
        'finished_at', c.finished_at, 'duration_ms', c.duration_ms,
        'permission', case when p.id is not null then jsonb_build_object('status', p.status, 'note', p.note,
          'edited_arguments', p.edited_arguments, 'decided_by', p.decided_by,
          'decided_by_name', (select name from users where id = p.decided_by), 'responded_at', p.responded_at) end)
        order by c.requested_at, c.id)
      from tool_calls c left join tool_permissions p on p.id = c.permission_id where c.interaction_id = mine.id), '[]'));
end
$$;

create function public.archive_replay(p_interaction_id uuid) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select floorwalker.replay(p_interaction_id)
$$;

-- The same for taking away: what leaves is written down, with who took it.
create function public.export_archive(p_interaction_id uuid, p_format text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me constant users := floorwalker.require_actor();
  content constant jsonb := floorwalker.replay(p_interaction_id);
begin
  perform floorwalker.audit(me.business_id, 'archive.exported', 'interactions', p_interaction_id::text,
    jsonb_build_object('format', p_format));
  return content;
end
$$;

-- Before the rows of a search are taken away. Its text may hold what a customer is called: only that there was one is kept.
create function public.begin_archive_export(p_filter jsonb, p_format text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me constant users := floorwalker.require_actor();
begin
  perform floorwalker.archive_conditions(p_filter);
  perform floorwalker.audit(me.business_id, 'archive.exported', 'interaction_archives', me.business_id::text,
    jsonb_build_object('format', p_format, 'filter', (p_filter - 'text' - 'phone')
      || jsonb_build_object('text', p_filter ->> 'text' is not null, 'phone', p_filter ->> 'phone' is not null)));
  return jsonb_build_object('time_zone', (select time_zone from businesses where id = me.business_id));
end
$$;

do $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema, p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker') and p.proname in ('place_archive', 'text_configuration', 'phone_keys',
      'index_archive', 'index_changed_archive', 'index_late_messages', 'archive_conditions', 'newest_archives',
      'find_archives', 'excerpt', 'search_archives', 'replay', 'archive_replay', 'export_archive', 'begin_archive_export')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to %s', f.signature,
      case f.schema when 'floorwalker' then 'service_role' else 'authenticated' end);
  end loop;
end
$$;
