-- Workers lease interactions. Whoever claims raises the generation; writes of an older generation are refused.

create function floorwalker.snapshot_agent(p_agent_id uuid) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'agent_id', a.id, 'name', a.name, 'slug', a.slug, 'agent_type', a.agent_type, 'version', a.version,
    'system_prompt', a.system_prompt, 'greeting', a.greeting, 'language', a.language,
    'model_settings', a.model_settings, 'voice_settings', a.voice_settings,
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name) from agent_tools t where t.agent_id = a.id), '[]'))
  from agents a where a.id = p_agent_id
$$;

create function floorwalker.public_row(p_row public.interactions) returns jsonb
  language sql stable set search_path = public, pg_temp
as $$
  select to_jsonb(p_row) - 'resume_token_hash' - 'address_hash' - 'agent_snapshot'
$$;

create function public.claim_interaction(p_interaction_id uuid, p_worker_id text, p_lease_seconds numeric) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  agent agents;
  taken interactions;
  recovered boolean;
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

  update interactions set
    status = 'active',
    started_at = coalesce(started_at, moment),
    answered_at = coalesce(answered_at, moment),
    agent_snapshot = coalesce(agent_snapshot, floorwalker.snapshot_agent(agent.id)),
    worker_id = p_worker_id,
    lease_until = moment + make_interval(secs => p_lease_seconds::double precision),
    generation = generation + 1,
    claim_attempts = claim_attempts + 1
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

-- What a caller holds according to itself: [{interaction_id, generation}].
create function floorwalker.read_leases(p_leases jsonb)
  returns table (interaction_id uuid, generation bigint, place bigint)
  language sql immutable set search_path = public, pg_temp
as $$
  select (l ->> 'interaction_id')::uuid, (l ->> 'generation')::bigint, place
  from jsonb_array_elements(p_leases) with ordinality as leases (l, place)
$$;

create function public.heartbeat(p_worker_id text, p_leases jsonb, p_lease_seconds numeric) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  renewed uuid[];
begin
  -- Locks in one order for all who take several, or two batches could wait for each other.
  perform 1 from interactions i join floorwalker.read_leases(p_leases) l on l.interaction_id = i.id
  order by i.agent_id, i.id for no key update of i;

  with held as (
    update interactions i
    set lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds::double precision)
    from floorwalker.read_leases(p_leases) l
    where i.id = l.interaction_id and i.generation = l.generation and i.worker_id = p_worker_id and i.status = 'active'
    returning i.id
  )
  select coalesce(array_agg(id), '{}') into renewed from held;

  return coalesce((
    select jsonb_agg(jsonb_build_object('interaction_id', l.interaction_id, 'held', l.interaction_id = any (renewed)) order by l.place)
    from floorwalker.read_leases(p_leases) l), '[]');
end
$$;

-- A worker that drains hands its interaction on at once instead of letting the lease run out.
create function public.release_lease(p_interaction_id uuid, p_generation bigint) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  update interactions set worker_id = null, lease_until = clock_timestamp()
  where id = p_interaction_id and generation = p_generation and status = 'active';
  return jsonb_build_object('released', found);
end
$$;

create function public.claimable_interactions(p_limit integer default 100) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', c.id, 'room', c.livekit_room_id, 'generation', c.generation,
    'agent_type', c.interaction_type, 'claim_attempts', c.claim_attempts) order by c.queued_at), '[]')
  from (
    select i.* from interactions i join agents a on a.id = i.agent_id
    where (i.status = 'active' and (i.lease_until is null or i.lease_until <= clock_timestamp()))
       -- Those that wait for a free place are not offered: a worker would only send them back.
       or (i.status = 'queued' and a.max_concurrent_interactions > (
         select count(*) from interactions o where o.agent_id = i.agent_id and o.status = 'active'))
    order by i.queued_at limit p_limit
  ) c
$$;

-- One query for all sessions of a process: is each still mine, and what changed for it.
create function public.poll_sessions(p_leases jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  moment timestamptz;
begin
  perform public.expire_permissions();
  moment := clock_timestamp();
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'interaction_id', l.interaction_id,
      'held', coalesce(i.generation = l.generation and i.status = 'active', false),
      'status', coalesce(i.status, 'failed'),
      'control', coalesce(i.control, 'agent'),
      'controlled_by', i.controlled_by,
      'paused', coalesce(i.paused, false),
      'end_requested_reason', case when i.end_requested_at is not null then coalesce(i.end_requested_reason, 'ended_by_supervisor') end,
      'tools_version', (select md5(coalesce(string_agg(t.id || '@' || t.updated_at, ',' order by t.id), ''))
        from agent_tools t where t.agent_id = i.agent_id),
      'permissions', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', p.id, 'call_id', p.call_id,
          -- A busy row may have been skipped above; by the clock it has timed out all the same.
          'status', case when p.status = 'pending' and p.expires_at <= moment then 'timeout' else p.status end,
          'note', p.note, 'edited_arguments', p.edited_arguments, 'edited_hash', p.edited_hash,
          'decided_by_name', u.name, 'expires_at', p.expires_at) order by p.requested_at, p.id)
        from tool_permissions p
        join tool_calls c on c.id = p.tool_call_id
        left join users u on u.id = p.decided_by
        where p.interaction_id = i.id and c.state in ('requested', 'awaiting_permission', 'running')), '[]')
    ) order by l.place)
    from floorwalker.read_leases(p_leases) l
    left join interactions i on i.id = l.interaction_id), '[]');
end
$$;
