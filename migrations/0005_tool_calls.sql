-- The ledger of tool calls, and the permission some of them wait for. States are drawn in docs/state-machines.md.

create table public.tool_calls (
  id uuid primary key default gen_random_uuid(),
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  call_id text not null check (length(call_id) between 1 and 200),
  tool_name text not null check (length(tool_name) between 1 and 200),
  arguments jsonb not null default '{}',
  arguments_hash text not null,
  definition_hash text,
  requires_permission boolean not null default false,
  permission_id uuid,
  state text not null check (state in
    ('requested', 'awaiting_permission', 'running', 'succeeded', 'failed', 'refused', 'unknown')),
  refusal_reason text check (refusal_reason in ('denied', 'timeout', 'withdrawn', 'policy')),
  output text,
  error jsonb,
  idempotency_key text not null,
  generation bigint not null,
  requested_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  duration_ms integer,
  unique (interaction_id, call_id),
  check ((state = 'refused') = (refusal_reason is not null)),
  check ((state in ('succeeded', 'failed', 'refused', 'unknown')) = (finished_at is not null)),
  check (state not in ('running', 'succeeded') or started_at is not null)
);

create index idx_tool_calls_open on public.tool_calls (interaction_id)
  where state in ('requested', 'awaiting_permission', 'running');

create table public.tool_permissions (
  id uuid primary key default gen_random_uuid(),
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  tool_call_id uuid not null unique references public.tool_calls (id) on delete restrict,
  call_id text not null,
  tool_name text not null,
  tool_description text,
  arguments jsonb not null default '{}',
  arguments_hash text not null,
  edited_arguments jsonb,
  edited_hash text,
  requested_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  escalated_at timestamptz,
  supervisor_response text check (supervisor_response in ('allowed', 'denied', 'timeout')),
  responded_at timestamptz,
  decided_by uuid references public.users (id) on delete restrict,
  note text check (length(note) <= 2000),
  status text not null default 'pending' check (status in ('pending', 'allowed', 'denied', 'timeout', 'withdrawn')),
  created_at timestamptz not null default clock_timestamp(),
  check ((status in ('allowed', 'denied')) = (decided_by is not null)),
  check ((status = 'pending') = (responded_at is null)),
  check (supervisor_response is not distinct from case when status in ('pending', 'withdrawn') then null else status end),
  check ((edited_arguments is null) = (edited_hash is null)),
  check (edited_arguments is null or status = 'allowed')
);

create index idx_tool_permissions_interaction_id on public.tool_permissions (interaction_id);
create index idx_tool_permissions_status on public.tool_permissions (status);
create index idx_tool_permissions_requested_at on public.tool_permissions (requested_at desc);
create index idx_tool_permissions_due on public.tool_permissions (expires_at) where status = 'pending';

alter table public.tool_calls add constraint tool_calls_permission_id_fkey
  foreign key (permission_id) references public.tool_permissions (id) on delete restrict deferrable initially deferred;

-- A decision is for ever: what was allowed or refused can't be turned into anything else afterwards.
create function floorwalker.keep_decision() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if old.status <> 'pending' and (new.status, new.edited_hash, new.arguments_hash, new.decided_by)
      is distinct from (old.status, old.edited_hash, old.arguments_hash, old.decided_by) then
    perform floorwalker.fail('permission_already_decided', 'This permission has been decided.',
      jsonb_build_object('status', old.status));
  end if;
  return new;
end
$$;

create trigger keep_decision before update on public.tool_permissions
  for each row execute function floorwalker.keep_decision();

-- An interaction is paused exactly while a permission of it is pending. Callers hold the interaction's row lock,
-- so two decisions at once can't each see the other's permission as still pending.
create function floorwalker.refresh_paused() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform 1 from interactions where id = new.interaction_id for update;
  update interactions i set paused = pending.any_left
  from (select exists (select from tool_permissions p
          where p.interaction_id = new.interaction_id and p.status = 'pending') as any_left) pending
  where i.id = new.interaction_id and i.paused <> pending.any_left;
  return null;
end
$$;

create trigger refresh_paused_insert after insert on public.tool_permissions
  for each row execute function floorwalker.refresh_paused();
create trigger refresh_paused after update of status on public.tool_permissions
  for each row when (old.status is distinct from new.status) execute function floorwalker.refresh_paused();
