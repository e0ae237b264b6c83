-- Searches among a million archives that were still slow, because little is found by them. Each archive that was looked at
-- had the text taken apart anew, about 25 microseconds of each; and the search went back in ever longer stretches and
-- asked for each of their days. Now the text is read once, and beyond some days all that is left is asked for at once:
-- the hits are few, or the page would be full.
create or replace function floorwalker.find_archives(
  p_filter jsonb, p_after_time timestamptz, p_after_id uuid, p_limit integer, p_walk integer default 500
) returns table (interaction_id uuid, happened_at timestamptz)
  language plpgsql stable security definer rows 50 set search_path = public, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan
as $$
declare
  me constant users := floorwalker.require_actor();
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
  after_time constant timestamptz := coalesce(p_after_time, 'infinity');
  after_id constant uuid := coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  agents_seen uuid[];
  -- Of a whole business the day's key says it.
  scope text[];
  walked uuid[];
  walked_at timestamptz[];
  before_time timestamptz;
  before_id uuid;
  day integer;
  first_day integer;
  days integer;
  oldest_day integer;
  stretch text[];
  -- What the index must say where no stretch does.
  everywhere text[];
  -- The text in each configuration that there is, read once and not for each archive.
  configurations text[];
  queries tsquery[];
  query tsquery;
  more uuid[];
  more_at timestamptz[];
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

  -- What is frequent is among the newest.
  select array_agg(n.interaction_id order by n.place), array_agg(n.happened_at order by n.place) into walked, walked_at
  from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
    after_time, after_id, p_walk) with ordinality n (interaction_id, happened_at, place);
  select coalesce(array_agg(hits.id), '{}'), coalesce(array_agg(hits.at), '{}') into ids, times from (
    select n.id, n.at from unnest(walked, walked_at) with ordinality n (id, at, place)
    join floorwalker.archive_search s on s.interaction_id = n.id
    where s.keys @> wanted_keys
      and (digits is null or s.phone_digits like digits)
      and (asked is null or s.words @@ queries[array_position(configurations, s.configuration)])
    order by n.place limit p_limit) hits;

  -- The rest is asked of the index, in stretches of days that grow eightfold at most, and then all at once.
  if cardinality(ids) < p_limit and cardinality(walked) >= p_walk then
    before_time := walked_at[p_walk];
    before_id := walked[p_walk];
    day := floorwalker.day_number(before_time);
    select floorwalker.day_number(a.happened_at), floorwalker.day_number(greatest(from_time, a.happened_at))
    into oldest_day, first_day from interaction_archives a
    where a.business_id = me.business_id and a.kind = wanted_kind
    order by a.happened_at, a.interaction_id limit 1;
    everywhere := array['business:' || me.business_id, 'kind:' || wanted_kind];
    days := greatest(1, floorwalker.day_number(walked_at[1]) - day);
    while cardinality(ids) < p_limit and day >= first_day loop
      -- Each day is a list to go through, and most of them together are more than none.
      if days > 16 then
        days := greatest(days, day - first_day + 1);
      end if;
      stretch := case when days <= 16 or 2 * (day - first_day) < day - oldest_day then
        array(select floorwalker.day_key(me.business_id, wanted_kind, n)
          from generate_series(greatest(first_day, day - days + 1), day) n) end;
      more := '{}';
      more_at := '{}';
      for nth in 1 .. coalesce(cardinality(queries), 1) loop
        query := queries[nth];
        select more || coalesce(array_agg(hits.interaction_id), '{}'), more_at || coalesce(array_agg(hits.happened_at), '{}')
        into more, more_at from (
          select s.interaction_id, s.happened_at from floorwalker.archive_search s
          where (wanted_keys = '{}' or s.keys @> wanted_keys) and (scope is null or s.keys && scope)
            and (stretch is null or s.keys && stretch) and (stretch is not null or s.keys @> everywhere)
            and (query is null or s.words @@ query and s.configuration = configurations[nth])
            and (digits is null or s.phone_digits like digits)
            and s.happened_at >= from_time and s.happened_at < to_timestamp((day + 1) * 86400.0)
            and (s.happened_at, s.interaction_id) < (before_time, before_id)
          order by s.happened_at desc, s.interaction_id desc limit p_limit - cardinality(ids)) hits;
      end loop;
      if cardinality(queries) > 1 then
        select coalesce(array_agg(hits.id), '{}'), coalesce(array_agg(hits.at), '{}') into more, more_at from (
          select m.id, m.at from unnest(more, more_at) m (id, at)
          order by m.at desc, m.id desc limit p_limit - cardinality(ids)) hits;
      end if;
      ids := ids || more;
      times := times || more_at;
      day := day - days;
      -- What is missing at the rate that hits came, and half as much again; each hit is read.
      days := case when more = '{}' then days * 8
        else least(days * 8, greatest(1, ceil(1.5 * days * (p_limit - cardinality(ids)) / cardinality(more))::integer)) end;
    end loop;
  end if;
  return query select * from unnest(ids, times);
end
$$;
