-- The small shop behind tools/orders. Money is in cents. Every change goes through the functions below, which take
-- the customer's phone number: an order of another customer is not found, whoever asks.

create table public.shop_orders (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  order_number integer not null check (order_number between 1 and 999999999),
  customer_phone text not null check (customer_phone ~ '^\+[1-9][0-9]{6,14}$'),
  status text not null default 'processing' check (status in ('processing', 'shipped', 'delivered', 'cancelled')),
  currency text not null default 'EUR' check (currency ~ '^[A-Z]{3}$'),
  carrier text check (length(carrier) between 1 and 100),
  tracking_number text check (length(tracking_number) between 1 and 100),
  placed_at timestamptz not null default now(),
  shipped_at timestamptz,
  expected_at timestamptz,
  delivered_at timestamptz,
  cancelled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (business_id, order_number),
  check (status not in ('shipped', 'delivered') or shipped_at is not null),
  check ((status = 'delivered') = (delivered_at is not null)),
  check ((status = 'cancelled') = (cancelled_at is not null))
);

create index idx_shop_orders_customer on public.shop_orders (business_id, customer_phone, placed_at desc);

create table public.shop_order_items (
  id uuid primary key default gen_random_uuid(),
  order_id uuid not null references public.shop_orders (id) on delete cascade,
  position integer not null check (position >= 1),
  name text not null check (length(name) between 1 and 200),
  quantity integer not null check (quantity between 1 and 10000),
  unit_price_cents integer not null check (unit_price_cents between 0 and 100000000),
  unique (order_id, position)
);

create table public.shop_refunds (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  order_id uuid not null references public.shop_orders (id) on delete restrict,
  amount_cents bigint not null check (amount_cents > 0),
  reason text check (length(reason) <= 1000),
  idempotency_key text not null check (length(idempotency_key) between 1 and 300),
  created_at timestamptz not null default clock_timestamp(),
  unique (business_id, idempotency_key)
);

create index idx_shop_refunds_order_id on public.shop_refunds (order_id);

create trigger touch_updated_at before update on public.shop_orders
  for each row execute function floorwalker.touch_updated_at();

create function floorwalker.shop_paid_cents(p_order_id uuid) returns bigint
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(sum(quantity::bigint * unit_price_cents), 0)::bigint from shop_order_items where order_id = p_order_id
$$;

create function floorwalker.shop_refunded_cents(p_order_id uuid) returns bigint
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(sum(amount_cents), 0)::bigint from shop_refunds where order_id = p_order_id
$$;

-- Never more than was paid, by whatever way a refund comes; the order's lock makes two at once add up.
create function floorwalker.shop_refund_within_paid() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  of_order shop_orders;
begin
  select * into of_order from shop_orders where id = new.order_id for update;
  if of_order.business_id is distinct from new.business_id
    or floorwalker.shop_refunded_cents(new.order_id) + new.amount_cents > floorwalker.shop_paid_cents(new.order_id)
  then
    raise exception using errcode = '23514', message = 'A refund can not be more than what was paid for the order.';
  end if;
  return new;
end
$$;

create trigger refund_within_paid before insert on public.shop_refunds
  for each row execute function floorwalker.shop_refund_within_paid();

-- A refund is money that moved: it is never edited afterwards.
create function floorwalker.shop_refund_is_final() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  raise exception using errcode = '23514', message = 'A refund can not be changed.';
end
$$;

create trigger refund_is_final before update on public.shop_refunds
  for each row execute function floorwalker.shop_refund_is_final();

create function floorwalker.shop_order_view(p_order public.shop_orders) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'order_number', p_order.order_number, 'status', p_order.status, 'currency', p_order.currency,
    'placed_at', p_order.placed_at, 'shipped_at', p_order.shipped_at, 'expected_at', p_order.expected_at,
    'delivered_at', p_order.delivered_at, 'cancelled_at', p_order.cancelled_at,
    'carrier', p_order.carrier, 'tracking_number', p_order.tracking_number,
    'paid_cents', floorwalker.shop_paid_cents(p_order.id),
    'refunded_cents', floorwalker.shop_refunded_cents(p_order.id),
    'items', coalesce((select jsonb_agg(jsonb_build_object('name', name, 'quantity', quantity,
      'unit_price_cents', unit_price_cents) order by position) from shop_order_items where order_id = p_order.id), '[]'))
$$;

-- The order of that number, or without a number the customer's latest five; [] when there is none of this customer.
create function public.shop_find_order(p_business_id uuid, p_phone text, p_order_number integer default null) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(floorwalker.shop_order_view(o) order by o.placed_at desc), '[]')
  from (
    select * from shop_orders
    where business_id = p_business_id and customer_phone = p_phone
      and (p_order_number is null or order_number = p_order_number)
    order by placed_at desc limit 5
  ) o
$$;

-- Pays back part or, without an amount, all that is left. The same key twice is one refund, and gives the same answer.
create function public.shop_refund_order(
  p_business_id uuid, p_phone text, p_order_number integer, p_amount_cents bigint, p_reason text, p_idempotency_key text
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  of_order shop_orders;
  refund shop_refunds;
  left_cents bigint;
  amount bigint;
begin
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

-- Cancels what is not shipped yet and pays back what is left of its price.
create function public.shop_cancel_order(
  p_business_id uuid, p_phone text, p_order_number integer, p_reason text, p_idempotency_key text
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  of_order shop_orders;
  left_cents bigint;
begin
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

do $$
declare
  name text;
  f regprocedure;
begin
  foreach name in array array['shop_orders', 'shop_order_items', 'shop_refunds'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on table public.%I from public, anon, authenticated', name);
    execute format('grant select on table public.%I to authenticated', name);
    execute format('grant select, insert, update, delete on table public.%I to service_role', name);
  end loop;
  for f in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker') and p.proname like 'shop\_%'
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
end
$$;

create policy admin_only on public.shop_orders for select to authenticated
  using (business_id = (select floorwalker.admin_business()));
create policy admin_only on public.shop_order_items for select to authenticated
  using (exists (select from public.shop_orders o where o.id = order_id));
create policy admin_only on public.shop_refunds for select to authenticated
  using (business_id = (select floorwalker.admin_business()));
