-- What a recovery has to know: whether the process of a claim ever began, whether the one before it left in good
-- order, and how often in a row nobody managed to carry the interaction on.

alter table public.interactions
  -- The generation whose process has begun; below `generation` there is only a worker that promised one.
  add column loaded_generation bigint not null default 0,
  -- The generation that finished its sentence and gave the interaction on: its successor has nothing to excuse.
  add column handed_over_generation bigint not null default 0,
  add column claimed_at timestamptz,
  -- Claims after a loss, without a stretch of good health between them.
  add column recoveries integer not null default 0 check (recoveries >= 0);

-- A loss after this long is not of the kind that ends every worker which takes the interaction.
create function floorwalker.healthy_stretch() returns interval
  language sql immutable set search_path = public, pg_temp
as $$
  select interval '5 minutes'
$$;

create or replace function public.claim_interaction(p_interaction_id uuid, p_worker_id text, p_lease_seconds numeric) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  agent agents;
  taken interactions;
  recovered boolean;
  lost boolean;
  moment timestamptz;
begin
  select a.* into agent from interactions i join agents a on a.id = i.agent_id where i.id = p_interaction_id;
  if not found then
    return jsonb_build_object('claimed', false, 'reason', 'not_found');
  end if;
  -- One claim of an agent at a time: a cap that two claims can pass together is no cap.
  perform pg_advisory_xact_lock(hashtextextended('claim:' || agent.id, 0));
  select * into taken from interactions where id = p_interaction_id for update;
  moment := clock_timestamp();

  if taken.status in ('completed', 'failed') then
    return jsonb_build_object('claimed', false, 'reason', 'ended');
  end if;
  recovered := taken.status = 'active';
  if recovered and taken.lease_until > moment then
    return jsonb_build_object('claimed', false, 'reason', 'held');
  end if;
  if not recovered and agent.max_concurrent_interactions <= (
    select count(*) from interactions where agent_id = agent.id and status = 'active') then
    return jsonb_build_object('claimed', false, 'reason', 'agent_at_capacity');
  end if;
  lost := recovered and taken.handed_over_generation < taken.generation;

  update interactions set
    status = 'active',
    started_at = coalesce(started_at, moment),
    answered_at = coalesce(answered_at, moment),
    agent_snapshot = coalesce(agent_snapshot, floorwalker.snapshot_agent(agent.id)),
    worker_id = p_worker_id,
    lease_until = moment + make_interval(secs => p_lease_seconds::double precision),
    generation = generation + 1,
    claim_attempts = claim_attempts + 1,
    claimed_at = moment,
    recoveries = case
      when not lost then recoveries
      when claimed_at < moment - floorwalker.healthy_stretch() then 1
      else recoveries + 1 end
  where id = taken.id
  returning * into taken;

  return jsonb_build_object(
    'claimed', true, 'generation', taken.generation, 'recovered', recovered, 'now', moment,
    'interaction', floorwalker.public_row(taken),
    'business', (select to_jsonb(b) from businesses b where b.id = taken.business_id),
    'agent', to_jsonb(agent),
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name) from agent_tools t where t.agent_id = agent.id), '[]'),
    'snapshot', taken.agent_snapshot,
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = taken.id), '[]'),
    'open_calls', coalesce((select jsonb_agg(to_jsonb(c) || jsonb_build_object('permission', to_jsonb(p)) order by c.requested_at, c.id)
      from tool_calls c left join tool_permissions p on p.id = c.permission_id
      where c.interaction_id = taken.id and c.state in ('requested', 'awaiting_permission', 'running')), '[]'));
end
$$;

-- A worker renews the lease of what it has claimed until the process that it starts for it has begun; from then on
-- only that process can, so that one that hangs is noticed.
create function public.keep_claims(p_worker_id text, p_claims jsonb, p_lease_seconds numeric) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  kept jsonb;
begin
  perform 1 from interactions i join floorwalker.read_leases(p_claims) l on l.interaction_id = i.id
  order by i.agent_id, i.id for no key update of i;

  with renewed as (
    update interactions i
    set lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds::double precision)
    from floorwalker.read_leases(p_claims) l
    where i.id = l.interaction_id and i.generation = l.generation and i.worker_id = p_worker_id
      and i.status = 'active' and i.loaded_generation < i.generation
    returning i.id
  )
  select coalesce(jsonb_agg(id), '[]') into kept from renewed;
  return kept;
end
$$;

-- p_handed_over: the session ended in good order and with nothing left unsaid.
drop function public.release_lease(uuid, bigint);
create function public.release_lease(p_interaction_id uuid, p_generation bigint, p_handed_over boolean default false) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  update interactions set
    worker_id = null,
    lease_until = clock_timestamp(),
    handed_over_generation = case when p_handed_over then generation else handed_over_generation end
  where id = p_interaction_id and generation = p_generation and status = 'active';
  return jsonb_build_object('released', found);
end
$$;

-- A process that held several and is known to be dead: nobody has to wait until its leases run out.
create function public.release_worker(p_worker_id text) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  released integer;
begin
  perform 1 from interactions where worker_id = p_worker_id and status = 'active'
  order by agent_id, id for no key update;
  update interactions set worker_id = null, lease_until = clock_timestamp()
  where worker_id = p_worker_id and status = 'active';
  get diagnostics released = row_count;
  return released;
end
$$;

drop function public.load_session(uuid, bigint);
create function public.load_session(p_interaction_id uuid, p_generation bigint, p_lease_seconds numeric default 8) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
begin
  update interactions set
    loaded_generation = generation,
    lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds::double precision)
  where id = p_interaction_id and generation = p_generation and status = 'active'
  returning * into mine;
  if not found then
    perform floorwalker.fail('stale_generation', 'Another worker holds this interaction now, or it has ended.');
  end if;
  return jsonb_build_object(
    'now', clock_timestamp(),
    'interaction', floorwalker.public_row(mine),
    'handed_over', mine.generation > 1 and mine.handed_over_generation = mine.generation - 1,
    'business', (select to_jsonb(b) from businesses b where b.id = mine.business_id),
    'customer', (select to_jsonb(c) from customers c where c.id = mine.customer_id),
    'snapshot', mine.agent_snapshot,
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name)
      from agent_tools t where t.agent_id = mine.agent_id), '[]'),
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = mine.id), '[]'),
    'whispers', coalesce((select jsonb_agg(floorwalker.whisper_row(w) order by w.created_at, w.id)
      from whispers w where w.interaction_id = mine.id), '[]'),
    'calls', coalesce((select jsonb_agg(to_jsonb(c) order by c.requested_at, c.id)
      from tool_calls c where c.interaction_id = mine.id), '[]'));
end
$$;

revoke execute on function floorwalker.healthy_stretch() from public, anon, authenticated;
grant execute on function floorwalker.healthy_stretch() to service_role;
revoke execute on function public.keep_claims(text, jsonb, numeric) from public, anon, authenticated;
grant execute on function public.keep_claims(text, jsonb, numeric) to service_role;
revoke execute on function public.release_worker(text) from public, anon, authenticated;
grant execute on function public.release_worker(text) to service_role;
revoke execute on function public.release_lease(uuid, bigint, boolean) from public, anon, authenticated;
grant execute on function public.release_lease(uuid, bigint, boolean) to service_role;
revoke execute on function public.load_session(uuid, bigint, numeric) from public, anon, authenticated;
grant execute on function public.load_session(uuid, bigint, numeric) to service_role;
