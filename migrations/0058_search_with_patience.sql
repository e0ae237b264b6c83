-- Searches that take long among a million archives: phrases of frequent words above all, of which PostgreSQL has to read
-- each archive that has all the words (2.4 s of five that nobody ever said one after the other). A search has so much
-- patience now, and says how far back it has looked; the next page goes on from there, found or not.
drop function floorwalker.find_archives(jsonb, timestamptz, uuid, integer, integer);

-- Hits, newest first. Without p_patience it looks through all. With it, it stops when that is over before the page is
-- full: then everything since reached_time, the beginning of a day, has been looked at, reached_id is the lowest there is,
-- and next_days is how many days it could do at once. With these three as its place and p_days it goes on, without a walk.
create function floorwalker.look_for_archives(
  p_filter jsonb, p_after_time timestamptz, p_after_id uuid, p_limit integer, p_patience interval default null,
  p_days integer default null, p_walk integer default 500,
  out ids uuid[], out reached_time timestamptz, out reached_id uuid, out next_days integer
)
  language plpgsql stable security definer set search_path = public, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan
as $$
declare
  me constant users := floorwalker.require_actor();
  began constant timestamptz := clock_timestamp();
  conditions constant jsonb := floorwalker.archive_conditions(p_filter);
  -- Without the kind, which both ways of looking see to.
  wanted_keys constant text[] := array(
    select k from jsonb_array_elements_text(conditions -> 'keys') k where k not like 'kind:%');
  digits constant text := '%' || (conditions ->> 'digits') || '%';
  asked constant text := conditions ->> 'text';
  wanted_kind constant text := coalesce(p_filter ->> 'kind', 'live');
  one_agent constant uuid := (p_filter ->> 'agent_id')::uuid;
  from_time constant timestamptz := coalesce((p_filter ->> 'from')::timestamptz, '-infinity');
  to_time constant timestamptz := coalesce((p_filter ->> 'to')::timestamptz, 'infinity');
  -- Everything newer than this place has been looked at.
  place_time timestamptz := coalesce(p_after_time, 'infinity');
  place_id uuid := coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  -- What the index must say where no stretch does.
  everywhere constant text[] := array['business:' || me.business_id, 'kind:' || wanted_kind];
  none constant uuid := '00000000-0000-0000-0000-000000000000';
  agents_seen uuid[];
  -- Of a whole business the day's key says it.
  scope text[];
  -- The text in each configuration that there is, read once and not for each archive.
  configurations text[];
  queries tsquery[];
  query tsquery;
  walked uuid[];
  walked_at timestamptz[];
  day integer;
  first_day integer;
  oldest_day integer;
  days integer := p_days;
  stretch text[];
  more uuid[];
  more_at timestamptz[];
  missing integer;
  stretch_began timestamptz;
  took_seconds double precision;
  -- Less than days where a part of the first one had been looked at before.
  covered_days double precision;
  patience_seconds constant double precision := extract(epoch from p_patience);
  remaining_seconds double precision;
begin
  ids := '{}';
  if me.role <> 'admin' or one_agent is not null then
    select coalesce(array_agg(v), '{}') into agents_seen
    from unnest(floorwalker.visible_agents()) v where one_agent is null or v = one_agent;
    scope := array(select 'agent:' || v from unnest(agents_seen) v);
  end if;
  if not (conditions ->> 'filters')::boolean then
    select coalesce(array_agg(n.interaction_id order by n.place), '{}') into ids
    from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
      place_time, place_id, p_limit) with ordinality n (interaction_id, happened_at, place);
    return;
  end if;
  if asked is not null then
    select array_agg(c.configuration), array_agg(q.parsed) into configurations, queries
    from floorwalker.search_configurations c
    cross join lateral (select websearch_to_tsquery(c.configuration::regconfig, asked) as parsed) q
    where c.business_id = me.business_id and numnode(q.parsed) > 0;
    if queries is null then
      if exists (select from floorwalker.search_configurations c where c.business_id = me.business_id) then
        perform floorwalker.fail('search_invalid', 'Each of these words is too frequent to search for.');
      end if;
      return;
    end if;
  end if;

  missing := p_limit;
  if days is null then
    -- What is frequent is among the newest.
    select array_agg(n.interaction_id order by n.place), array_agg(n.happened_at order by n.place) into walked, walked_at
    from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
      place_time, place_id, p_walk) with ordinality n (interaction_id, happened_at, place);
    select coalesce(array_agg(hits.id), '{}') into ids from (
      select n.id from unnest(walked) with ordinality n (id, place)
      join floorwalker.archive_search s on s.interaction_id = n.id
      where s.keys @> wanted_keys
        and (digits is null or s.phone_digits like digits)
        and (asked is null or s.words @@ queries[array_position(configurations, s.configuration)])
      order by n.place limit p_limit) hits;
    missing := p_limit - cardinality(ids);
    if missing = 0 or coalesce(cardinality(walked), 0) < p_walk then
      return;
    end if;
    place_time := walked_at[p_walk];
    place_id := walked[p_walk];
    days := greatest(1, floorwalker.day_number(walked_at[1]) - floorwalker.day_number(place_time));
  end if;

  -- The rest is asked of the index, in stretches of days.
  -- Where it stopped the last time, at the beginning of a day, nothing is left of that day. Nothing began in the future.
  day := least(floorwalker.day_number(place_time) - case when place_id = none then 1 else 0 end,
    floorwalker.day_number(began) + 1);
  select floorwalker.day_number(a.happened_at), floorwalker.day_number(greatest(from_time, a.happened_at))
  into oldest_day, first_day from interaction_archives a
  where a.business_id = me.business_id and a.kind = wanted_kind
  order by a.happened_at, a.interaction_id limit 1;
  while day >= first_day loop
    -- Each day is a list to go through, and most of them together are more than none.
    stretch := case when days <= 16 or day - days >= first_day or 2 * (day - first_day) < floorwalker.day_number(began) - oldest_day then
      array(select floorwalker.day_key(me.business_id, wanted_kind, n)
        from generate_series(greatest(first_day, day - days + 1), day) n) end;
    covered_days := least(day + 1, extract(epoch from place_time) / 86400) - (day - days + 1);
    more := '{}';
    more_at := '{}';
    stretch_began := clock_timestamp();
    for nth in 1 .. coalesce(cardinality(queries), 1) loop
      query := queries[nth];
      select more || coalesce(array_agg(hits.interaction_id), '{}'), more_at || coalesce(array_agg(hits.happened_at), '{}')
      into more, more_at from (
        select s.interaction_id, s.happened_at from floorwalker.archive_search s
        where (wanted_keys = '{}' or s.keys @> wanted_keys) and (scope is null or s.keys && scope)
          and (stretch is null or s.keys && stretch) and (stretch is not null or s.keys @> everywhere)
          and (query is null or s.words @@ query and s.configuration = configurations[nth])
          and (digits is null or s.phone_digits like digits)
          and s.happened_at >= from_time and s.happened_at < least(to_time, to_timestamp((day + 1) * 86400.0))
          and (s.happened_at, s.interaction_id) < (place_time, place_id)
        order by s.happened_at desc, s.interaction_id desc limit missing) hits;
    end loop;
    if cardinality(queries) > 1 then
      select coalesce(array_agg(hits.id), '{}') into more from (
        select m.id from unnest(more, more_at) m (id, at) order by m.at desc, m.id desc limit missing) hits;
    end if;
    ids := ids || more;
    missing := p_limit - cardinality(ids);
    day := day - days;
    exit when missing = 0 or day < first_day;
    took_seconds := extract(epoch from clock_timestamp() - stretch_began);
    remaining_seconds := patience_seconds - extract(epoch from clock_timestamp() - began);
    if remaining_seconds < took_seconds then
      reached_time := to_timestamp((day + 1) * 86400.0);
      reached_id := none;
      -- As many as there would have been time for.
      next_days := greatest(1, least(4 * days, 10000, floor(covered_days * patience_seconds / nullif(took_seconds, 0))));
      exit;
    end if;
    -- What is missing at the rate that hits came, and half as much again, as each hit is read; and no more than there
    -- is time for, by what the last stretch took.
    days := greatest(1, least(
      case when more = '{}' then 4 * days else least(4 * days, ceil(1.5 * days * missing / cardinality(more))) end,
      floor(covered_days * remaining_seconds / nullif(took_seconds, 0))));
  end loop;
end
$$;

-- Archives as a person is shown them, in the order of the ids.
create function floorwalker.found_archives(p_filter jsonb, p_ids uuid[]) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', a.interaction_id, 'agent_id', a.agent_id, 'agent_name', g.name, 'channel', i.interaction_type,
    'kind', a.kind, 'status', a.interaction_status, 'end_reason', i.end_reason, 'phone_number', i.phone_number,
    'phone_source', i.phone_source, 'started_at', a.happened_at, 'ended_at', i.ended_at,
    'duration_seconds', i.duration_seconds, 'disposition', i.disposition, 'summary', a.summary,
    'summary_source', a.summary_source, 'issues', a.issues, 'tags', a.tags, 'csat_score', a.csat_score,
    'csat_source', a.csat_source, 'fcr_status', a.fcr_status,
    'excerpt', case when (p_filter ->> 'excerpt')::boolean and nullif(btrim(p_filter ->> 'text'), '') is not null
      then floorwalker.excerpt(a.interaction_id,
        (select s.configuration from floorwalker.archive_search s where s.interaction_id = a.interaction_id),
        left(btrim(p_filter ->> 'text'), 200)) end)
    order by f.place), '[]')
  from unnest(p_ids) with ordinality f (interaction_id, place)
  join interaction_archives a on a.interaction_id = f.interaction_id
  join interactions i on i.id = f.interaction_id
  join agents g on g.id = a.agent_id
$$;

-- All that is found, however long it takes.
create or replace function public.search_archives(
  p_filter jsonb, p_after_time timestamptz default null, p_after_id uuid default null, p_limit integer default 50
) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select floorwalker.found_archives(p_filter, l.ids)
  from floorwalker.look_for_archives(p_filter, p_after_time, p_after_id, greatest(1, least(p_limit, 501))) l
$$;

-- The same with so much patience: {archives, reached: null, or {time, id, days}, with which it goes on}.
create function public.look_through_archives(
  p_filter jsonb, p_after_time timestamptz default null, p_after_id uuid default null, p_limit integer default 50,
  p_patience_ms integer default 50, p_days integer default null
) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object('archives', floorwalker.found_archives(p_filter, l.ids),
    'reached', case when l.reached_time is not null then
      jsonb_build_object('time', l.reached_time, 'id', l.reached_id, 'days', l.next_days) end)
  from floorwalker.look_for_archives(p_filter, p_after_time, p_after_id, greatest(1, least(p_limit, 501)),
    greatest(0, least(p_patience_ms, 5000)) * interval '1 millisecond',
    case when isfinite(p_after_time) and p_days > 0 then least(p_days, 10000) end) l
$$;

do $$
declare
  f text;
begin
  foreach f in array array['found_archives(jsonb, uuid[])',
    'look_for_archives(jsonb, timestamptz, uuid, integer, interval, integer, integer)'] loop
    execute format('revoke all on function floorwalker.%s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function floorwalker.%s to service_role', f);
  end loop;
  f := 'public.look_through_archives(jsonb, timestamptz, uuid, integer, integer, integer)';
  execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
  execute format('grant execute on function %s to authenticated', f);
end
$$;
