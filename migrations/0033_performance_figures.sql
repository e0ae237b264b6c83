-- Figures of a month among a million interactions, read from indexes alone: calls from the interactions themselves
-- (they outlive their archives), satisfaction and first contact from the archives.

create index idx_interactions_figures on public.interactions (agent_id, started_at) include (duration_seconds)
  where kind = 'live' and status = 'completed';

-- One row an agent of a business, with sums that can be added up.
create function floorwalker.agent_sums(p_business_id uuid, p_from timestamptz, p_agents uuid[] default null) returns table (
  agent_id uuid, calls bigint, seconds bigint, archives bigint, first_contact bigint, rated bigint, csat numeric
)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select a.id, c.calls, c.seconds, r.archives, r.first_contact, r.rated, r.csat
  from agents a
  cross join lateral (
    select count(*) as calls, coalesce(sum(i.duration_seconds), 0) as seconds from interactions i
    where i.agent_id = a.id and i.kind = 'live' and i.status = 'completed' and i.started_at >= p_from) c
  cross join lateral (
    select count(*) as archives, count(*) filter (where ia.fcr_status) as first_contact,
      count(ia.csat_score) as rated, coalesce(sum(ia.csat_score), 0) as csat
    from interaction_archives ia
    where ia.agent_id = a.id and ia.kind = 'live' and ia.happened_at >= p_from and ia.interaction_status = 'completed') r
  where a.business_id = p_business_id and (p_agents is null or a.id = any (p_agents))
$$;

-- One row for each supervisor of a business. The score is the schema document's:
--   50 % mean CSAT + 30 % number of calls + 20 % handle time (shorter is better), the last two scaled between the
--   lowest and the highest of the cohort: same business, same type, those without calls included.
-- Where the whole cohort is equal a scaled part is 0. Someone without calls has no handle time and gets 0 for it.
create or replace function floorwalker.scores(p_business_id uuid, p_period text) returns table (
  supervisor_id uuid, supervisor_type text, calls bigint, csat numeric, handle_time numeric, fcr numeric, score numeric
)
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  -- Outside the query: inside, it would not be evaluated, nor refused, where there is nothing to count.
  start_at constant timestamptz := floorwalker.period_start(p_period, (select time_zone from businesses where id = p_business_id));
begin
  return query
  with measured as (
    select u.id, u.supervisor_type as kind, coalesce(sum(s.calls), 0)::bigint as calls,
      sum(s.csat) / nullif(sum(s.rated), 0) as csat, sum(s.seconds) / nullif(sum(s.calls), 0) as aht,
      sum(s.first_contact) / nullif(sum(s.archives), 0) * 100 as fcr
    from users u
    left join agents a on a.supervisor_id = u.id
    left join floorwalker.agent_sums(p_business_id, start_at) s on s.agent_id = a.id
    where u.business_id = p_business_id and u.role = 'supervisor' and u.deleted_at is null
    group by u.id
  ), scaled as (
    select m.*,
      (m.calls - min(m.calls) over cohort)::numeric / nullif(max(m.calls) over cohort - min(m.calls) over cohort, 0) as calls_part,
      1 - (m.aht - min(m.aht) over cohort) / nullif(max(m.aht) over cohort - min(m.aht) over cohort, 0) as aht_part
    from measured m
    window cohort as (partition by m.kind)
  )
  select s.id, s.kind, s.calls, round(s.csat, 2), round(s.aht, 2), round(s.fcr, 2), round(100 * (
      0.5 * least(1, greatest(0, coalesce(s.csat, 0) / 100))
    + 0.3 * least(1, greatest(0, coalesce(s.calls_part, 0)))
    + 0.2 * least(1, greatest(0, coalesce(s.aht_part, 0)))), 2)
  from scaled s;
end
$$;

-- The agents that the actor sees, those they only cover included.
create function public.performance_by_agent(p_period text default 'month') returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_actor();
  start_at timestamptz := floorwalker.period_start(p_period, (select time_zone from businesses where id = me.business_id));
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('agent_id', a.id, 'agent_name', a.name, 'agent_type', a.agent_type,
      'supervisor_id', a.supervisor_id, 'total_interactions', s.calls, 'avg_csat', round(s.csat / nullif(s.rated, 0), 2),
      'avg_handle_time', round(s.seconds::numeric / nullif(s.calls, 0), 2),
      'fcr_percentage', round(s.first_contact::numeric / nullif(s.archives, 0) * 100, 2)) order by a.name, a.id)
    from floorwalker.agent_sums(me.business_id, start_at, floorwalker.visible_agents()) s
    join agents a on a.id = s.agent_id and a.deleted_at is null), '[]');
end
$$;

-- Day by day in the time zone of the business, today last: for a supervisor the agents they supervise, for an admin
-- all; or one agent that the actor sees. From the archives, so that days older than these are kept are empty.
create function public.performance_series(p_days integer default 30, p_agent_id uuid default null) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
  -- An index is asked for each day; a list of days is short.
  set enable_seqscan = off
as $$
declare
  me users := floorwalker.require_actor();
  zone text := (select time_zone from businesses where id = me.business_id);
  today date := (now() at time zone zone)::date;
  of_agents uuid[];
begin
  if p_days is null or p_days not between 1 and 366 then
    perform floorwalker.fail('unknown_period', 'Ask for 1 to 366 days.');
  end if;
  if p_agent_id is not null then
    of_agents := array[p_agent_id];
    if not p_agent_id = any (floorwalker.visible_agents()) then
      perform floorwalker.fail('agent_not_found', 'There is no such agent.');
    end if;
  elsif me.role <> 'admin' then
    select coalesce(array_agg(id), '{}') into of_agents from agents where supervisor_id = me.id;
  end if;

  return (
    select jsonb_agg(jsonb_build_object('day', d.day, 'interactions', s.total, 'avg_csat', round(s.csat, 2),
      'fcr_percentage', round(s.first_contact::numeric / nullif(s.total, 0) * 100, 2)) order by d.day)
    from (select today - n as day, (today - n)::timestamp at time zone zone as from_time,
        (today - n + 1)::timestamp at time zone zone as to_time from generate_series(0, p_days - 1) n) d
    cross join lateral (
      select sum(total)::bigint as total, sum(csat) / nullif(sum(rated), 0) as csat, sum(first_contact)::bigint as first_contact from (
        select count(*) as total, sum(a.csat_score) as csat, count(a.csat_score) as rated,
          count(*) filter (where a.fcr_status) as first_contact
        from interaction_archives a
        where of_agents is null and a.business_id = me.business_id and a.kind = 'live'
          and a.happened_at >= d.from_time and a.happened_at < d.to_time and a.interaction_status = 'completed'
        union all
        select count(*), sum(a.csat_score), count(a.csat_score), count(*) filter (where a.fcr_status)
        from unnest(of_agents) one join interaction_archives a on a.agent_id = one and a.kind = 'live'
          and a.happened_at >= d.from_time and a.happened_at < d.to_time and a.interaction_status = 'completed'
      ) parts) s);
end
$$;

do $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker')
      and p.proname in ('agent_sums', 'performance_by_agent', 'performance_series')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to %s', f.signature,
      case f.schema when 'floorwalker' then 'service_role' else 'authenticated' end);
  end loop;
end
$$;
