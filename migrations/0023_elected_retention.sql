-- What only one process does at a time: it is elected here, for a while, and each election has a term. Work of an
-- older term is refused, also that of a process which was only stopped and does not know that it was replaced.

create table floorwalker.elections (
  role text primary key check (role ~ '^[a-z][a-z_]{0,39}$'),
  holder text not null check (length(holder) between 1 and 200),
  term bigint not null,
  lease_until timestamptz not null,
  elected_at timestamptz not null default clock_timestamp()
);

-- What retention has removed so far, for an operator's figures and for the business's own admins.
create table floorwalker.retention_progress (
  business_id uuid primary key references public.businesses (id) on delete restrict,
  interactions bigint not null default 0,
  transcripts bigint not null default 0,
  metrics bigint not null default 0,
  customers bigint not null default 0,
  last_removed_at timestamptz not null default clock_timestamp()
);

alter table floorwalker.elections enable row level security;
alter table floorwalker.retention_progress enable row level security;
revoke all on floorwalker.elections, floorwalker.retention_progress from public, anon, authenticated, service_role;

create function public.retention_progress() returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object('interactions', coalesce(sum(interactions), 0), 'transcripts', coalesce(sum(transcripts), 0),
    'metrics', coalesce(sum(metrics), 0), 'customers', coalesce(sum(customers), 0))
  from floorwalker.retention_progress
$$;

-- Stands for election, or renews. Whoever is elected has until lease_until to renew.
create function public.elect(p_role text, p_candidate text, p_lease_seconds numeric) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  seat floorwalker.elections;
  lease interval := make_interval(secs => p_lease_seconds::double precision);
  moment timestamptz;
begin
  insert into floorwalker.elections (role, holder, term, lease_until)
  values (p_role, p_candidate, 1, clock_timestamp() + lease) on conflict (role) do nothing;
  -- Waits for a batch of the present term that is being done (see require_term), so that none is done beside another.
  select * into seat from floorwalker.elections where role = p_role for update;
  moment := clock_timestamp();
  if seat.lease_until > moment and seat.holder = p_candidate then
    update floorwalker.elections set lease_until = moment + lease where role = p_role returning * into seat;
  elsif seat.lease_until <= moment then
    update floorwalker.elections set holder = p_candidate, term = term + 1, lease_until = moment + lease, elected_at = moment
    where role = p_role returning * into seat;
  end if;
  return jsonb_build_object('elected', seat.holder = p_candidate, 'holder', seat.holder, 'term', seat.term,
    'lease_until', seat.lease_until);
end
$$;

create function public.resign(p_role text, p_candidate text, p_term bigint) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  update floorwalker.elections set lease_until = clock_timestamp()
  where role = p_role and holder = p_candidate and term = p_term;
  return jsonb_build_object('resigned', found);
end
$$;

-- Refuses work of a term that is over. The seat is locked until the end of the transaction.
create function floorwalker.require_term(p_role text, p_term bigint) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  seat floorwalker.elections;
begin
  select * into seat from floorwalker.elections where role = p_role for share;
  if not found or seat.term <> p_term or seat.lease_until <= clock_timestamp() then
    perform floorwalker.fail('term_over', 'Another process was elected for this, or nobody is.',
      jsonb_build_object('term', seat.term));
  end if;
end
$$;

-- A figure of a business's retention policy. One that can't be read counts as the default: a slip of one business
-- must not stop the retention of all.
create function floorwalker.retention_figure(p_policy jsonb, p_name text, p_default integer) returns integer
  language sql immutable set search_path = public, pg_temp
as $$
  select case
    when jsonb_typeof(p_policy -> p_name) = 'number' and (p_policy ->> p_name)::numeric between 0 and 36500
    then floor((p_policy ->> p_name)::numeric)::integer
    else p_default end
$$;

create or replace function floorwalker.keep_days(p_business public.businesses, p_row public.interactions) returns integer
  language sql immutable set search_path = public, pg_temp
as $$
  select case
    when p_row.kind = 'live' then floorwalker.retention_figure(p_business.retention, 'archives_days', 90)
    when p_row.status = 'failed' then floorwalker.retention_figure(p_business.retention, 'failed_rehearsals_days', 365)
    else floorwalker.retention_figure(p_business.retention, 'rehearsals_days', 730)
  end
$$;

-- What was said and done may go before the archive with its summary does, never after it.
create function floorwalker.keep_transcript_days(p_business public.businesses, p_row public.interactions) returns integer
  language sql immutable set search_path = public, pg_temp
as $$
  select least(floorwalker.keep_days(p_business, p_row),
    floorwalker.retention_figure(p_business.retention, 'transcripts_days', floorwalker.keep_days(p_business, p_row)))
$$;

alter table public.interactions add column transcript_purged_at timestamptz;
create index idx_interactions_transcript_retention on public.interactions (business_id, ended_at)
  where purged_at is null and transcript_purged_at is null;

-- Empties every table that names an interaction, also one that a later migration adds, except p_keep.
create function floorwalker.empty_of(p_interaction_id uuid, p_keep text[] default '{}') returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  place record;
  removed bigint;
  counts jsonb := '{}';
begin
  update tool_calls set permission_id = null where interaction_id = p_interaction_id and permission_id is not null;
  for place in
    select c.oid::regclass as address, c.relname as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'floorwalker')
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'interaction_id' and not a.attisdropped
    where c.relkind in ('r', 'p') and not c.relispartition and not c.relname = any (p_keep)
    -- Permissions stand on their calls, and what is only a record of changes is written by the other deletions.
    order by case c.relname when 'tool_permissions' then 0 when 'tool_calls' then 2 else 1 end,
      exists (select from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') desc, c.relname
  loop
    execute format('delete from %s where interaction_id = $1', place.address) using p_interaction_id;
    get diagnostics removed = row_count;
    if removed > 0 then
      counts := counts || jsonb_build_object(place.name, removed);
    end if;
  end loop;
  return counts;
end
$$;

-- What was said and done, before the archive goes: its facts still say how much of it there was.
create function floorwalker.purge_transcript(p_interaction_id uuid) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  update interactions set transcript_purged_at = clock_timestamp() where id = p_interaction_id;
  perform floorwalker.empty_of(p_interaction_id, array['interaction_archives', 'callback_requests']);
end
$$;

-- Removes all that an interaction contains and whom it was with; the bare row stays, so that counts and links hold.
-- The generation goes up, so that a session which was only stopped can't write any of it again.
drop function floorwalker.purge_interaction(uuid);
create function floorwalker.purge_interaction(p_interaction_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  update interactions set purged_at = clock_timestamp(), transcript_purged_at = coalesce(transcript_purged_at, clock_timestamp()),
    generation = generation + 1, customer_id = null, phone_number = null, phone_source = null,
    called_number = null, provider_call_id = null, agent_snapshot = null, disposition = null, supervisor_notes = null,
    supervisor_request_reason = null, end_requested_reason = null, resume_token_hash = null, origin = null,
    address_hash = null, rating_comment = null,
    -- A person may have written whole sentences there.
    end_reason = case when end_reason ~ '^[a-z_]{1,40}$' then end_reason else 'ended_by_supervisor' end
  where id = p_interaction_id;
  return floorwalker.empty_of(p_interaction_id);
end
$$;

create function floorwalker.count_retention(
  p_business_id uuid, p_interactions bigint, p_transcripts bigint, p_metrics bigint, p_customers bigint
) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into floorwalker.retention_progress as r (business_id, interactions, transcripts, metrics, customers)
  select p_business_id, p_interactions, p_transcripts, p_metrics, p_customers
  where p_interactions + p_transcripts + p_metrics + p_customers > 0
  on conflict (business_id) do update set
    interactions = r.interactions + excluded.interactions, transcripts = r.transcripts + excluded.transcripts,
    metrics = r.metrics + excluded.metrics, customers = r.customers + excluded.customers,
    last_removed_at = clock_timestamp()
$$;

-- Metrics are the archive's business when an interaction ends; what an open one wrote long ago goes in any case.
create function floorwalker.expire_metrics(p_business_id uuid, p_before timestamptz, p_limit integer) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  deleted integer;
begin
  delete from realtime_metrics where id in (
    select m.id from realtime_metrics m join interactions i on i.id = m.interaction_id
    where m.created_at < p_before and i.business_id = p_business_id order by m.created_at limit p_limit);
  get diagnostics deleted = row_count;
  return deleted;
end
$$;

-- One batch for one business: at most p_limit interactions and a hundred times as many rows of metrics.
create function floorwalker.apply_policy(p_business public.businesses, p_limit integer) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  due record;
  purged bigint := 0;
  transcripts bigint := 0;
  removed_metrics bigint;
  removed_customers bigint := 0;
begin
  for due in
    select i.id, i.customer_id from interactions i
    where i.business_id = p_business.id and i.purged_at is null
      and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_days(p_business, i))
    order by i.agent_id, i.id limit p_limit for update of i skip locked
  loop
    perform floorwalker.purge_interaction(due.id);
    purged := purged + 1;
  end loop;
  for due in
    select i.id from interactions i
    where i.business_id = p_business.id and i.purged_at is null and i.transcript_purged_at is null
      and floorwalker.keep_transcript_days(p_business, i) < floorwalker.keep_days(p_business, i)
      and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_transcript_days(p_business, i))
    order by i.agent_id, i.id limit p_limit - purged for update of i skip locked
  loop
    perform floorwalker.purge_transcript(due.id);
    transcripts := transcripts + 1;
  end loop;
  removed_metrics := floorwalker.expire_metrics(p_business.id, clock_timestamp() - make_interval(
    hours => least(24, floorwalker.retention_figure(p_business.retention, 'metrics_hours', 24))), p_limit * 100);
  if purged > 0 then
    -- Customers of whom nothing is left.
    delete from customers c where c.business_id = p_business.id and c.created_at < clock_timestamp() - interval '90 days'
      and not exists (select from interactions i where i.customer_id = c.id);
    get diagnostics removed_customers = row_count;
    perform floorwalker.audit(p_business.id, 'retention.deleted', 'interactions', p_business.id::text,
      jsonb_build_object('interactions', purged));
  end if;
  perform floorwalker.count_retention(p_business.id, purged, transcripts, removed_metrics, removed_customers);
  return jsonb_build_object('interactions', purged, 'transcripts', transcripts, 'metrics', removed_metrics,
    'customers', removed_customers,
    'more', purged + transcripts >= p_limit or removed_metrics >= p_limit * 100);
end
$$;

-- One batch over all businesses: at most p_limit interactions, so that it never holds many locks; call it until `more`
-- is false. With a term only whoever was elected for housekeeping may; without one it is an operator's own doing.
drop function public.apply_retention(integer);
create function public.apply_retention(p_limit integer default 500, p_term bigint default null) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  business businesses;
  batch jsonb;
  total jsonb := '{"interactions": 0, "transcripts": 0, "metrics": 0, "customers": 0, "more": false}';
  remaining integer := greatest(coalesce(p_limit, 500), 1);
begin
  if p_term is not null then
    perform floorwalker.require_term('housekeeping', p_term);
  end if;
  -- Whoever has waited longest comes first, so that the backlog of one business can't keep the others from theirs.
  for business in
    select b.* from businesses b left join floorwalker.retention_progress r on r.business_id = b.id
    order by r.last_removed_at nulls first, b.id
  loop
    batch := floorwalker.apply_policy(business, remaining);
    remaining := remaining - (batch ->> 'interactions')::integer - (batch ->> 'transcripts')::integer;
    total := jsonb_build_object(
      'interactions', (total ->> 'interactions')::bigint + (batch ->> 'interactions')::bigint,
      'transcripts', (total ->> 'transcripts')::bigint + (batch ->> 'transcripts')::bigint,
      'metrics', (total ->> 'metrics')::bigint + (batch ->> 'metrics')::bigint,
      'customers', (total ->> 'customers')::bigint + (batch ->> 'customers')::bigint,
      'more', (total ->> 'more')::boolean or (batch ->> 'more')::boolean);
    exit when remaining <= 0;
  end loop;
  return total;
end
$$;

do $$
declare
  f regprocedure;
begin
  foreach f in array array[
    'public.retention_progress()', 'public.elect(text, text, numeric)', 'public.resign(text, text, bigint)',
    'public.apply_retention(integer, bigint)', 'floorwalker.require_term(text, bigint)',
    'floorwalker.retention_figure(jsonb, text, integer)',
    'floorwalker.keep_transcript_days(public.businesses, public.interactions)',
    'floorwalker.empty_of(uuid, text[])', 'floorwalker.purge_transcript(uuid)', 'floorwalker.purge_interaction(uuid)',
    'floorwalker.count_retention(uuid, bigint, bigint, bigint, bigint)',
    'floorwalker.expire_metrics(uuid, timestamptz, integer)',
    'floorwalker.apply_policy(public.businesses, integer)']::regprocedure[]
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
end
$$;
