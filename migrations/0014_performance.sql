-- How agents and supervisors do. Rehearsals never count.

create view public.supervisor_performance with (security_invoker = true) as
select
  u.id as supervisor_id,
  u.name as supervisor_name,
  u.supervisor_type,
  count(distinct a.id) filter (where a.deleted_at is null) as total_agents,
  count(i.id) as total_interactions,
  count(i.id) filter (where i.status = 'active') as active_interactions,
  avg(ia.csat_score) as avg_csat,
  avg(ia.resolution_time_seconds) as avg_resolution_time,
  count(*) filter (where ia.fcr_status)::double precision / nullif(count(ia.id), 0) * 100 as fcr_percentage
from public.users u
left join public.agents a on a.supervisor_id = u.id
left join public.interactions i on i.agent_id = a.id and i.kind = 'live'
left join public.interaction_archives ia on ia.interaction_id = i.id
where u.role = 'supervisor' and u.deleted_at is null
group by u.id;

create view public.agent_performance with (security_invoker = true) as
select
  a.id as agent_id,
  a.name as agent_name,
  a.supervisor_id,
  a.status,
  count(i.id) as total_interactions,
  avg(ia.csat_score) as avg_csat,
  avg(i.duration_seconds) as avg_handle_time,
  count(*) filter (where ia.fcr_status)::double precision / nullif(count(ia.id), 0) * 100 as fcr_percentage
from public.agents a
left join public.interactions i on i.agent_id = a.id and i.status = 'completed' and i.kind = 'live'
left join public.interaction_archives ia on ia.interaction_id = i.id
where a.deleted_at is null
group by a.id;

-- The floor at a glance: open live interactions with their latest measurement.
create view public.live_interactions with (security_invoker = true) as
select
  i.id as interaction_id, i.business_id, i.agent_id, a.name as agent_name, a.supervisor_id, a.cover_id,
  i.interaction_type, i.status, i.paused, i.control, i.controlled_by, i.customer_id, i.phone_number,
  i.queued_at, i.started_at, i.supervisor_requested_at,
  m."timestamp" as measured_at, m.sentiment, m.satisfaction_score, m.feed_text
from public.interactions i
join public.agents a on a.id = i.agent_id
left join lateral (
  select r."timestamp", r.sentiment, r.satisfaction_score, r.feed_text
  from public.realtime_metrics r where r.interaction_id = i.id order by r."timestamp" desc limit 1
) m on true
where i.status in ('queued', 'active') and i.kind = 'live';

revoke all on public.supervisor_performance, public.agent_performance, public.live_interactions from public, anon, authenticated;
grant select on public.supervisor_performance, public.agent_performance, public.live_interactions to authenticated, service_role;

create function floorwalker.period_start(p_period text, p_time_zone text) returns timestamptz
  language plpgsql stable set search_path = public, pg_temp
as $$
begin
  if p_period is null or p_period not in ('today', 'month') then
    perform floorwalker.fail('unknown_period', format('"%s" is not a period; write today or month.', p_period));
  end if;
  return date_trunc(case p_period when 'today' then 'day' else 'month' end, now() at time zone p_time_zone) at time zone p_time_zone;
end
$$;

-- One row for each supervisor of a business. The score is the schema document's:
--   50 % mean CSAT + 30 % number of calls + 20 % handle time (shorter is better), the last two scaled between the
--   lowest and the highest of the cohort: same business, same type, those without calls included.
-- Where the whole cohort is equal a scaled part is 0. Someone without calls has no handle time and gets 0 for it.
create function floorwalker.scores(p_business_id uuid, p_period text) returns table (
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
    select u.id, u.supervisor_type as kind, count(i.id) as calls, avg(ia.csat_score) as csat, avg(i.duration_seconds) as aht,
      count(*) filter (where ia.fcr_status)::numeric / nullif(count(ia.id), 0) * 100 as fcr
    from users u
    left join agents a on a.supervisor_id = u.id
    left join interactions i on i.agent_id = a.id and i.kind = 'live' and i.status = 'completed' and i.started_at >= start_at
    left join interaction_archives ia on ia.interaction_id = i.id
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

-- For the secret key any supervisor; for a person themselves, or anyone of an admin's business.
create function public.calculate_performance_score(p_supervisor_id uuid, p_period text default 'month') returns numeric
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  subject users;
begin
  select * into subject from users where id = p_supervisor_id and role = 'supervisor' and deleted_at is null;
  if auth.uid() is not null and not coalesce(
    (subject.id = (floorwalker.actor()).id) or subject.business_id = floorwalker.admin_business(), false) then
    perform floorwalker.fail('not_allowed', 'You can see your own score, and as an admin those of your business.');
  end if;
  if subject.id is null then
    perform floorwalker.fail('user_not_found', 'There is no such supervisor.');
  end if;
  return (select s.score from floorwalker.scores(subject.business_id, p_period) s where s.supervisor_id = subject.id);
end
$$;

create function floorwalker.require_actor() returns public.users
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.actor();
begin
  if me.id is null then
    perform floorwalker.fail('not_allowed', 'This account is not part of any business here.');
  end if;
  return me;
end
$$;

-- A supervisor sees own figures, an admin those of the business.
create function public.performance(p_period text default 'month') returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_actor();
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'supervisor_id', u.id, 'name', u.name, 'username', u.username, 'supervisor_type', u.supervisor_type,
      'score', s.score, 'total_calls', s.calls, 'avg_csat', s.csat, 'avg_handle_time', s.handle_time,
      'fcr_percentage', s.fcr) order by s.score desc, u.username)
    from floorwalker.scores(me.business_id, p_period) s join users u on u.id = s.supervisor_id
    where me.role = 'admin' or u.id = me.id), '[]');
end
$$;

-- All that a supervisor may see of others: name for display and score, among the own type.
create function public.leaderboard(p_period text default 'month') returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_actor();
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('rank', b.place, 'username', b.username, 'name', b.name,
      'supervisor_type', b.supervisor_type, 'score', b.score, 'is_me', b.id = me.id) order by b.supervisor_type, b.place, b.username)
    from (
      select u.id, u.username, u.name, s.supervisor_type, s.score,
        rank() over (partition by s.supervisor_type order by s.score desc) as place
      from floorwalker.scores(me.business_id, p_period) s join users u on u.id = s.supervisor_id
      where me.role = 'admin' or s.supervisor_type = me.supervisor_type
    ) b), '[]');
end
$$;
