-- The permission gate: a call is written down before it runs, and runs only as it was approved.
-- Every function locks the interaction first, then the call, then the permission.

create function floorwalker.call_row(p_call public.tool_calls) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select to_jsonb(p_call) || jsonb_build_object('permission', (
    select to_jsonb(p) from tool_permissions p where p.id = p_call.permission_id))
$$;

create function public.request_tool_call(p_call jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction((p_call ->> 'interaction_id')::uuid, (p_call ->> 'generation')::bigint);
  call tool_calls;
  permission tool_permissions;
  gated boolean;
  refused text := p_call ->> 'refused_reason';
begin
  select * into call from tool_calls where interaction_id = mine.id and call_id = p_call ->> 'call_id';
  if found then
    select * into permission from tool_permissions where id = call.permission_id;
    return jsonb_build_object('call', to_jsonb(call), 'existing', true,
      'permission', case when permission.id is not null then to_jsonb(permission) end);
  end if;
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended; no tool starts any more.');
  end if;

  -- The agent's row can close a gate that the session thinks open, never the other way round.
  gated := refused is null and (coalesce((p_call ->> 'requires_permission')::boolean, true) or exists (
    select from agent_tools t where t.agent_id = mine.agent_id and t.tool_name = p_call ->> 'tool_name' and t.requires_permission));

  insert into tool_calls (interaction_id, call_id, tool_name, arguments, arguments_hash, definition_hash,
    requires_permission, state, refusal_reason, idempotency_key, generation, finished_at)
  values (mine.id, p_call ->> 'call_id', p_call ->> 'tool_name', coalesce(p_call -> 'arguments', '{}'),
    p_call ->> 'arguments_hash', p_call ->> 'definition_hash', gated,
    case when refused is not null then 'refused' when gated then 'awaiting_permission' else 'requested' end,
    refused, p_call ->> 'idempotency_key', mine.generation, case when refused is not null then clock_timestamp() end)
  returning * into call;

  if gated then
    insert into tool_permissions (interaction_id, tool_call_id, call_id, tool_name, tool_description, arguments,
      arguments_hash, expires_at)
    values (mine.id, call.id, call.call_id, call.tool_name, p_call ->> 'tool_description', call.arguments,
      call.arguments_hash, clock_timestamp() + make_interval(secs => (p_call ->> 'permission_timeout_seconds')::double precision))
    returning * into permission;
    update tool_calls set permission_id = permission.id where id = call.id returning * into call;
  end if;
  return jsonb_build_object('call', to_jsonb(call), 'existing', false,
    'permission', case when permission.id is not null then to_jsonb(permission) end);
end
$$;

-- p_allow_restart: a call that ran under a dead session may be tried again, with the same idempotency key, by a
-- caller that knows the tool to be idempotent.
create function public.start_tool_call(
  p_interaction_id uuid, p_generation bigint, p_call_id text, p_arguments_hash text, p_allow_restart boolean default false
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
  call tool_calls;
  permission tool_permissions;
  reason text;
begin
  select * into mine from interactions where id = p_interaction_id for update;
  select * into call from tool_calls where interaction_id = p_interaction_id and call_id = p_call_id for update;
  if not found then
    perform floorwalker.fail('tool_call_not_found', 'There is no such tool call.');
  end if;
  select * into permission from tool_permissions where id = call.permission_id;

  reason := case
    when mine.generation is distinct from p_generation then 'stale'
    when mine.status <> 'active' then 'ended'
    when call.state in ('succeeded', 'failed', 'refused', 'unknown') then 'already_finished'
    when call.state = 'running' and not (p_allow_restart and call.generation < p_generation) then 'already_started'
    when call.requires_permission and permission.status is distinct from 'allowed' then 'not_allowed'
    when p_arguments_hash is distinct from coalesce(permission.edited_hash, call.arguments_hash) then 'hash_mismatch'
  end;
  if reason is not null then
    return jsonb_build_object('started', false, 'reason', reason, 'call', floorwalker.call_row(call));
  end if;

  update tool_calls set state = 'running', started_at = clock_timestamp(), generation = p_generation
  where id = call.id returning * into call;
  return jsonb_build_object('started', true, 'call', floorwalker.call_row(call));
end
$$;

create function public.finish_tool_call(
  p_interaction_id uuid, p_generation bigint, p_call_id text, p_state text, p_output text default null,
  p_error jsonb default null, p_duration_ms integer default null, p_refusal_reason text default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  call tool_calls;
begin
  select * into call from tool_calls where interaction_id = mine.id and call_id = p_call_id for update;
  if not found then
    perform floorwalker.fail('tool_call_not_found', 'There is no such tool call.');
  end if;
  if call.state in ('succeeded', 'failed', 'refused', 'unknown') then
    return jsonb_build_object('call', floorwalker.call_row(call), 'already', true);
  end if;
  if p_state = 'succeeded' and call.state <> 'running' then
    perform floorwalker.fail('tool_call_not_started', 'A call that never started can have no result.');
  end if;

  update tool_permissions set status = 'withdrawn', responded_at = clock_timestamp()
  where id = call.permission_id and status = 'pending' and expires_at > clock_timestamp();
  update tool_permissions set status = 'timeout', supervisor_response = 'timeout', responded_at = clock_timestamp()
  where id = call.permission_id and status = 'pending';
  update tool_calls set state = p_state, output = p_output, error = p_error, duration_ms = p_duration_ms,
    refusal_reason = case when p_state = 'refused' then coalesce(p_refusal_reason, 'policy') end,
    finished_at = clock_timestamp()
  where id = call.id returning * into call;
  return jsonb_build_object('call', floorwalker.call_row(call), 'already', false);
end
$$;

-- Times out what is due. Permissions of an interaction that is being written to are left to the next round.
create function public.expire_permissions() returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  due record;
  expired integer := 0;
  changed integer;
begin
  if not exists (select from tool_permissions where status = 'pending' and expires_at <= clock_timestamp()) then
    return 0;
  end if;
  for due in
    select i.id from interactions i
    where exists (select from tool_permissions p where p.interaction_id = i.id and p.status = 'pending' and p.expires_at <= clock_timestamp())
    order by i.agent_id, i.id for update skip locked
  loop
    update tool_permissions set status = 'timeout', supervisor_response = 'timeout', responded_at = clock_timestamp()
    where interaction_id = due.id and status = 'pending' and expires_at <= clock_timestamp();
    get diagnostics changed = row_count;
    expired := expired + changed;
  end loop;
  return expired;
end
$$;

create function public.withdraw_permissions(
  p_interaction_id uuid, p_generation bigint, p_call_id text default null, p_reason text default null
) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  withdrawn integer;
begin
  update tool_permissions set status = 'withdrawn', responded_at = clock_timestamp(), note = left(p_reason, 2000)
  where interaction_id = mine.id and status = 'pending' and expires_at > clock_timestamp()
    and (p_call_id is null or call_id = p_call_id);
  get diagnostics withdrawn = row_count;
  return withdrawn;
end
$$;

-- Compare-and-set under the row's lock: of an answer, a time-out and a withdrawal exactly one wins, and who comes
-- later is told which.
create function public.decide_permission(
  p_permission_id uuid, p_decision text, p_note text default null, p_arguments jsonb default null, p_arguments_hash text default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  permission tool_permissions;
  mine interactions;
  outcome text;
  edited boolean := p_decision = 'allowed' and p_arguments is not null and p_arguments <> 'null';
begin
  if p_decision is null or p_decision not in ('allowed', 'denied') then
    perform floorwalker.fail('invalid_decision', 'A decision is "allowed" or "denied".');
  end if;
  if edited and (p_arguments_hash is null or jsonb_typeof(p_arguments) <> 'object') then
    perform floorwalker.fail('invalid_decision', 'Edited arguments are an object and come with their hash.');
  end if;

  select i.* into mine from tool_permissions p join interactions i on i.id = p.interaction_id where p.id = p_permission_id;
  -- Someone who may not even see it is not told that it exists; another supervisor of the business is.
  if not found or mine.business_id is distinct from (floorwalker.actor()).business_id then
    perform floorwalker.fail('permission_not_found', 'There is no such permission request.');
  end if;
  if not floorwalker.reaches_agent(mine.agent_id) then
    perform floorwalker.fail('not_allowed_to_decide',
      'Only the agent''s supervisor, its cover or an admin of the business can decide this.');
  end if;

  perform 1 from interactions where id = mine.id for update;
  select * into permission from tool_permissions where id = p_permission_id for update;
  outcome := case when permission.status = 'pending' and permission.expires_at <= clock_timestamp() then 'timeout'
    else permission.status end;
  if outcome <> 'pending' then
    perform floorwalker.fail('permission_already_decided', format('This request is already settled: %s.', outcome),
      jsonb_build_object('status', outcome, 'decided_by', permission.decided_by,
        'decided_by_name', (select name from users where id = permission.decided_by),
        'responded_at', coalesce(permission.responded_at, permission.expires_at)));
  end if;

  update tool_permissions set
    status = p_decision, supervisor_response = p_decision, responded_at = clock_timestamp(), decided_by = auth.uid(),
    note = left(p_note, 2000),
    edited_arguments = case when edited and p_arguments_hash <> arguments_hash then p_arguments end,
    edited_hash = case when edited and p_arguments_hash <> arguments_hash then p_arguments_hash end
  where id = permission.id returning * into permission;
  perform floorwalker.audit(mine.business_id, 'permission.decided', 'tool_permissions', permission.id::text,
    jsonb_build_object('interaction_id', mine.id, 'tool_name', permission.tool_name, 'decision', p_decision,
      'arguments_hash', permission.arguments_hash, 'edited_hash', permission.edited_hash));
  return jsonb_build_object('permission', to_jsonb(permission)
    || jsonb_build_object('decided_by_name', (select name from users where id = permission.decided_by)));
end
$$;

-- What nobody has answered in time goes to the cover and the admins too. Each request is returned once; one whose
-- row is busy right now waits for the next round.
create function public.escalate_requests(p_after_seconds numeric) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  before timestamptz := clock_timestamp() - make_interval(secs => p_after_seconds::double precision);
  escalated jsonb;
begin
  with permissions as (
    update tool_permissions set escalated_at = clock_timestamp()
    where id in (select id from tool_permissions
      where status = 'pending' and escalated_at is null and requested_at <= before for update skip locked)
    returning id, interaction_id
  ), requests as (
    update interactions set supervisor_request_escalated_at = clock_timestamp()
    where id in (select id from interactions
      where status = 'active' and control = 'agent' and supervisor_requested_at <= before
        and supervisor_request_escalated_at is null for update skip locked)
    returning id
  )
  select coalesce(jsonb_agg(e), '[]') into escalated from (
    select jsonb_build_object('interaction_id', interaction_id, 'permission_id', id) as e from permissions
    union all select jsonb_build_object('interaction_id', id, 'permission_id', null) from requests
  ) all_requests;
  return escalated;
end
$$;
