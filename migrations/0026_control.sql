-- A person takes a conversation over, whispers to the agent, hands back; and what a customer gets when no person
-- is there. The row is the truth: the agent's session reads it, and nobody speaks who is not named in it.

alter table public.interactions
  -- Beside the id, because supervisors may not read one another's rows in users.
  add column controlled_by_name text,
  add column supervisor_request_answered_at timestamptz;

-- Whoever gives control back or ends an interaction need not know which columns go with it.
create function floorwalker.keep_control() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if new.control = 'agent' then
    new.controlled_by := null;
    new.controlled_by_name := null;
  end if;
  new.control_changed_at := clock_timestamp();
  return new;
end
$$;

create trigger keep_control before update of control, controlled_by on public.interactions
  for each row when (old.control is distinct from new.control or old.controlled_by is distinct from new.controlled_by)
  execute function floorwalker.keep_control();

-- What a supervisor tells the agent in confidence. Kept after delivery: a session that recovers the interaction
-- must know it too.
create table public.whispers (
  id uuid primary key default gen_random_uuid(),
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  kind text not null default 'whisper' check (kind in ('whisper', 'hand_back')),
  content text not null check (length(content) between 1 and 2000),
  by_id uuid not null references public.users (id) on delete restrict,
  by_name text not null,
  created_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz
);

create index idx_whispers_waiting on public.whispers (interaction_id) where delivered_at is null;
create index idx_whispers_interaction on public.whispers (interaction_id, created_at);

create table public.callback_requests (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  agent_id uuid not null references public.agents (id) on delete restrict,
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  kind text not null default 'live' check (kind in ('live', 'rehearsal')),
  phone_number text not null check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  reason text not null check (length(reason) between 1 and 1000),
  -- In the customer's own words; "after five" means something only to a person.
  preferred_time text check (length(preferred_time) <= 200),
  requested_at timestamptz not null default clock_timestamp(),
  done_at timestamptz,
  done_by uuid references public.users (id) on delete restrict,
  done_by_name text,
  note text check (length(note) <= 2000),
  check ((done_at is null) = (done_by is null))
);

-- A customer who corrects the number or the time has still asked for one call.
create unique index idx_callback_requests_open on public.callback_requests (interaction_id) where done_at is null;
create index idx_callback_requests_agent on public.callback_requests (agent_id, requested_at desc);
create index idx_callback_requests_business on public.callback_requests (business_id, requested_at desc);

do $$
declare
  name text;
begin
  foreach name in array array['whispers', 'callback_requests'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on table public.%I from public, anon, authenticated', name);
    execute format('grant select on table public.%I to authenticated', name);
    execute format('grant select, insert, update, delete on table public.%I to service_role', name);
  end loop;
end
$$;

create policy reachable on public.whispers for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
create policy reachable on public.callback_requests for select to authenticated
  using (agent_id = any ((select floorwalker.visible_agents())::uuid[]));

-- What an interaction contained goes with it, whoever purges it.
create function floorwalker.purge_supervision() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  delete from whispers where interaction_id = new.id;
  delete from callback_requests where interaction_id = new.id;
  return null;
end
$$;

create trigger purge_supervision after update of purged_at on public.interactions
  for each row when (old.purged_at is null and new.purged_at is not null) execute function floorwalker.purge_supervision();

create function floorwalker.trace(p_interaction_id uuid, p_step_type text, p_input jsonb, p_output jsonb) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into interaction_steps (interaction_id, step_id, step_type, input, output)
  values (p_interaction_id, p_step_type || ':' || gen_random_uuid(), p_step_type, p_input, p_output)
$$;

create function floorwalker.active_interaction_for_actor(p_interaction_id uuid) returns public.interactions
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.interaction_for_actor(p_interaction_id);
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_not_active', 'Only in a conversation that is going on.',
      jsonb_build_object('status', mine.status));
  end if;
  return mine;
end
$$;

-- Compare-and-set under the row's lock: of several who try at once one has control and the others are told who.
-- For whoever has it already it only says so again: their page was reloaded.
create function public.take_over(p_interaction_id uuid, p_insist boolean default false) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
  me users := floorwalker.actor();
  before_id uuid := mine.controlled_by;
  before_name text := mine.controlled_by_name;
begin
  if before_id = me.id then
    return floorwalker.public_row(mine) || jsonb_build_object('taken_from', null);
  end if;
  if before_id is not null and not (coalesce(p_insist, false) and me.role = 'admin') then
    perform floorwalker.fail('control_held', format('%s has this conversation.', before_name),
      jsonb_build_object('controlled_by', before_id, 'controlled_by_name', before_name, 'since', mine.control_changed_at));
  end if;
  update interactions set control = 'supervisor', controlled_by = me.id, controlled_by_name = me.name,
    supervisor_request_answered_at = case when supervisor_requested_at is not null
      then coalesce(supervisor_request_answered_at, clock_timestamp()) end
  where id = mine.id returning * into mine;
  perform floorwalker.trace(mine.id, 'takeover', jsonb_build_object('insisted', before_id is not null),
    jsonb_build_object('by', me.id, 'by_name', me.name, 'from', before_id, 'from_name', before_name));
  perform floorwalker.audit(mine.business_id, 'interaction.takeover', 'interactions', mine.id::text,
    jsonb_build_object('from', before_id, 'from_name', before_name, 'insisted', before_id is not null));
  return floorwalker.public_row(mine) || jsonb_build_object('taken_from', before_id);
end
$$;

create function floorwalker.check_whisper(p_text text) returns text
  language plpgsql immutable set search_path = public, pg_temp
as $$
begin
  if coalesce(btrim(p_text), '') = '' or length(p_text) > 2000 then
    perform floorwalker.fail('invalid_whisper', 'What the agent is told has 1 to 2,000 characters.');
  end if;
  return btrim(p_text);
end
$$;

create function public.hand_back(p_interaction_id uuid, p_note text default null) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
  me users := floorwalker.actor();
  held_since timestamptz := mine.control_changed_at;
  told text := case when coalesce(btrim(p_note), '') <> '' then floorwalker.check_whisper(p_note) end;
begin
  if mine.controlled_by is distinct from me.id then
    perform floorwalker.fail('control_not_held', 'Only who has a conversation can hand it back.',
      jsonb_build_object('controlled_by', mine.controlled_by, 'controlled_by_name', mine.controlled_by_name));
  end if;
  if told is not null then
    insert into whispers (interaction_id, kind, content, by_id, by_name) values (mine.id, 'hand_back', told, me.id, me.name);
  end if;
  update interactions set control = 'agent' where id = mine.id returning * into mine;
  perform floorwalker.trace(mine.id, 'hand_back', jsonb_build_object('note', told),
    jsonb_build_object('by', me.id, 'by_name', me.name, 'since', held_since));
  perform floorwalker.audit(mine.business_id, 'interaction.handback', 'interactions', mine.id::text,
    jsonb_build_object('with_note', told is not null, 'since', held_since));
  return floorwalker.public_row(mine);
end
$$;

-- The session gives control back to the agent: its holder was gone for the whole grace period.
create function public.release_control(
  p_interaction_id uuid, p_generation bigint, p_reason text, p_controlled_by uuid default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
begin
  -- Somebody else may have taken it since the session looked.
  if mine.status <> 'active' or mine.control = 'agent' or mine.controlled_by is distinct from coalesce(p_controlled_by, mine.controlled_by) then
    return jsonb_build_object('released', false, 'control', mine.control, 'controlled_by', mine.controlled_by);
  end if;
  update interactions set control = 'agent' where id = mine.id;
  perform floorwalker.trace(mine.id, 'control_released', jsonb_build_object('reason', p_reason),
    jsonb_build_object('by', mine.controlled_by, 'by_name', mine.controlled_by_name, 'since', mine.control_changed_at));
  perform floorwalker.audit(mine.business_id, 'interaction.control_released', 'interactions', mine.id::text,
    jsonb_build_object('reason', p_reason, 'controlled_by', mine.controlled_by, 'since', mine.control_changed_at));
  return jsonb_build_object('released', true, 'control', 'agent', 'controlled_by', null);
end
$$;

create function public.whisper(p_interaction_id uuid, p_text text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
  me users := floorwalker.actor();
  told text := floorwalker.check_whisper(p_text);
  added whispers;
begin
  insert into whispers (interaction_id, content, by_id, by_name) values (mine.id, told, me.id, me.name) returning * into added;
  perform floorwalker.trace(mine.id, 'whisper', jsonb_build_object('text', told, 'whisper_id', added.id),
    jsonb_build_object('by', me.id, 'by_name', me.name));
  perform floorwalker.audit(mine.business_id, 'interaction.whisper', 'interactions', mine.id::text,
    jsonb_build_object('whisper_id', added.id));
  return floorwalker.public_row(mine) || jsonb_build_object('whisper_id', added.id);
end
$$;

-- The agent has it in its conversation. Returns how many were new to it.
create function public.take_whispers(p_interaction_id uuid, p_generation bigint, p_ids uuid[]) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  taken integer;
begin
  update whispers set delivered_at = clock_timestamp()
  where interaction_id = mine.id and id = any (p_ids) and delivered_at is null;
  get diagnostics taken = row_count;
  return taken;
end
$$;

-- Who listens is written down before they can.
create function public.monitor_interaction(p_interaction_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.active_interaction_for_actor(p_interaction_id);
begin
  perform floorwalker.audit(mine.business_id, 'interaction.monitor', 'interactions', mine.id::text);
  return floorwalker.public_row(mine);
end
$$;

-- Several people at once: those whose event stream is open at one process of the API.
create function public.touch_presences(p_user_ids uuid[]) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  touched integer;
begin
  -- In one order for all who touch several, or two batches could wait for each other.
  perform 1 from users where id = any (p_user_ids) and deleted_at is null order by id for no key update;
  update users set last_seen_at = clock_timestamp() where id = any (p_user_ids) and deleted_at is null;
  get diagnostics touched = row_count;
  return touched;
end
$$;

-- Someone who may act has had the console open within the last minute.
create function floorwalker.somebody_present(p_agent_id uuid) returns boolean
  language sql stable security definer set search_path = public, pg_temp
as $$
  select exists (
    select from agents a
    join users u on u.business_id = a.business_id and (u.role = 'admin' or u.id in (a.supervisor_id, a.cover_id))
    where a.id = p_agent_id and u.deleted_at is null and u.last_seen_at > clock_timestamp() - interval '1 minute')
$$;

create or replace function public.request_supervisor(p_interaction_id uuid, p_generation bigint, p_reason text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  -- After a takeover a new request is one of its own.
  anew boolean := mine.supervisor_request_answered_at is not null;
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  update interactions set
    supervisor_requested_at = case when anew then clock_timestamp() else coalesce(supervisor_requested_at, clock_timestamp()) end,
    supervisor_request_escalated_at = case when not anew then supervisor_request_escalated_at end,
    supervisor_request_answered_at = null,
    supervisor_request_reason = left(p_reason, 1000)
  where id = mine.id;
  return jsonb_build_object('supervisor_present', floorwalker.somebody_present(mine.agent_id));
end
$$;

-- What nobody has answered in time goes to the cover and the admins too. Each request is returned once; one whose
-- row is busy right now waits for the next round.
create or replace function public.escalate_requests(p_after_seconds numeric) returns jsonb
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
        and supervisor_request_escalated_at is null and supervisor_request_answered_at is null
      for update skip locked)
    returning id
  )
  select coalesce(jsonb_agg(e), '[]') into escalated from (
    select jsonb_build_object('interaction_id', interaction_id, 'permission_id', id) as e from permissions
    union all select jsonb_build_object('interaction_id', id, 'permission_id', null) from requests
  ) all_requests;
  perform floorwalker.trace((e ->> 'interaction_id')::uuid, 'escalated', jsonb_build_object('permission_id', e -> 'permission_id'), null)
  from jsonb_array_elements(escalated) e;
  return escalated;
end
$$;

-- One open request an interaction: asked again, the newest words count. Without a number of its own it is the
-- one the interaction has.
create function public.request_callback(
  p_interaction_id uuid, p_generation bigint, p_reason text, p_phone_number text default null, p_preferred_time text default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  number text := coalesce(nullif(btrim(p_phone_number), ''), mine.phone_number);
  wanted callback_requests;
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  if number is null then
    perform floorwalker.fail('phone_number_needed', 'A call back needs a phone number, and none is known.');
  end if;
  if number !~ '^\+[1-9][0-9]{6,14}$' then
    perform floorwalker.fail('invalid_phone_number', 'Write the number in international form, such as +31201234567.');
  end if;
  if mine.phone_number is null then
    perform public.set_phone_number(mine.id, mine.generation, number, 'claimed');
  end if;
  insert into callback_requests (business_id, agent_id, interaction_id, kind, phone_number, reason, preferred_time)
  values (mine.business_id, mine.agent_id, mine.id, mine.kind, number,
    coalesce(nullif(left(btrim(p_reason), 1000), ''), 'not said'), nullif(left(btrim(p_preferred_time), 200), ''))
  on conflict (interaction_id) where done_at is null do update set
    phone_number = excluded.phone_number, reason = excluded.reason,
    preferred_time = coalesce(excluded.preferred_time, callback_requests.preferred_time)
  returning * into wanted;
  perform floorwalker.trace(mine.id, 'callback', jsonb_build_object('reason', wanted.reason, 'preferred_time', wanted.preferred_time),
    jsonb_build_object('callback_id', wanted.id));
  return to_jsonb(wanted);
end
$$;

-- Done once; whoever comes later is shown who did it.
create function public.complete_callback(p_callback_id uuid, p_note text default null) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  wanted callback_requests;
  me users := floorwalker.actor();
begin
  select * into wanted from callback_requests
  where id = p_callback_id and agent_id = any (floorwalker.visible_agents()) for update;
  if not found then
    perform floorwalker.fail('callback_not_found', 'There is no such request.');
  end if;
  if wanted.done_at is not null then
    return to_jsonb(wanted);
  end if;
  update callback_requests set done_at = clock_timestamp(), done_by = me.id, done_by_name = me.name,
    note = nullif(left(btrim(p_note), 2000), '')
  where id = wanted.id returning * into wanted;
  perform floorwalker.audit(wanted.business_id, 'callback.done', 'callback_requests', wanted.id::text,
    jsonb_build_object('interaction_id', wanted.interaction_id));
  return to_jsonb(wanted);
end
$$;

create function floorwalker.whisper_row(p_row public.whispers) returns jsonb
  language sql immutable set search_path = public, pg_temp
as $$
  select jsonb_build_object('id', p_row.id, 'kind', p_row.kind, 'text', p_row.content, 'by_name', p_row.by_name, 'at', p_row.created_at)
$$;

create or replace function public.poll_sessions(p_leases jsonb) returns jsonb
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
      'controlled_by_name', i.controlled_by_name,
      'whispers', coalesce((select jsonb_agg(floorwalker.whisper_row(w) order by w.created_at, w.id)
        from whispers w where w.interaction_id = i.id and w.delivered_at is null), '[]'),
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

-- Whispers of earlier generations too: what was told in confidence once is known for the whole conversation.
create or replace function public.load_session(p_interaction_id uuid, p_generation bigint) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
begin
  select * into mine from interactions
  where id = p_interaction_id and generation = p_generation and status = 'active';
  if not found then
    perform floorwalker.fail('stale_generation', 'Another worker holds this interaction now, or it has ended.');
  end if;
  return jsonb_build_object(
    'now', clock_timestamp(),
    'interaction', floorwalker.public_row(mine),
    'business', (select to_jsonb(b) from businesses b where b.id = mine.business_id),
    'customer', (select to_jsonb(c) from customers c where c.id = mine.customer_id),
    'snapshot', mine.agent_snapshot,
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name)
      from agent_tools t where t.agent_id = mine.agent_id), '[]'),
    'whispers', coalesce((select jsonb_agg(floorwalker.whisper_row(w) order by w.created_at, w.id)
      from whispers w where w.interaction_id = mine.id), '[]'),
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = mine.id), '[]'),
    'calls', coalesce((select jsonb_agg(to_jsonb(c) order by c.requested_at, c.id)
      from tool_calls c where c.interaction_id = mine.id), '[]'));
end
$$;

do $$
declare
  f record;
  people constant text[] := array['take_over', 'hand_back', 'whisper', 'monitor_interaction', 'complete_callback'];
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema, p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'public' and p.proname in ('take_over', 'hand_back', 'whisper', 'monitor_interaction',
        'complete_callback', 'release_control', 'take_whispers', 'touch_presences', 'request_callback'))
      or (n.nspname = 'floorwalker' and p.proname in ('keep_control', 'purge_supervision', 'trace',
        'active_interaction_for_actor', 'check_whisper', 'somebody_present', 'whisper_row'))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to %I', f.signature,
      case when f.schema = 'public' and f.name = any (people) then 'authenticated' else 'service_role' end);
  end loop;
end
$$;
