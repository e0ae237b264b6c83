-- Businesses (tenants), the people who watch, the people who call, and what happened to whom.

create table public.businesses (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  time_zone text not null default 'UTC',
  -- Origins whose pages may start interactions; '*' means any, none means none.
  allowed_origins text[] not null default '{}',
  retention jsonb not null default '{}' check (jsonb_typeof(retention) = 'object'),
  tag_vocabulary jsonb not null default '{"topics": [], "issues": []}'
    check (jsonb_typeof(tag_vocabulary -> 'topics') = 'array' and jsonb_typeof(tag_vocabulary -> 'issues') = 'array'),
  limits jsonb not null default '{}' check (jsonb_typeof(limits) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);

create function floorwalker.check_time_zone() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if not exists (select from pg_timezone_names where name = new.time_zone) then
    perform floorwalker.fail('invalid_time_zone',
      format('"%s" is not a time zone; write one such as Europe/Amsterdam.', new.time_zone));
  end if;
  return new;
end
$$;

create trigger check_time_zone before insert or update of time_zone on public.businesses
  for each row execute function floorwalker.check_time_zone();
create trigger touch_updated_at before update on public.businesses
  for each row execute function floorwalker.touch_updated_at();

-- Passwords, second factors and lock-out are Supabase Auth's; this is the profile beside its user.
create table public.users (
  id uuid primary key references auth.users (id) on delete restrict,
  business_id uuid not null references public.businesses (id) on delete restrict,
  email text not null check (length(email) between 3 and 320),
  role text not null check (role in ('admin', 'supervisor')),
  name text not null check (length(name) between 1 and 200),
  username text check (length(username) between 1 and 100),
  supervisor_type text check (supervisor_type in ('voice', 'chat')),
  last_seen_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint check_supervisor_fields check (
    (role = 'supervisor' and username is not null and supervisor_type is not null)
    or (role = 'admin' and username is null and supervisor_type is null)
  )
);

create unique index idx_users_email on public.users (lower(email));
create unique index idx_users_username_supervisor on public.users (business_id, username) where role = 'supervisor';
create index idx_users_business_role on public.users (business_id, role);
create index idx_users_supervisor_type on public.users (business_id, supervisor_type) where supervisor_type is not null;

create trigger touch_updated_at before update on public.users
  for each row execute function floorwalker.touch_updated_at();

create table public.customers (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  phone_number text not null check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  name text check (length(name) <= 200),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (business_id, phone_number)
);

create trigger touch_updated_at before update on public.customers
  for each row execute function floorwalker.touch_updated_at();

-- Who did what to which thing. The actor has no foreign key: history outlives people.
create table public.audit_events (
  id bigserial primary key,
  business_id uuid references public.businesses (id) on delete restrict,
  actor_id uuid,
  actor_kind text not null check (actor_kind in ('user', 'service', 'system')),
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  subject_type text not null,
  subject_id text not null,
  details jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);

create index idx_audit_events_business on public.audit_events (business_id, created_at desc);
create index idx_audit_events_subject on public.audit_events (subject_type, subject_id);

create function floorwalker.refuse_audit_change() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  perform floorwalker.fail('audit_append_only', 'The audit log is only ever added to.');
  return null;
end
$$;

create trigger append_only before update or delete on public.audit_events
  for each row execute function floorwalker.refuse_audit_change();
create trigger append_only_truncate before truncate on public.audit_events
  for each statement execute function floorwalker.refuse_audit_change();

create function floorwalker.audit(
  p_business_id uuid, p_action text, p_subject_type text, p_subject_id text, p_details jsonb default '{}'
) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into audit_events (business_id, actor_id, actor_kind, action, subject_type, subject_id, details)
  values (p_business_id, auth.uid(), case when auth.uid() is null then 'service' else 'user' end,
    p_action, p_subject_type, p_subject_id, coalesce(p_details, '{}'))
$$;

-- What differs between two rows, as {"column": {"from": …, "to": …}}; the columns that change by themselves are left out.
create function floorwalker.row_difference(p_old jsonb, p_new jsonb) returns jsonb
  language sql immutable set search_path = public, pg_temp
as $$
  select coalesce(jsonb_object_agg(key, jsonb_build_object('from', p_old -> key, 'to', p_new -> key)), '{}')
  from (select jsonb_object_keys(coalesce(p_old, '{}') || coalesce(p_new, '{}')) as key) keys
  where p_old -> key is distinct from p_new -> key
    and key not in ('created_at', 'updated_at', 'status', 'version', 'last_seen_at')
$$;

create function floorwalker.audit_row() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  before_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  after_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  difference jsonb := floorwalker.row_difference(before_row, after_row);
  any_row jsonb := coalesce(after_row, before_row);
  business uuid;
begin
  if difference = '{}' then
    return null;
  end if;
  if tg_table_name = 'agent_tools' then
    select business_id into business from agents where id = (any_row ->> 'agent_id')::uuid;
  else
    business := (any_row ->> 'business_id')::uuid;
  end if;
  perform floorwalker.audit(business,
    case tg_table_name when 'users' then 'person' when 'agents' then 'agent' else 'tool' end || '.' ||
      case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'changed' else 'removed' end,
    tg_table_name, any_row ->> 'id', difference);
  return null;
end
$$;

create trigger audit_row after insert or update or delete on public.users
  for each row execute function floorwalker.audit_row();
