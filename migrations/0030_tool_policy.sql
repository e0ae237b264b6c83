-- Permission as policy: rules in a tool's tool_config that allow, ask or forbid, and "allow for this interaction" as a
-- recorded choice of a person. Both are decided here, under the interaction's lock, by the rows themselves: a worker with
-- an old copy of a rule can't run what the rule forbids now.

alter table public.tool_calls
  -- The row of agent_tools that the tool comes from, where one row stands for several tools.
  add column row_name text,
  -- What the rules said: {"effect", "rule" (its place, from 0), "because"}.
  add column policy jsonb,
  add column grant_id uuid;

alter table public.tool_permissions add column scope jsonb
  check (scope is null or (jsonb_typeof(scope) = 'object' and status = 'allowed'));

create table public.tool_grants (
  id uuid primary key default gen_random_uuid(),
  interaction_id uuid not null references public.interactions (id) on delete cascade,
  permission_id uuid not null unique references public.tool_permissions (id) on delete cascade,
  tool_name text not null,
  -- Of the tool as it was approved: an edited tool is another one.
  definition_hash text not null,
  arguments jsonb not null,
  argument_range jsonb not null default '{}' check (jsonb_typeof(argument_range) = 'object'),
  granted_by uuid not null references public.users (id) on delete restrict,
  created_at timestamptz not null default clock_timestamp()
);
create index idx_tool_grants_interaction_id on public.tool_grants (interaction_id);
alter table public.tool_grants enable row level security;
revoke all on public.tool_grants from public, anon, authenticated, service_role;
grant select on public.tool_grants to authenticated, service_role;
create policy reachable on public.tool_grants for select to authenticated using (exists (
  select from public.interactions i where i.id = interaction_id and i.agent_id = any ((select floorwalker.visible_agents())::uuid[])));
alter table public.tool_calls add constraint tool_calls_grant_id_fkey
  foreign key (grant_id) references public.tool_grants (id) on delete set null;

-- A number, also one that is written as text; null for anything else.
create function floorwalker.as_number(p_value jsonb) returns numeric
  language sql immutable set search_path = public, pg_temp
as $$
  select case
    when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::numeric
    when jsonb_typeof(p_value) = 'string' and length(p_value #>> '{}') <= 40 and (p_value #>> '{}') ~ '^\s*-?\d+(\.\d+)?\s*$'
      then (p_value #>> '{}')::numeric
  end
$$;

-- One condition on one value: true, false, or null where it can't be told.
create function floorwalker.condition_holds(p_condition jsonb, p_value jsonb) returns boolean
  language plpgsql immutable set search_path = public, pg_temp
as $$
declare
  holds boolean := true;
  amount numeric := floorwalker.as_number(p_value);
begin
  if p_condition ? 'present' then
    holds := holds and ((p_value is not null and p_value <> 'null') = (p_condition ->> 'present')::boolean);
  end if;
  if p_condition ? 'equals' then
    holds := holds and coalesce(p_value, 'null') = p_condition -> 'equals';
  end if;
  if p_condition ? 'one_of' then
    holds := holds and (p_condition -> 'one_of') @> jsonb_build_array(coalesce(p_value, 'null'));
  end if;
  if p_condition ? 'above' then
    holds := holds and amount > (p_condition ->> 'above')::numeric;
  end if;
  if p_condition ? 'at_most' then
    holds := holds and amount <= (p_condition ->> 'at_most')::numeric;
  end if;
  return holds;
end
$$;

-- What a tool has moved so far, this call included; null where one of the calls has no amount that can be read.
create function floorwalker.tool_total(
  p_mine public.interactions, p_tool_name text, p_call_id text, p_argument text, p_own jsonb, p_over text, p_of text
) returns numeric
  language sql stable security definer set search_path = public, pg_temp
as $$
  select case when floorwalker.as_number(p_own) is null or coalesce(bool_or(amount is null), false) then null
    else coalesce(sum(amount), 0) + floorwalker.as_number(p_own) end
  from (
    select floorwalker.as_number(coalesce(p.edited_arguments, c.arguments) -> p_argument) as amount
    from tool_calls c
    join interactions i on i.id = c.interaction_id
    left join tool_permissions p on p.id = c.permission_id
    where c.tool_name = p_tool_name
      and not (c.interaction_id = p_mine.id and c.call_id = p_call_id)
      and c.state in ('requested', 'awaiting_permission', 'running', 'succeeded', 'unknown')
      and case when p_over = 'interaction' then c.interaction_id = p_mine.id
        else i.business_id = p_mine.business_id
          -- Those whom nobody knows count as one: a new chat is no new allowance.
          and (p_of = 'business' or i.customer_id is not distinct from p_mine.customer_id)
          and c.requested_at >= (select date_trunc('day', clock_timestamp() at time zone b.time_zone) at time zone b.time_zone
            from businesses b where b.id = p_mine.business_id)
        end
  ) earlier
$$;

create function floorwalker.rule_applies(
  p_when jsonb, p_effect text, p_mine public.interactions, p_tool_name text, p_call_id text, p_arguments jsonb
) returns boolean
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  -- What can't be told counts against the call: it meets a rule that asks or forbids, and none that allows.
  in_doubt boolean := p_effect <> 'allow';
  item record;
  total numeric;
  here timestamp;
  bounds jsonb;
begin
  for item in select key, value from jsonb_each(coalesce(p_when -> 'arguments', '{}')) loop
    if not coalesce(floorwalker.condition_holds(item.value, p_arguments -> item.key), in_doubt) then
      return false;
    end if;
  end loop;
  for item in select key, value from jsonb_each(p_when) where key in ('interaction_total', 'day_total') loop
    total := floorwalker.tool_total(p_mine, p_tool_name, p_call_id, item.value ->> 'argument',
      p_arguments -> (item.value ->> 'argument'), replace(item.key, '_total', ''), coalesce(item.value ->> 'of', 'customer'));
    if not coalesce(floorwalker.condition_holds(item.value - 'argument' - 'of', to_jsonb(total)), in_doubt) then
      return false;
    end if;
  end loop;
  if p_when ? 'customer' and not (p_when -> 'customer') ? (case
      when p_mine.phone_number is null then 'unknown'
      when p_mine.phone_source in ('sip', 'verified') then 'verified' else 'claimed' end) then
    return false;
  end if;
  bounds := p_when -> 'time';
  if bounds is not null then
    select clock_timestamp() at time zone b.time_zone into here from businesses b where b.id = p_mine.business_id;
    if bounds ? 'days' and not (bounds -> 'days') ? lower(to_char(here, 'Dy')) then
      return false;
    end if;
    if bounds ? 'from' and not (case when (bounds ->> 'from')::time <= (bounds ->> 'to')::time
        then here::time >= (bounds ->> 'from')::time and here::time < (bounds ->> 'to')::time
        else here::time >= (bounds ->> 'from')::time or here::time < (bounds ->> 'to')::time end) then
      return false;
    end if;
  end if;
  return true;
end
$$;

-- The first rule that applies: {"effect", "rule", "because", "sums"}; null when none does. A rule that can't be read forbids.
create function floorwalker.tool_policy(
  p_rules jsonb, p_mine public.interactions, p_tool_name text, p_call_id text, p_arguments jsonb
) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  item record;
  sums boolean;
begin
  if p_rules is null then
    return null;
  end if;
  for item in select value as rule, ordinality - 1 as place from jsonb_array_elements(p_rules) with ordinality loop
    sums := (item.rule -> 'when') ?| array['interaction_total', 'day_total'];
    if item.rule ->> 'effect' in ('allow', 'ask', 'forbid') and floorwalker.rule_applies(coalesce(item.rule -> 'when', '{}'),
        item.rule ->> 'effect', p_mine, p_tool_name, p_call_id, p_arguments) then
      return jsonb_build_object('effect', item.rule ->> 'effect', 'rule', item.place, 'because', item.rule ->> 'because',
        'sums', coalesce(sums, false));
    end if;
  end loop;
  return null;
exception when others then
  return jsonb_build_object('effect', 'forbid', 'rule', null, 'because', 'The rules of this tool can not be read.', 'sums', false);
end
$$;

-- The rules of a tool as its row has them now. Sums over a day are taken one call after the other.
create function floorwalker.rules_of(p_mine public.interactions, p_row_name text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  rules jsonb;
begin
  select t.tool_config -> 'policy' into rules from agent_tools t
  where t.agent_id = p_mine.agent_id and t.tool_name = p_row_name;
  if jsonb_path_exists(coalesce(rules, '[]'), '$[*].when.day_total') then
    perform pg_advisory_xact_lock(hashtextextended(p_mine.business_id || ':' || p_row_name, 6));
  end if;
  return rules;
end
$$;

-- Whether a grant covers a call: an argument that its range does not name must be as it was approved.
create function floorwalker.grant_covers(p_grant public.tool_grants, p_definition_hash text, p_arguments jsonb) returns boolean
  language sql immutable set search_path = public, pg_temp
as $$
  select p_grant.definition_hash is not distinct from p_definition_hash and not exists (
    select from (select jsonb_object_keys(p_grant.arguments) union select jsonb_object_keys(p_arguments)) names (name)
    where not coalesce(case
      when p_grant.argument_range -> name ? 'any' then true
      when p_grant.argument_range -> name ? 'one_of' then (p_grant.argument_range -> name -> 'one_of') @> jsonb_build_array(p_arguments -> name)
      when p_grant.argument_range -> name ? 'at_most' then floorwalker.as_number(p_arguments -> name)
        between 0 and (p_grant.argument_range -> name ->> 'at_most')::numeric
      else coalesce(p_arguments -> name, 'null') = coalesce(p_grant.arguments -> name, 'null') end, false))
$$;

-- A range is small and typed, and never narrower than what was approved with it.
create function floorwalker.check_scope(p_scope jsonb, p_arguments jsonb) returns void
  language plpgsql immutable set search_path = public, pg_temp
as $$
declare
  item record;
  fits boolean;
begin
  fits := jsonb_typeof(p_scope) = 'object' and p_scope ->> 'kind' = 'interaction'
    and jsonb_typeof(coalesce(p_scope -> 'arguments', '{}')) = 'object';
  if fits then
    for item in select key, value from jsonb_each(coalesce(p_scope -> 'arguments', '{}')) loop
      fits := fits and (select count(*) = 1 from jsonb_object_keys(item.value)) and coalesce(case
        when item.value ? 'any' then item.value -> 'any' = 'true'
        when item.value ? 'one_of' then jsonb_typeof(item.value -> 'one_of') = 'array'
          and (item.value -> 'one_of') @> jsonb_build_array(coalesce(p_arguments -> item.key, 'null'))
        when item.value ? 'at_most' then floorwalker.as_number(p_arguments -> item.key)
          between 0 and floorwalker.as_number(item.value -> 'at_most')
        end, false);
    end loop;
  end if;
  if not coalesce(fits, false) then
    perform floorwalker.fail('invalid_decision',
      'The scope is {"kind": "interaction", "arguments": {name: {"any": true} | {"at_most": number} | {"one_of": [values]}}}, and covers what is approved.');
  end if;
end
$$;

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
    where g.interaction_id = mine.id and g.tool_name = p_call ->> 'tool_name'
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

drop function public.decide_permission(uuid, text, text, jsonb, text);
create or replace function public.decide_permission(p_permission_id uuid, p_decision text, p_note text DEFAULT NULL::text, p_arguments jsonb DEFAULT NULL::jsonb, p_arguments_hash text DEFAULT NULL::text, p_scope jsonb DEFAULT NULL::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  permission tool_permissions;
  mine interactions;
  outcome text;
  effective jsonb;
  scoped boolean := p_scope is not null and p_scope <> 'null';
  edited boolean := p_decision = 'allowed' and p_arguments is not null and p_arguments <> 'null';
begin
  if p_decision is null or p_decision not in ('allowed', 'denied') then
    perform floorwalker.fail('invalid_decision', 'A decision is "allowed" or "denied".');
  end if;
  if edited and (p_arguments_hash is null or jsonb_typeof(p_arguments) <> 'object') then
    perform floorwalker.fail('invalid_decision', 'Edited arguments are an object and come with their hash.');
  end if;

  if scoped and p_decision <> 'allowed' then
    perform floorwalker.fail('invalid_decision', 'Only what is allowed can be allowed for the interaction.');
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

  effective := case when edited then p_arguments else permission.arguments end;
  if scoped then
    perform floorwalker.check_scope(p_scope, effective);
  end if;
  update tool_permissions set
    status = p_decision, supervisor_response = p_decision, responded_at = clock_timestamp(), decided_by = auth.uid(),
    note = left(p_note, 2000), scope = case when scoped then p_scope end,
    edited_arguments = case when edited and p_arguments_hash <> arguments_hash then p_arguments end,
    edited_hash = case when edited and p_arguments_hash <> arguments_hash then p_arguments_hash end
  where id = permission.id returning * into permission;
  if scoped then
    insert into tool_grants (interaction_id, permission_id, tool_name, definition_hash, arguments, argument_range, granted_by)
    select mine.id, permission.id, permission.tool_name, coalesce(c.definition_hash, ''), effective,
      coalesce(p_scope -> 'arguments', '{}'), auth.uid()
    from tool_calls c where c.id = permission.tool_call_id;
  end if;
  perform floorwalker.audit(mine.business_id, 'permission.decided', 'tool_permissions', permission.id::text,
    jsonb_build_object('interaction_id', mine.id, 'tool_name', permission.tool_name, 'decision', p_decision,
      'arguments_hash', permission.arguments_hash, 'edited_hash', permission.edited_hash, 'scope', permission.scope));
  return jsonb_build_object('permission', to_jsonb(permission)
    || jsonb_build_object('decided_by_name', (select name from users where id = permission.decided_by)));
end
$function$
;

revoke all on function public.decide_permission(uuid, text, text, jsonb, text, jsonb) from public, anon, service_role;
grant execute on function public.decide_permission(uuid, text, text, jsonb, text, jsonb) to authenticated;
revoke all on function floorwalker.as_number(jsonb), floorwalker.condition_holds(jsonb, jsonb),
  floorwalker.tool_total(public.interactions, text, text, text, jsonb, text, text),
  floorwalker.rule_applies(jsonb, text, public.interactions, text, text, jsonb),
  floorwalker.tool_policy(jsonb, public.interactions, text, text, jsonb), floorwalker.rules_of(public.interactions, text),
  floorwalker.grant_covers(public.tool_grants, text, jsonb), floorwalker.check_scope(jsonb, jsonb)
  from public, anon, authenticated, service_role;
