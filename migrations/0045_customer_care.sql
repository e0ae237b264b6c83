-- What tools/customers knows of a customer beyond their number: profile, notes, health and signals of risk. Every call goes
-- through the functions below. An agent's server sees the customer it names by phone number; looking across customers is for
-- staff, and for a database role of its own.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['floorwalker_customers', 'floorwalker_customers_staff'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin noinherit', wanted);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
    if exists (select from pg_roles where rolname = 'authenticator') then
      execute format('grant %I to authenticator', wanted);
    end if;
    execute format('grant usage on schema public to %I', wanted);
  end loop;
end
$$;

alter table public.customers add constraint customers_id_business unique (id, business_id);

create table public.crm_profiles (
  customer_id uuid primary key,
  business_id uuid not null references public.businesses (id) on delete restrict,
  company text check (length(company) between 1 and 200),
  tier text check (tier in ('enterprise', 'mid-market', 'smb')),
  status text not null default 'active' check (status in ('active', 'paused', 'churned')),
  -- What they pay in a year, in the business's own currency.
  yearly_revenue numeric check (yearly_revenue >= 0),
  renewal_date date,
  -- The person who looks after them.
  manager text check (length(manager) between 1 and 200),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  foreign key (customer_id, business_id) references public.customers (id, business_id) on delete cascade
);
create index idx_crm_profiles_renewal on public.crm_profiles (business_id, renewal_date);

create table public.crm_notes (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  customer_id uuid not null,
  body text not null check (length(body) between 1 and 4000),
  -- Who says so: a note of an agent is what a model wrote.
  author text not null default 'agent' check (author in ('agent', 'person')),
  idempotency_key text check (length(idempotency_key) between 1 and 300),
  created_at timestamptz not null default clock_timestamp(),
  unique (business_id, idempotency_key),
  foreign key (customer_id, business_id) references public.customers (id, business_id) on delete cascade
);
create index idx_crm_notes_customer on public.crm_notes (customer_id, created_at desc);

-- From 0 (bad) to 100. `overall` is whoever calculates it; the five parts say why.
create table public.crm_health_scores (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  customer_id uuid not null,
  overall integer not null check (overall between 0 and 100),
  product integer check (product between 0 and 100),
  risk integer check (risk between 0 and 100),
  outcomes integer check (outcomes between 0 and 100),
  voice integer check (voice between 0 and 100),
  engagement integer check (engagement between 0 and 100),
  calculated_at timestamptz not null default clock_timestamp(),
  foreign key (customer_id, business_id) references public.customers (id, business_id) on delete cascade
);
create index idx_crm_health_scores_customer on public.crm_health_scores (customer_id, calculated_at desc);

create table public.crm_risk_signals (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  customer_id uuid not null,
  signal text not null check (signal in
    ('usage_drop', 'champion_left', 'support_escalation', 'nps_detractor', 'competitor_threat', 'payment_issue')),
  severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
  description text not null check (length(description) between 1 and 2000),
  detected_at timestamptz not null default clock_timestamp(),
  resolved_at timestamptz,
  idempotency_key text check (length(idempotency_key) between 1 and 300),
  unique (business_id, idempotency_key),
  foreign key (customer_id, business_id) references public.customers (id, business_id) on delete cascade,
  check (resolved_at >= detected_at)
);
create index idx_crm_risk_signals_open on public.crm_risk_signals (customer_id) where resolved_at is null;

create trigger touch_updated_at before update on public.crm_profiles
  for each row execute function floorwalker.touch_updated_at();

create function floorwalker.crm_customer(p_business_id uuid, p_phone text) returns public.customers
  language sql stable security definer set search_path = public, pg_temp
as $$
  select * from customers where business_id = p_business_id and phone_number = p_phone
$$;

-- Whoever calls for the first time may be noted too.
create function floorwalker.crm_ensure_customer(p_business_id uuid, p_phone text) returns public.customers
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  insert into customers (business_id, phone_number) values (p_business_id, p_phone) on conflict do nothing;
  return floorwalker.crm_customer(p_business_id, p_phone);
end
$$;

create function floorwalker.crm_open_signals(p_customer_id uuid) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'signal', s.signal, 'severity', s.severity, 'description', s.description,
    'detected_at', s.detected_at) order by array_position(array['critical', 'high', 'medium', 'low'], s.severity), s.detected_at desc), '[]')
  from (select * from crm_risk_signals where customer_id = p_customer_id and resolved_at is null
    order by array_position(array['critical', 'high', 'medium', 'low'], severity), detected_at desc limit 10) s
$$;

-- At risk: a score below 60, or an open signal that is high or critical. Null while nothing is known.
create function floorwalker.crm_standing(p_customer_id uuid) returns text
  language sql stable security definer set search_path = public, pg_temp
as $$
  select case
    when score.overall < 60 or exists (select from crm_risk_signals where customer_id = p_customer_id and resolved_at is null
      and severity in ('high', 'critical')) then 'at_risk'
    when score.overall is not null then 'healthy' end
  from (select (select overall from crm_health_scores where customer_id = p_customer_id order by calculated_at desc limit 1) as overall) score
$$;

create function floorwalker.crm_view(p_customer public.customers) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object('phone_number', p_customer.phone_number, 'name', p_customer.name, 'known_since', p_customer.created_at,
    'company', p.company, 'tier', p.tier, 'status', coalesce(p.status, 'active'), 'yearly_revenue', p.yearly_revenue,
    'renewal_date', p.renewal_date, 'manager', p.manager, 'standing', floorwalker.crm_standing(p_customer.id),
    'conversations', (select count(*) from interactions i where i.customer_id = p_customer.id and i.kind = 'live'),
    'last_conversation_at', (select max(i.started_at) from interactions i where i.customer_id = p_customer.id and i.kind = 'live'),
    'notes', (select count(*) from crm_notes n where n.customer_id = p_customer.id))
  from (select 1) one left join crm_profiles p on p.customer_id = p_customer.id
$$;

create function public.crm_find(p_business_id uuid, p_phone text) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_customer(p_business_id, p_phone);
  return case when customer.id is null then jsonb_build_object('outcome', 'not_found')
    else jsonb_build_object('outcome', 'found', 'customer', floorwalker.crm_view(customer)) end;
end
$$;

create function public.crm_health(p_business_id uuid, p_phone text) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_customer(p_business_id, p_phone);
  if customer.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  return jsonb_build_object('outcome', 'found', 'standing', floorwalker.crm_standing(customer.id),
    'scores', coalesce((select jsonb_agg(jsonb_build_object('overall', s.overall, 'product', s.product, 'risk', s.risk,
        'outcomes', s.outcomes, 'voice', s.voice, 'engagement', s.engagement, 'calculated_at', s.calculated_at) order by s.calculated_at desc)
      from (select * from crm_health_scores where customer_id = customer.id order by calculated_at desc limit 6) s), '[]'),
    'signals', floorwalker.crm_open_signals(customer.id));
end
$$;

create function public.crm_list_notes(p_business_id uuid, p_phone text, p_limit integer) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(jsonb_build_object('body', n.body, 'author', n.author, 'created_at', n.created_at)
      order by n.created_at desc), '[]')
    from (select * from crm_notes where customer_id = (floorwalker.crm_customer(p_business_id, p_phone)).id
      order by created_at desc limit least(greatest(p_limit, 1), 50)) n);
end
$$;

create function public.crm_add_note(p_business_id uuid, p_phone text, p_body text, p_key text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
  note crm_notes;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_ensure_customer(p_business_id, p_phone);
  insert into crm_notes (business_id, customer_id, body, idempotency_key) values (p_business_id, customer.id, p_body, p_key)
  on conflict (business_id, idempotency_key) do nothing;
  select * into note from crm_notes where business_id = p_business_id and idempotency_key = p_key;
  return case when note.customer_id = customer.id and note.body = p_body
    then jsonb_build_object('outcome', 'done', 'created_at', note.created_at) else jsonb_build_object('outcome', 'key_reused') end;
end
$$;

create function public.crm_report_signal(
  p_business_id uuid, p_phone text, p_signal text, p_severity text, p_description text, p_key text
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
  made crm_risk_signals;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_ensure_customer(p_business_id, p_phone);
  insert into crm_risk_signals (business_id, customer_id, signal, severity, description, idempotency_key)
  values (p_business_id, customer.id, p_signal, p_severity, p_description, p_key)
  on conflict (business_id, idempotency_key) do nothing;
  select * into made from crm_risk_signals where business_id = p_business_id and idempotency_key = p_key;
  if made.customer_id <> customer.id or made.signal <> p_signal or made.description <> p_description then
    return jsonb_build_object('outcome', 'key_reused');
  end if;
  return jsonb_build_object('outcome', 'done', 'signals', floorwalker.crm_open_signals(customer.id));
end
$$;

-- For staff: customers by a part of their name, company or number.
create function public.crm_search(p_business_id uuid, p_query text, p_limit integer) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.crm_view(f)), '[]') from (
    select c.* from customers c left join crm_profiles p on p.customer_id = c.id
    where c.business_id = p_business_id and (position(lower(p_query) in lower(c.name)) > 0
      or position(lower(p_query) in lower(p.company)) > 0 or position(p_query in c.phone_number) > 0)
    order by c.name nulls last, c.phone_number limit least(greatest(p_limit, 1), 50)) f);
end
$$;

-- For staff: who is at risk, or whose contract ends within so many days; the least healthy first.
create function public.crm_at_risk(p_business_id uuid, p_renewal_days integer, p_limit integer) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  today date := (select clock_timestamp() at time zone time_zone from businesses where id = p_business_id);
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.crm_view(f.customer)
      || jsonb_build_object('overall', f.overall, 'signals', floorwalker.crm_open_signals((f.customer).id)) order by f.overall nulls last), '[]')
    from (
      select c as customer, (select overall from crm_health_scores s where s.customer_id = c.id order by calculated_at desc limit 1) as overall
      from customers c left join crm_profiles p on p.customer_id = c.id
      where c.business_id = p_business_id and coalesce(p.status, 'active') <> 'churned'
        and case when p_renewal_days is null then floorwalker.crm_standing(c.id) = 'at_risk'
          else p.renewal_date between today and today + p_renewal_days end
      order by 2 nulls last limit least(greatest(p_limit, 1), 50)) f);
end
$$;

-- For staff, and for the program that calculates it.
create function public.crm_record_health(p_business_id uuid, p_phone text, p_scores jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
begin
  perform floorwalker.check_tool_business(p_business_id);
  customer := floorwalker.crm_customer(p_business_id, p_phone);
  if customer.id is null then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  insert into crm_health_scores (business_id, customer_id, overall, product, risk, outcomes, voice, engagement)
  values (p_business_id, customer.id, (p_scores ->> 'overall')::integer, (p_scores ->> 'product')::integer, (p_scores ->> 'risk')::integer,
    (p_scores ->> 'outcomes')::integer, (p_scores ->> 'voice')::integer, (p_scores ->> 'engagement')::integer);
  return public.crm_health(p_business_id, p_phone);
end
$$;

create function public.crm_resolve_signal(p_business_id uuid, p_signal_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  update crm_risk_signals set resolved_at = coalesce(resolved_at, clock_timestamp()) where business_id = p_business_id and id = p_signal_id;
  return jsonb_build_object('outcome', case when found then 'done' else 'not_found' end);
end
$$;

create or replace function floorwalker.delete_tool_data(p_business_id uuid, p_phone text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  customer uuid := (floorwalker.crm_customer(p_business_id, p_phone)).id;
  of_appointments bigint;
  of_notes bigint;
  of_scores bigint;
  of_signals bigint;
begin
  delete from appointments where business_id = p_business_id and customer_phone = p_phone;
  get diagnostics of_appointments = row_count;
  delete from crm_profiles where customer_id = customer;
  delete from crm_notes where customer_id = customer;
  get diagnostics of_notes = row_count;
  delete from crm_health_scores where customer_id = customer;
  get diagnostics of_scores = row_count;
  delete from crm_risk_signals where customer_id = customer;
  get diagnostics of_signals = row_count;
  return jsonb_strip_nulls(jsonb_build_object('appointments', nullif(of_appointments, 0), 'crm_notes', nullif(of_notes, 0),
    'crm_health_scores', nullif(of_scores, 0), 'crm_risk_signals', nullif(of_signals, 0)));
end
$$;

do $$
declare
  name text;
  f record;
begin
  foreach name in array array['crm_profiles', 'crm_notes', 'crm_health_scores', 'crm_risk_signals'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', name);
    execute format('grant select, insert, update, delete on table public.%I to service_role', name);
    execute format('grant select on table public.%I to authenticated', name);
    execute format('create policy admin_only on public.%I for select to authenticated
      using (business_id = (select floorwalker.admin_business()))', name);
  end loop;
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema, p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker') and p.proname like 'crm\_%'
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to service_role', f.signature);
    if f.schema = 'public' then
      execute format('grant execute on function %s to floorwalker_customers_staff', f.signature);
      if f.name in ('crm_find', 'crm_health', 'crm_list_notes', 'crm_add_note', 'crm_report_signal') then
        execute format('grant execute on function %s to floorwalker_customers', f.signature);
      end if;
    end if;
  end loop;
end
$$;
