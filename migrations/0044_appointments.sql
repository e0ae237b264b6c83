-- The calendars behind tools/appointments. Times are kept in UTC and told in the business's time zone. Every change goes
-- through the functions below, which take the customer's phone number: another customer's appointment is not found.

-- A tool server may have a database role of its own, which can call its own functions only, with a token that names one
-- business. Roles belong to the whole cluster: another database may be creating the same one right now.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['floorwalker_orders', 'floorwalker_appointments'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin noinherit', wanted);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
    -- The role that Supabase's REST server comes as before it takes the one a token names.
    if exists (select from pg_roles where rolname = 'authenticator') then
      execute format('grant %I to authenticator', wanted);
    end if;
    execute format('grant usage on schema public to %I', wanted);
  end loop;
end
$$;

-- A tool server's own role acts for the business its token names, and for no other.
create function floorwalker.check_tool_business(p_business_id uuid) returns void
  language plpgsql stable set search_path = public, pg_temp
as $$
declare
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}');
begin
  if current_setting('role', true) like 'floorwalker\_%' and claims ->> 'business_id' is distinct from p_business_id::text then
    perform floorwalker.fail('not_allowed', 'The token of this tool server is for another business.');
  end if;
end
$$;

-- {"mon": [["09:00", "12:30"], ["13:30", "17:00"]], …}; a day that is not named is closed.
create function floorwalker.valid_hours(p_hours jsonb) returns boolean
  language plpgsql immutable set search_path = public, pg_temp
as $$
declare
  day text;
  open jsonb;
begin
  if jsonb_typeof(p_hours) <> 'object' then
    return false;
  end if;
  for day in select jsonb_object_keys(p_hours) loop
    if day not in ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun') or jsonb_typeof(p_hours -> day) <> 'array' then
      return false;
    end if;
    for open in select jsonb_array_elements(p_hours -> day) loop
      if jsonb_typeof(open) <> 'array' or jsonb_array_length(open) <> 2
        or not coalesce(open ->> 0 ~ '^([01]\d|2[0-3]):[0-5]\d$', false)
        or not coalesce(open ->> 1 ~ '^(([01]\d|2[0-3]):[0-5]\d|24:00)$', false) or open ->> 0 >= open ->> 1 then
        return false;
      end if;
    end loop;
  end loop;
  return true;
end
$$;

create table public.appointment_calendars (
  id bigint generated always as identity primary key,
  business_id uuid not null references public.businesses (id) on delete restrict,
  name text not null check (length(name) between 1 and 100),
  hours jsonb not null constraint valid_hours check (floorwalker.valid_hours(hours)),
  holidays date[] not null default '{}',
  slot_minutes integer not null default 30 check (slot_minutes between 5 and 480),
  -- The earliest that can be booked from now, and the latest.
  lead_minutes integer not null default 60 check (lead_minutes >= 0),
  days_ahead integer not null default 60 check (days_ahead between 1 and 400),
  -- Coming appointments that one customer may have here.
  per_customer integer not null default 5 check (per_customer between 1 and 1000),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (id, business_id)
);
create unique index idx_appointment_calendars_name on public.appointment_calendars (business_id, lower(name));

create table public.appointments (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  calendar_id bigint not null,
  -- What a person says on the telephone: short, and unique within the business.
  reference integer not null check (reference between 1000 and 99999999),
  customer_phone text not null check (customer_phone ~ '^\+[1-9][0-9]{6,14}$'),
  customer_name text check (length(customer_name) between 1 and 200),
  reason text check (length(reason) <= 1000),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  status text not null default 'confirmed' check (status in ('confirmed', 'cancelled', 'completed', 'no_show')),
  source text not null default 'manual' check (source in ('manual', 'agent', 'web', 'sms')),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (business_id, reference),
  foreign key (calendar_id, business_id) references public.appointment_calendars (id, business_id) on delete restrict,
  check (ends_at > starts_at),
  -- A range of one calendar, because ranges need no extension where equal numbers would need btree_gist.
  constraint appointment_overlaps exclude using gist
    (int8range(calendar_id, calendar_id, '[]') with &&, tstzrange(starts_at, ends_at) with &&) where (status = 'confirmed')
);
create index idx_appointments_customer on public.appointments (business_id, customer_phone, starts_at);

-- What was asked for under which key, so that a repeated request is answered and not done again, also after a move.
create table public.appointment_requests (
  business_id uuid not null references public.businesses (id) on delete restrict,
  idempotency_key text not null check (length(idempotency_key) between 1 and 300),
  request jsonb not null,
  appointment_id uuid not null references public.appointments (id) on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  primary key (business_id, idempotency_key)
);
create index idx_appointment_requests_appointment on public.appointment_requests (appointment_id);

create trigger touch_updated_at before update on public.appointment_calendars
  for each row execute function floorwalker.touch_updated_at();
create trigger touch_updated_at before update on public.appointments
  for each row execute function floorwalker.touch_updated_at();

-- Whether the calendar is open from one local time to another on the same day.
create function floorwalker.calendar_open(p_calendar public.appointment_calendars, p_from timestamp, p_to timestamp) returns boolean
  language sql immutable set search_path = public, pg_temp
as $$
  select p_to > p_from and p_from::date = (p_to - interval '1 microsecond')::date and not p_from::date = any (p_calendar.holidays)
    and exists (select from jsonb_array_elements(coalesce(p_calendar.hours -> lower(to_char(p_from, 'Dy')), '[]')) as open
      where p_from >= p_from::date + (open ->> 0)::interval and p_to <= p_from::date + (open ->> 1)::interval)
$$;

-- Within the opening hours, by whatever way an appointment comes; that none overlaps is a constraint.
create function floorwalker.check_appointment() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  calendar appointment_calendars;
  zone text;
begin
  if new.status = 'confirmed' then
    select * into calendar from appointment_calendars where id = new.calendar_id;
    select time_zone into zone from businesses where id = new.business_id;
    if found and calendar.id is not null and not floorwalker.calendar_open(calendar,
        new.starts_at at time zone zone, new.ends_at at time zone zone) then
      raise exception using errcode = '23514', message = 'appointment_closed',
        detail = 'The calendar is closed at that time.', constraint = 'appointment_closed';
    end if;
  end if;
  return new;
end
$$;
create trigger check_appointment before insert or update of starts_at, ends_at, status, calendar_id on public.appointments
  for each row execute function floorwalker.check_appointment();

-- Free starts as local times, in order. A time that the clocks skip in spring is none; of one that comes twice in autumn, the
-- second counts. p_except: an appointment that is to be moved does not stand in its own way.
create function floorwalker.free_slots(
  p_calendar public.appointment_calendars, p_zone text, p_from date, p_days integer, p_minutes integer, p_except uuid
) returns table (local_start timestamp)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select distinct start.at
  from generate_series(p_from::timestamp, p_from + make_interval(days => p_days - 1), interval '1 day') as day (at)
  cross join lateral jsonb_array_elements(coalesce(p_calendar.hours -> lower(to_char(day.at, 'Dy')), '[]')) as open
  cross join lateral generate_series(day.at + (open ->> 0)::interval,
    day.at + (open ->> 1)::interval - interval '1 minute', make_interval(mins => p_calendar.slot_minutes)) as start (at)
  cross join lateral (select start.at at time zone p_zone as starts_at,
    start.at at time zone p_zone + make_interval(mins => p_minutes) as ends_at) as real
  where real.starts_at at time zone p_zone = start.at
    and floorwalker.calendar_open(p_calendar, start.at, real.ends_at at time zone p_zone)
    and real.starts_at >= clock_timestamp() + make_interval(mins => p_calendar.lead_minutes)
    and real.starts_at < clock_timestamp() + make_interval(days => p_calendar.days_ahead)
    and not exists (select from appointments a where a.calendar_id = p_calendar.id and a.status = 'confirmed'
      and a.id is distinct from p_except and a.starts_at < real.ends_at and a.ends_at > real.starts_at)
  order by start.at
$$;

create function floorwalker.appointment_view(p_appointment public.appointments) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object('reference', p_appointment.reference, 'calendar', c.name, 'status', p_appointment.status,
    'starts_at', to_char(p_appointment.starts_at at time zone b.time_zone, 'YYYY-MM-DD"T"HH24:MI'),
    'ends_at', to_char(p_appointment.ends_at at time zone b.time_zone, 'YYYY-MM-DD"T"HH24:MI'),
    'weekday', to_char(p_appointment.starts_at at time zone b.time_zone, 'FMDay'), 'time_zone', b.time_zone,
    'reason', p_appointment.reason)
  from appointment_calendars c join businesses b on b.id = c.business_id where c.id = p_appointment.calendar_id
$$;

create function floorwalker.no_calendar(p_business_id uuid) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object('outcome', 'no_calendar', 'calendars',
    coalesce((select jsonb_agg(name order by name) from appointment_calendars where business_id = p_business_id), '[]'))
$$;

-- The calendar of that name; without a name, the only one.
create function floorwalker.find_calendar(p_business_id uuid, p_calendar text) returns public.appointment_calendars
  language sql stable security definer set search_path = public, pg_temp
as $$
  select * from appointment_calendars c
  where c.business_id = p_business_id and (lower(c.name) = lower(p_calendar) or (p_calendar is null
    and not exists (select from appointment_calendars other where other.business_id = p_business_id and other.id <> c.id)))
$$;

create function public.appointment_slots(p_business_id uuid, p_calendar text, p_from date, p_days integer, p_limit integer)
  returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  calendar appointment_calendars;
  zone text := (select time_zone from businesses where id = p_business_id);
begin
  perform floorwalker.check_tool_business(p_business_id);
  calendar := floorwalker.find_calendar(p_business_id, p_calendar);
  if calendar.id is null then
    return floorwalker.no_calendar(p_business_id);
  end if;
  return jsonb_build_object('outcome', 'slots', 'calendar', calendar.name, 'time_zone', zone, 'minutes', calendar.slot_minutes,
    'now', to_char(clock_timestamp() at time zone zone, 'YYYY-MM-DD"T"HH24:MI'),
    'slots', coalesce((select jsonb_agg(jsonb_build_object('starts_at', to_char(s.local_start, 'YYYY-MM-DD"T"HH24:MI'),
        'weekday', to_char(s.local_start, 'FMDay')) order by s.local_start) from (
      select local_start from floorwalker.free_slots(calendar, zone,
        greatest(p_from, (clock_timestamp() at time zone zone)::date), least(greatest(p_days, 1), 31), calendar.slot_minutes, null)
      limit least(greatest(p_limit, 1), 50)) s), '[]'));
end
$$;

create function public.appointment_list(p_business_id uuid, p_phone text) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.appointment_view(a) order by a.starts_at), '[]') from (
    select * from appointments where business_id = p_business_id and customer_phone = p_phone and status = 'confirmed'
      and ends_at > clock_timestamp() order by starts_at limit 10) a);
end
$$;

-- p_reference null: a new appointment; else the customer's own is moved. The start is a local time that is free.
create function public.appointment_put(
  p_business_id uuid, p_phone text, p_reference integer, p_calendar text, p_starts_at timestamp, p_name text, p_reason text, p_key text
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  calendar appointment_calendars;
  mine appointments;
  earlier appointment_requests;
  zone text := (select time_zone from businesses where id = p_business_id);
  minutes integer;
  new_start timestamptz := p_starts_at at time zone zone;
  wish jsonb := jsonb_build_object('phone', p_phone, 'reference', p_reference, 'calendar', lower(p_calendar),
    'starts_at', to_char(p_starts_at, 'YYYY-MM-DD"T"HH24:MI'));
begin
  perform floorwalker.check_tool_business(p_business_id);
  -- The same request twice at once: the second waits, and finds what the first did.
  perform pg_advisory_xact_lock(hashtextextended('appointment:' || p_business_id || ':' || p_key, 0));
  select * into earlier from appointment_requests where business_id = p_business_id and idempotency_key = p_key;
  if found then
    if earlier.request <> wish then
      return jsonb_build_object('outcome', 'key_reused');
    end if;
    select * into mine from appointments where id = earlier.appointment_id;
    return jsonb_build_object('outcome', 'done', 'repeated', true, 'appointment', floorwalker.appointment_view(mine));
  end if;
  if p_reference is not null then
    select * into mine from appointments where business_id = p_business_id and customer_phone = p_phone
      and reference = p_reference and status = 'confirmed' and starts_at > clock_timestamp() for update;
    if not found then
      return jsonb_build_object('outcome', 'not_found');
    end if;
    select * into calendar from appointment_calendars where id = mine.calendar_id for no key update;
    minutes := extract(epoch from mine.ends_at - mine.starts_at) / 60;
  else
    calendar := floorwalker.find_calendar(p_business_id, p_calendar);
    if calendar.id is null then
      return floorwalker.no_calendar(p_business_id);
    end if;
    -- Two at once meet here one after the other, so that the second is told what is still free.
    select * into calendar from appointment_calendars where id = calendar.id for no key update;
    minutes := calendar.slot_minutes;
    if (select count(*) from appointments where calendar_id = calendar.id and customer_phone = p_phone and status = 'confirmed'
        and ends_at > clock_timestamp()) >= calendar.per_customer then
      return jsonb_build_object('outcome', 'too_many', 'limit', calendar.per_customer);
    end if;
  end if;
  if mine.starts_at is distinct from new_start and not exists (
      select from floorwalker.free_slots(calendar, zone, p_starts_at::date, 1, minutes, mine.id) where local_start = p_starts_at) then
    return jsonb_build_object('outcome', 'not_free', 'free', coalesce((select jsonb_agg(to_char(s.local_start, 'YYYY-MM-DD"T"HH24:MI'))
      from (select local_start from floorwalker.free_slots(calendar, zone,
        greatest(p_starts_at::date, (clock_timestamp() at time zone zone)::date), 7, minutes, mine.id) limit 6) s), '[]'));
  end if;
  if mine.id is not null then
    update appointments set starts_at = new_start, ends_at = new_start + make_interval(mins => minutes)
    where id = mine.id returning * into mine;
  else
    insert into appointments (business_id, calendar_id, reference, customer_phone, customer_name, reason, starts_at, ends_at, source)
    values (p_business_id, calendar.id, floorwalker.next_appointment_reference(p_business_id), p_phone, nullif(p_name, ''), p_reason,
      new_start, new_start + make_interval(mins => minutes), 'agent')
    returning * into mine;
  end if;
  insert into appointment_requests (business_id, idempotency_key, request, appointment_id) values (p_business_id, p_key, wish, mine.id);
  return jsonb_build_object('outcome', 'done', 'repeated', false, 'appointment', floorwalker.appointment_view(mine));
end
$$;

-- One after another within a business, whichever of its calendars they are for.
create function floorwalker.next_appointment_reference(p_business_id uuid) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('appointment-reference:' || p_business_id, 0));
  return (select coalesce(max(reference), 1000) + 1 + floor(random() * 7)::integer from appointments where business_id = p_business_id);
end
$$;

create function public.appointment_cancel(p_business_id uuid, p_phone text, p_reference integer) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine appointments;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into mine from appointments where business_id = p_business_id and customer_phone = p_phone and reference = p_reference
    and status in ('confirmed', 'cancelled') and starts_at > clock_timestamp() for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  if mine.status = 'cancelled' then
    return jsonb_build_object('outcome', 'done', 'repeated', true, 'appointment', floorwalker.appointment_view(mine));
  end if;
  update appointments set status = 'cancelled' where id = mine.id returning * into mine;
  return jsonb_build_object('outcome', 'done', 'repeated', false, 'appointment', floorwalker.appointment_view(mine));
end
$$;

do $$
declare
  name text;
  f regprocedure;
begin
  foreach name in array array['appointment_calendars', 'appointments', 'appointment_requests'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', name);
    execute format('grant select, insert, update, delete on table public.%I to service_role', name);
  end loop;
  grant select on public.appointment_calendars, public.appointments to authenticated;
  for f in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'public' and p.proname like 'appointment\_%') or (n.nspname = 'floorwalker' and p.proname in
      ('check_tool_business', 'valid_hours', 'calendar_open', 'check_appointment', 'free_slots', 'appointment_view', 'no_calendar',
        'find_calendar', 'next_appointment_reference'))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
  for f in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'public' and p.proname like 'appointment\_%'
  loop
    execute format('grant execute on function %s to floorwalker_appointments', f);
  end loop;
end
$$;

create policy admin_only on public.appointment_calendars for select to authenticated
  using (business_id = (select floorwalker.admin_business()));
create policy admin_only on public.appointments for select to authenticated
  using (business_id = (select floorwalker.admin_business()));

-- The shop's functions keep to the business of a tool server's token.

create or replace function public.shop_find_order(p_business_id uuid, p_phone text, p_order_number integer default NULL::integer)
  returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(floorwalker.shop_order_view(o) order by o.placed_at desc), '[]')
  from (
    select * from shop_orders
    where business_id = p_business_id and customer_phone = p_phone
      and (p_order_number is null or order_number = p_order_number)
    order by placed_at desc limit 5
  ) o);
end
$$;

create or replace function public.shop_refund_order(p_business_id uuid, p_phone text, p_order_number integer, p_amount_cents bigint, p_reason text, p_idempotency_key text)
  returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  of_order shop_orders;
  refund shop_refunds;
  left_cents bigint;
  amount bigint;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into of_order from shop_orders
  where business_id = p_business_id and customer_phone = p_phone and order_number = p_order_number for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  select * into refund from shop_refunds where business_id = p_business_id and idempotency_key = p_idempotency_key;
  if found then
    if refund.order_id <> of_order.id or (p_amount_cents is not null and refund.amount_cents <> p_amount_cents) then
      return jsonb_build_object('outcome', 'key_reused');
    end if;
    return jsonb_build_object('outcome', 'refunded', 'repeated', true, 'refund_cents', refund.amount_cents,
      'refunded_at', refund.created_at, 'order', floorwalker.shop_order_view(of_order));
  end if;

  left_cents := floorwalker.shop_paid_cents(of_order.id) - floorwalker.shop_refunded_cents(of_order.id);
  amount := coalesce(p_amount_cents, left_cents);
  if left_cents <= 0 then
    return jsonb_build_object('outcome', 'nothing_left', 'order', floorwalker.shop_order_view(of_order));
  elsif amount <= 0 or amount > left_cents then
    return jsonb_build_object('outcome', 'too_much', 'left_cents', left_cents, 'order', floorwalker.shop_order_view(of_order));
  end if;
  insert into shop_refunds (business_id, order_id, amount_cents, reason, idempotency_key)
  values (p_business_id, of_order.id, amount, left(p_reason, 1000), p_idempotency_key) returning * into refund;
  return jsonb_build_object('outcome', 'refunded', 'repeated', false, 'refund_cents', refund.amount_cents,
    'refunded_at', refund.created_at, 'order', floorwalker.shop_order_view(of_order));
end
$$;

create or replace function public.shop_cancel_order(p_business_id uuid, p_phone text, p_order_number integer, p_reason text, p_idempotency_key text)
  returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  of_order shop_orders;
  left_cents bigint;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into of_order from shop_orders
  where business_id = p_business_id and customer_phone = p_phone and order_number = p_order_number for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  elsif of_order.status = 'cancelled' then
    return jsonb_build_object('outcome', 'cancelled', 'repeated', true, 'order', floorwalker.shop_order_view(of_order));
  elsif of_order.status <> 'processing' then
    return jsonb_build_object('outcome', 'too_late', 'order', floorwalker.shop_order_view(of_order));
  end if;
  left_cents := floorwalker.shop_paid_cents(of_order.id) - floorwalker.shop_refunded_cents(of_order.id);
  update shop_orders set status = 'cancelled', cancelled_at = clock_timestamp() where id = of_order.id returning * into of_order;
  if left_cents > 0 then
    insert into shop_refunds (business_id, order_id, amount_cents, reason, idempotency_key)
    values (p_business_id, of_order.id, left_cents, left(coalesce(p_reason, 'cancelled'), 1000), 'cancel:' || p_idempotency_key);
  end if;
  return jsonb_build_object('outcome', 'cancelled', 'repeated', false, 'order', floorwalker.shop_order_view(of_order));
end
$$;

grant execute on function public.shop_find_order(uuid, text, integer),
  public.shop_refund_order(uuid, text, integer, bigint, text, text), public.shop_cancel_order(uuid, text, integer, text, text)
  to floorwalker_orders;

-- What tool servers know of a customer goes with the customer. Orders stay: they are the books of the shop.
create function floorwalker.delete_tool_data(p_business_id uuid, p_phone text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  removed bigint;
begin
  delete from appointments where business_id = p_business_id and customer_phone = p_phone;
  get diagnostics removed = row_count;
  return jsonb_strip_nulls(jsonb_build_object('appointments', nullif(removed, 0)));
end
$$;
revoke all on function floorwalker.delete_tool_data(uuid, text) from public, anon, authenticated, service_role;

create or replace function floorwalker.subject_interactions(p_business_id uuid, p_subject jsonb)
  returns uuid[]
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
  found_ids uuid[];
begin
  if p_subject ? 'interaction_id' then
    select array_agg(id) into found_ids from interactions
    where business_id = p_business_id and id::text = p_subject ->> 'interaction_id' and purged_at is null;
    if found_ids is null then
      perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
    end if;
    return found_ids;
  end if;
  select * into customer from customers
  where business_id = p_business_id
    and (id::text = p_subject ->> 'customer_id' or phone_number = p_subject ->> 'phone_number');
  select coalesce(array_agg(id), '{}') into found_ids from interactions
  where business_id = p_business_id
    and (customer_id = customer.id or phone_number = coalesce(customer.phone_number, p_subject ->> 'phone_number'));
  if customer.id is null and found_ids = '{}' and not exists (
      select from appointments where business_id = p_business_id and customer_phone = p_subject ->> 'phone_number') then
    perform floorwalker.fail('customer_not_found', 'There is no such customer.');
  end if;
  return found_ids;
end
$$;

create or replace function floorwalker.delete_subject(p_business_id uuid, p_subject jsonb, p_actor uuid, p_actor_name text)
  returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  ids uuid[];
  running uuid[];
  subjects text[];
  one uuid;
  phone text;
  known customers;
  removed jsonb;
  counts jsonb := '{}';
  nonce text := encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'utf8')), 'hex');
  receipt deletion_receipts;
begin
  if (select count(*) from jsonb_object_keys(p_subject) k where k in ('customer_id', 'phone_number', 'interaction_id')) <> 1 then
    perform floorwalker.fail('invalid_request', 'Name the customer by one of customer_id, phone_number and interaction_id.');
  end if;
  -- The same lock as a new conversation takes: none begins between counting and deleting.
  perform pg_advisory_xact_lock(hashtextextended('create:' || p_business_id, 0));
  ids := floorwalker.subject_interactions(p_business_id, p_subject);
  perform 1 from interactions where id = any (ids) order by agent_id, id for update;
  select array_agg(id) into running from interactions where id = any (ids) and status in ('queued', 'active');
  if running is not null then
    perform floorwalker.fail('customer_in_conversation', 'A conversation of this customer is going on; end it first.',
      jsonb_build_object('interaction_ids', to_jsonb(running)));
  end if;

  select * into known from customers where business_id = p_business_id
    and (id::text = p_subject ->> 'customer_id' or phone_number = p_subject ->> 'phone_number');
  phone := coalesce(known.phone_number, p_subject ->> 'phone_number',
    (select i.phone_number from interactions i where i.id = ids[1] and p_subject ? 'interaction_id'));
  select array_agg(subject) into subjects from (
    select unnest(ids)::text as subject
    union select id::text from tool_calls where interaction_id = any (ids)
    union select id::text from tool_permissions where interaction_id = any (ids)
    union select id::text from interaction_archives where interaction_id = any (ids)
    union select known.id::text) s where subject is not null;

  receipt.id := gen_random_uuid();
  receipt.business_id := p_business_id;
  receipt.subject_kind := case when p_subject ? 'interaction_id' then 'interaction' else 'customer' end;
  receipt.subject_hash := encode(sha256(convert_to(nonce || ':' ||
    case when p_subject ? 'interaction_id' then p_subject ->> 'interaction_id' else phone end, 'utf8')), 'hex');
  receipt.deleted_by := p_actor;
  receipt.deleted_by_name := p_actor_name;

  foreach one in array ids loop
    removed := floorwalker.purge_interaction(one);
    select coalesce(jsonb_object_agg(key, coalesce((counts ->> key)::bigint, 0) + coalesce((removed ->> key)::bigint, 0)), '{}')
    into counts from (select jsonb_object_keys(counts || removed) as key) keys;
  end loop;
  counts := counts || jsonb_build_object('interactions', cardinality(ids));
  if not p_subject ? 'interaction_id' then
    counts := counts || floorwalker.delete_tool_data(p_business_id, phone);
  end if;
  if known.id is not null then
    delete from customers where id = known.id;
    counts := counts || '{"customers": 1}';
  end if;
  receipt.counts := counts;
  receipt.deleted_at := clock_timestamp();
  receipt.hash := floorwalker.receipt_hash(receipt);
  insert into deletion_receipts select receipt.*;
  perform floorwalker.redact_audit(p_business_id, subjects,
    case when p_subject ? 'interaction_id' then null else phone end, receipt.id);
  perform floorwalker.audit(p_business_id, 'customer.deleted', 'deletion_receipts', receipt.id::text, counts);
  return to_jsonb(receipt) || jsonb_build_object('subject_nonce', nonce);
end
$$;
