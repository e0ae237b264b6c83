-- "Allow for this interaction" can be taken back: the next call asks again, and one that it let through and that has not
-- begun does not run. What was allowed by the decision itself stands.

alter table public.tool_permissions
  add column scope_revoked_at timestamptz,
  add column scope_revoked_by uuid references public.users (id) on delete restrict,
  add constraint tool_permissions_scope_revoked check (scope_revoked_at is null or scope is not null);

create function floorwalker.grant_revoked(p_grant_id uuid) returns boolean
  language sql stable security definer set search_path = public, pg_temp
as $$
  select exists (
    select from tool_grants g join tool_permissions p on p.id = g.permission_id
    where g.id = p_grant_id and p.scope_revoked_at is not null)
$$;
revoke all on function floorwalker.grant_revoked(uuid) from public, anon, authenticated, service_role;

create or replace function public.request_tool_call(p_call jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions := floorwalker.lock_interaction((p_call ->> 'interaction_id')::uuid, (p_call ->> 'generation')::bigint);
  call tool_calls;
  permission tool_permissions;
  gated boolean;
  refused text := p_call ->> 'refused_reason';
  row_name text := coalesce(p_call ->> 'row_name', p_call ->> 'tool_name');
  wanted jsonb := coalesce(p_call -> 'arguments', '{}');
  rules jsonb;
  said jsonb;
  granted tool_grants;
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

  rules := floorwalker.rules_of(mine, row_name);
  if refused is null then
    said := floorwalker.tool_policy(rules, mine, p_call ->> 'tool_name', p_call ->> 'call_id', wanted);
  end if;
  if said ->> 'effect' = 'forbid' then
    refused := 'policy';
  end if;
  -- The agent's row can close a gate that the session thinks open, never the other way round; a rule that allows opens
  -- the row's gate, and not one that stands because nobody has seen the tool yet.
  gated := refused is null and case said ->> 'effect'
    when 'ask' then true
    when 'allow' then coalesce((p_call ->> 'must_ask')::boolean, false)
    else coalesce((p_call ->> 'requires_permission')::boolean, true) or exists (
      select from agent_tools t where t.agent_id = mine.agent_id and t.tool_name in (row_name, p_call ->> 'tool_name')
        and t.requires_permission)
    end;
  -- What a person allowed for this interaction needs no second question, unless a sum is what asks it.
  if gated and not coalesce((said ->> 'sums')::boolean, false) then
    select * into granted from tool_grants g
    where g.interaction_id = mine.id and g.tool_name = p_call ->> 'tool_name' and not floorwalker.grant_revoked(g.id)
      and floorwalker.grant_covers(g, p_call ->> 'definition_hash', wanted)
    order by g.created_at limit 1;
    gated := granted.id is null;
  end if;

  insert into tool_calls (interaction_id, call_id, tool_name, arguments, arguments_hash, definition_hash,
    requires_permission, state, refusal_reason, idempotency_key, generation, finished_at, row_name, policy, grant_id)
  values (mine.id, p_call ->> 'call_id', p_call ->> 'tool_name', wanted,
    p_call ->> 'arguments_hash', p_call ->> 'definition_hash', gated,
    case when refused is not null then 'refused' when gated then 'awaiting_permission' else 'requested' end,
    refused, p_call ->> 'idempotency_key', mine.generation, case when refused is not null then clock_timestamp() end,
    nullif(row_name, p_call ->> 'tool_name'), said - 'sums', granted.id)
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
$function$
;

create or replace function public.start_tool_call(p_interaction_id uuid, p_generation bigint, p_call_id text, p_arguments_hash text, p_allow_restart boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  mine interactions;
  call tool_calls;
  permission tool_permissions;
  reason text;
  said jsonb;
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
  -- An approver's edit, and what happened since the request, meet the rules again.
  if reason is null then
    said := floorwalker.tool_policy(floorwalker.rules_of(mine, coalesce(call.row_name, call.tool_name)), mine, call.tool_name,
      call.call_id, coalesce(permission.edited_arguments, call.arguments));
    if said ->> 'effect' = 'forbid' then
      update tool_calls set policy = said - 'sums' where id = call.id returning * into call;
      reason := 'policy';
    elsif not call.requires_permission and floorwalker.grant_revoked(call.grant_id) then
      -- It was let through on the strength of an allowance that has been taken back since, and has not begun.
      update tool_calls set policy = jsonb_build_object('effect', 'forbid', 'rule', null,
        'because', 'A supervisor took back that this may be done without asking; request it again.')
      where id = call.id returning * into call;
      reason := 'policy';
    end if;
  end if;
  if reason is not null then
    return jsonb_build_object('started', false, 'reason', reason, 'call', floorwalker.call_row(call));
  end if;

  update tool_calls set state = 'running', started_at = clock_timestamp(), generation = p_generation
  where id = call.id returning * into call;
  return jsonb_build_object('started', true, 'call', floorwalker.call_row(call));
end
$function$
;

create function public.revoke_grant(p_permission_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  permission tool_permissions;
  mine interactions;
begin
  select i.* into mine from tool_permissions p join interactions i on i.id = p.interaction_id where p.id = p_permission_id;
  if not found or mine.business_id is distinct from (floorwalker.actor()).business_id then
    perform floorwalker.fail('permission_not_found', 'There is no such permission request.');
  end if;
  if not floorwalker.reaches_agent(mine.agent_id) then
    perform floorwalker.fail('not_allowed_to_decide',
      'Only the agent''s supervisor, its cover or an admin of the business can decide this.');
  end if;
  -- Under the lock that requests and starts of calls take: whatever comes later finds it taken back.
  perform 1 from interactions where id = mine.id for update;
  select * into permission from tool_permissions where id = p_permission_id for update;
  if permission.scope is null then
    perform floorwalker.fail('grant_not_found', 'This decision allowed one call only.');
  end if;
  -- Taking back twice is one wish; the first who did it stands.
  if permission.scope_revoked_at is null then
    update tool_permissions set scope_revoked_at = clock_timestamp(), scope_revoked_by = auth.uid()
    where id = permission.id returning * into permission;
    perform floorwalker.audit(mine.business_id, 'permission.revoked', 'tool_permissions', permission.id::text,
      jsonb_build_object('interaction_id', mine.id, 'tool_name', permission.tool_name, 'scope', permission.scope));
  end if;
  return jsonb_build_object('permission', to_jsonb(permission)
    || jsonb_build_object('decided_by_name', (select name from users where id = permission.decided_by)));
end
$$;
revoke all on function public.revoke_grant(uuid) from public, anon, service_role;
grant execute on function public.revoke_grant(uuid) to authenticated;
