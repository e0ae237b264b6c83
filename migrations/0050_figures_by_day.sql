-- Figures of a month without reading its interactions: sums by agent and day of the business, kept by triggers in the
-- transaction that changes what they count. A change adds a row and never updates one, so nobody waits for a lock of
-- somebody else's figures; housekeeping adds the rows of a day up into one.
-- They replace what 0033 read from indexes, which took time with every interaction of the month.

create table floorwalker.agent_days (
  agent_id uuid not null,
  -- In the time zone of the business.
  day date not null,
  calls integer not null default 0,
  seconds bigint not null default 0,
  archives integer not null default 0,
  first_contact integer not null default 0,
  rated integer not null default 0,
  csat numeric not null default 0,
  -- False for what a trigger has added and nobody has added up yet.
  folded boolean not null default false
);
alter table floorwalker.agent_days enable row level security;
revoke all on floorwalker.agent_days from public, anon, authenticated;
create index idx_agent_days on floorwalker.agent_days (agent_id, day);
create index idx_agent_days_unfolded on floorwalker.agent_days (agent_id, day) where not folded;

create function floorwalker.day_of(p_business_id uuid, p_moment timestamptz) returns date
  language sql stable security definer set search_path = public, pg_temp
as $$
  select (p_moment at time zone b.time_zone)::date from businesses b where b.id = p_business_id
$$;

create function floorwalker.count_interaction() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  if tg_op <> 'INSERT' and old.status = 'completed' and old.kind = 'live' and old.started_at is not null then
    insert into floorwalker.agent_days (agent_id, day, calls, seconds)
    values (old.agent_id, floorwalker.day_of(old.business_id, old.started_at), -1, -coalesce(old.duration_seconds, 0));
  end if;
  if tg_op <> 'DELETE' and new.status = 'completed' and new.kind = 'live' and new.started_at is not null then
    insert into floorwalker.agent_days (agent_id, day, calls, seconds)
    values (new.agent_id, floorwalker.day_of(new.business_id, new.started_at), 1, coalesce(new.duration_seconds, 0));
  end if;
  return null;
end
$$;

create trigger count_added after insert on public.interactions
  for each row when (new.status = 'completed') execute function floorwalker.count_interaction();
create trigger count_removed after delete on public.interactions
  for each row when (old.status = 'completed') execute function floorwalker.count_interaction();
-- Conditions, so that a heartbeat costs nothing.
create trigger count_changed after update on public.interactions
  for each row when ((old.status = 'completed' or new.status = 'completed')
    and (old.status, old.kind, old.agent_id, old.started_at, old.duration_seconds)
      is distinct from (new.status, new.kind, new.agent_id, new.started_at, new.duration_seconds))
  execute function floorwalker.count_interaction();

create function floorwalker.count_archive() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  if tg_op <> 'INSERT' and old.interaction_status = 'completed' and old.kind = 'live' then
    insert into floorwalker.agent_days (agent_id, day, archives, first_contact, rated, csat)
    values (old.agent_id, floorwalker.day_of(old.business_id, old.happened_at), -1,
      -coalesce(old.fcr_status, false)::integer, -(old.csat_score is not null)::integer, -coalesce(old.csat_score, 0));
  end if;
  if tg_op <> 'DELETE' and new.interaction_status = 'completed' and new.kind = 'live' then
    insert into floorwalker.agent_days (agent_id, day, archives, first_contact, rated, csat)
    values (new.agent_id, floorwalker.day_of(new.business_id, new.happened_at), 1,
      coalesce(new.fcr_status, false)::integer, (new.csat_score is not null)::integer, coalesce(new.csat_score, 0));
  end if;
  return null;
end
$$;

create trigger count_added after insert on public.interaction_archives
  for each row execute function floorwalker.count_archive();
create trigger count_removed after delete on public.interaction_archives
  for each row execute function floorwalker.count_archive();
create trigger count_changed after update on public.interaction_archives
  for each row when ((old.interaction_status, old.kind, old.agent_id, old.happened_at, old.fcr_status, old.csat_score)
    is distinct from (new.interaction_status, new.kind, new.agent_id, new.happened_at, new.fcr_status, new.csat_score))
  execute function floorwalker.count_archive();

-- Counts a business anew: at first, and when its days begin at another hour.
create function floorwalker.recount_days(p_business_id uuid) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  -- What others add meanwhile waits, and is neither lost nor counted twice.
  lock table floorwalker.agent_days in share row exclusive mode;
  delete from floorwalker.agent_days d using agents a where a.id = d.agent_id and a.business_id = p_business_id;
  insert into floorwalker.agent_days (agent_id, day, calls, seconds, archives, first_contact, rated, csat, folded)
  select agent_id, day, sum(calls), sum(seconds), sum(archives), sum(first_contact), sum(rated), sum(csat), true from (
    select i.agent_id, (i.started_at at time zone b.time_zone)::date as day, 1 as calls,
      coalesce(i.duration_seconds, 0) as seconds, 0 as archives, 0 as first_contact, 0 as rated, 0::numeric as csat
    from businesses b join interactions i on i.business_id = b.id
    where b.id = p_business_id and i.status = 'completed' and i.kind = 'live' and i.started_at is not null
    union all
    select r.agent_id, (r.happened_at at time zone b.time_zone)::date, 0, 0, 1, coalesce(r.fcr_status, false)::integer,
      (r.csat_score is not null)::integer, coalesce(r.csat_score, 0)
    from businesses b join interaction_archives r on r.business_id = b.id
    where b.id = p_business_id and r.interaction_status = 'completed' and r.kind = 'live') counted
  group by agent_id, day;
end
$$;

create function floorwalker.recount_moved_days() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.recount_days(new.id);
  return null;
end
$$;
create trigger recount_days after update on public.businesses
  for each row when (old.time_zone is distinct from new.time_zone) execute function floorwalker.recount_moved_days();

-- Adds up what triggers have added since; readers see the same sums before and after. Returns how many days it was.
create function public.fold_figures(p_limit integer default 1000) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  days integer;
begin
  -- Two at once would each wait for rows that the other takes away.
  if not pg_try_advisory_xact_lock(hashtextextended('fold_figures', 0)) then
    return 0;
  end if;
  with due as materialized (
    select distinct agent_id, day from floorwalker.agent_days where not folded limit p_limit
  ), taken as (
    delete from floorwalker.agent_days d using due where d.agent_id = due.agent_id and d.day = due.day returning d.*
  ), kept as (
    insert into floorwalker.agent_days (agent_id, day, calls, seconds, archives, first_contact, rated, csat, folded)
    select agent_id, day, sum(calls), sum(seconds), sum(archives), sum(first_contact), sum(rated), sum(csat), true
    from taken group by agent_id, day
    having (sum(calls), sum(archives)) <> (0, 0)
  )
  select count(*) into days from due;
  return days;
end
$$;

create or replace function floorwalker.agent_sums(p_business_id uuid, p_from timestamptz, p_agents uuid[] default null) returns table (
  agent_id uuid, calls bigint, seconds bigint, archives bigint, first_contact bigint, rated bigint, csat numeric
)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select a.id, coalesce(sum(d.calls), 0)::bigint, coalesce(sum(d.seconds), 0)::bigint, coalesce(sum(d.archives), 0)::bigint,
    coalesce(sum(d.first_contact), 0)::bigint, coalesce(sum(d.rated), 0)::bigint, coalesce(sum(d.csat), 0)
  from agents a
  left join floorwalker.agent_days d on d.agent_id = a.id and d.day >= floorwalker.day_of(p_business_id, p_from)
  where a.business_id = p_business_id and (p_agents is null or a.id = any (p_agents))
  group by a.id
$$;

create or replace function public.performance_series(p_days integer default 30, p_agent_id uuid default null) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_actor();
  today date := floorwalker.day_of(me.business_id, now());
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
  else
    select coalesce(array_agg(id), '{}') into of_agents from agents where business_id = me.business_id;
  end if;

  return (
    select jsonb_agg(jsonb_build_object('day', today - n, 'interactions', coalesce(s.total, 0),
      'avg_csat', round(s.csat / nullif(s.rated, 0), 2),
      'fcr_percentage', round(s.first_contact::numeric / nullif(s.total, 0) * 100, 2)) order by n desc)
    from generate_series(0, p_days - 1) n
    left join (
      select d.day, sum(d.archives)::bigint as total, sum(d.rated) as rated, sum(d.csat) as csat,
        sum(d.first_contact)::bigint as first_contact
      from floorwalker.agent_days d where d.agent_id = any (of_agents) and d.day > today - p_days
      group by d.day) s on s.day = today - n);
end
$$;
-- Was set for a reading of archives.
alter function public.performance_series(integer, uuid) reset all;
alter function public.performance_series(integer, uuid) set search_path = public, pg_temp;

do $$
declare
  f text;
begin
  foreach f in array array['floorwalker.day_of(uuid, timestamptz)', 'floorwalker.count_interaction()',
    'floorwalker.count_archive()', 'floorwalker.recount_days(uuid)', 'floorwalker.recount_moved_days()',
    'public.fold_figures(integer)'] loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
  perform floorwalker.recount_days(id) from businesses;
end
$$;

-- Whoever sees the interaction sees what belongs to it, found by its id each time. As `exists`, the planner rather made a
-- list of all interactions that the person sees, which for the floor's newest measurements was each that ever was.
do $$
declare
  one text;
begin
  foreach one in array array['interaction_archives', 'interaction_messages', 'interaction_steps', 'realtime_metrics',
    'tool_calls', 'tool_permissions', 'whispers'] loop
    execute format(
      'alter policy reachable on public.%1$I using ((select true from public.interactions i where i.id = %1$I.interaction_id))',
      one);
  end loop;
end
$$;
