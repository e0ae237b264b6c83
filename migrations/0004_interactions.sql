-- One row per interaction; what was said, what was done, and how it is going.

create table public.interactions (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  agent_id uuid not null references public.agents (id) on delete restrict,
  customer_id uuid references public.customers (id) on delete restrict,
  -- Unknown until the customer says it, or the phone network does.
  phone_number text check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  phone_source text check (phone_source in ('claimed', 'sip', 'verified')),
  interaction_type text not null check (interaction_type in ('voice', 'chat')),
  kind text not null default 'live' check (kind in ('live', 'rehearsal')),
  direction text not null default 'inbound' check (direction in ('inbound', 'outbound')),
  called_number text,
  provider_call_id text unique,
  livekit_room_id text not null unique,
  status text not null default 'queued' check (status in ('queued', 'active', 'completed', 'failed')),
  queued_at timestamptz not null default clock_timestamp(),
  answered_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  duration_seconds integer check (duration_seconds >= 0),
  end_reason text,
  agent_snapshot jsonb,
  disposition text check (length(disposition) <= 100),
  supervisor_notes text check (length(supervisor_notes) <= 10000),
  control text not null default 'agent' check (control in ('agent', 'supervisor')),
  controlled_by uuid references public.users (id) on delete restrict,
  control_changed_at timestamptz,
  paused boolean not null default false,
  end_requested_at timestamptz,
  end_requested_reason text,
  supervisor_requested_at timestamptz,
  supervisor_request_reason text,
  supervisor_request_escalated_at timestamptz,
  worker_id text,
  lease_until timestamptz,
  -- The fencing token: each claim raises it, each write of a session must carry it.
  generation bigint not null default 0,
  claim_attempts integer not null default 0,
  resume_token_hash text,
  origin text,
  address_hash text,
  rating integer check (rating between 1 and 5),
  rating_comment text check (length(rating_comment) <= 2000),
  purged_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default now(),
  check ((phone_number is null) = (phone_source is null)),
  check ((control = 'supervisor') = (controlled_by is not null)),
  check ((status in ('completed', 'failed')) = (ended_at is not null)),
  check (status <> 'active' or started_at is not null)
);

create index idx_interactions_agent_status on public.interactions (agent_id, status, started_at desc);
create index idx_interactions_phone_date on public.interactions (business_id, phone_number, started_at desc);
create index idx_interactions_business_created on public.interactions (business_id, created_at desc);
create index idx_interactions_customer on public.interactions (customer_id) where customer_id is not null;
create index idx_interactions_open on public.interactions (status, lease_until) where status in ('queued', 'active');
create index idx_interactions_address on public.interactions (address_hash, created_at desc) where address_hash is not null;
create index idx_interactions_retention on public.interactions (business_id, ended_at) where purged_at is null;

create trigger touch_updated_at before update on public.interactions
  for each row execute function floorwalker.touch_updated_at();

create table public.interaction_messages (
  id bigserial primary key,
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  item_id text not null check (length(item_id) between 1 and 200),
  seq bigint not null,
  role text not null check (role in ('customer', 'agent', 'supervisor', 'system')),
  content text not null,
  interrupted boolean not null default false,
  spoken_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  unique (interaction_id, item_id),
  unique (interaction_id, seq)
);

create table public.interaction_steps (
  id bigserial primary key,
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  step_id text not null check (length(step_id) between 1 and 200),
  step_type text not null check (step_type ~ '^[a-z][a-z_]{0,39}$'),
  name text,
  input jsonb,
  output jsonb,
  duration_ms integer,
  model text,
  tokens_input integer,
  tokens_output integer,
  characters integer,
  audio_seconds numeric(10, 3),
  error jsonb,
  happened_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  unique (interaction_id, step_id)
);

create index idx_interaction_steps_order on public.interaction_steps (interaction_id, happened_at, id);

create table public.realtime_metrics (
  id bigserial primary key,
  interaction_id uuid not null references public.interactions (id) on delete restrict,
  "timestamp" timestamptz not null default clock_timestamp(),
  sentiment text not null check (sentiment in ('good', 'neutral', 'critical')),
  satisfaction_score numeric(5, 2) not null check (satisfaction_score between 0 and 100),
  feed_text text not null check (length(feed_text) <= 120),
  created_at timestamptz not null default clock_timestamp(),
  -- A batch that is sent again after a lost answer adds nothing.
  unique (interaction_id, "timestamp")
);

create index idx_realtime_metrics_timestamp on public.realtime_metrics ("timestamp" desc);
create index idx_realtime_metrics_cleanup on public.realtime_metrics (created_at);

-- An agent's status is what its open live interactions make it. Nobody sets it.
create function floorwalker.derive_agent_status(p_agent_id uuid) returns text
  language sql stable security definer set search_path = public, pg_temp
as $$
  select case
    when bool_or(i.paused) then 'paused'
    when count(i.id) = 0 then 'idle'
    when a.agent_type = 'voice' then 'in_call'
    else 'in_chat'
  end
  from agents a
  left join interactions i on i.agent_id = a.id and i.status = 'active' and i.kind = 'live'
  where a.id = p_agent_id
  group by a.id
$$;

create function floorwalker.keep_agent_status() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  new.status := case when tg_op = 'INSERT' then 'idle' else floorwalker.derive_agent_status(new.id) end;
  return new;
end
$$;

create trigger keep_agent_status before insert or update of status on public.agents
  for each row execute function floorwalker.keep_agent_status();

-- The lock comes first and the count second, so that two interactions that end at once both count.
create function floorwalker.refresh_agent_status() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform 1 from agents where id = new.agent_id for no key update;
  update agents set status = floorwalker.derive_agent_status(id)
  where id = new.agent_id and status is distinct from floorwalker.derive_agent_status(id);
  return null;
end
$$;

create trigger refresh_agent_status_insert after insert on public.interactions
  for each row when (new.status = 'active') execute function floorwalker.refresh_agent_status();
create trigger refresh_agent_status after update of status, paused on public.interactions
  for each row when (old.status is distinct from new.status or old.paused is distinct from new.paused)
  execute function floorwalker.refresh_agent_status();

-- Takes the row lock that orders all writes of one interaction, and refuses a session that was replaced.
create function floorwalker.lock_interaction(p_interaction_id uuid, p_generation bigint) returns public.interactions
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row interactions;
begin
  select * into found_row from interactions where id = p_interaction_id for update;
  if not found then
    perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
  end if;
  if found_row.generation is distinct from p_generation then
    perform floorwalker.fail('stale_generation', 'Another worker carries this interaction on.',
      jsonb_build_object('generation', found_row.generation));
  end if;
  return found_row;
end
$$;
