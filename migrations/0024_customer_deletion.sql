-- One customer's data is deleted on request. What remains is a receipt: what was removed, when and by whom, without
-- saying of whom.

create table public.deletion_receipts (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  -- What the request named: a customer, or one conversation of somebody whose number was never known.
  subject_kind text not null check (subject_kind in ('customer', 'interaction')),
  -- SHA-256 of a random text and the subject. The text is in the receipt that was handed out and nowhere else, so
  -- whoever holds that can prove whom it is about, and the database alone tells nobody.
  subject_hash text not null check (subject_hash ~ '^[0-9a-f]{64}$'),
  -- Rows removed, by table.
  counts jsonb not null check (jsonb_typeof(counts) = 'object'),
  -- No foreign key: the receipt outlives people. Null where an operator did it with the secret key.
  deleted_by uuid,
  deleted_by_name text not null,
  deleted_at timestamptz not null,
  -- SHA-256 of all of the above.
  hash text not null check (hash ~ '^[0-9a-f]{64}$')
);

create index idx_deletion_receipts_business on public.deletion_receipts (business_id, deleted_at desc);

alter table public.deletion_receipts enable row level security;
revoke all on public.deletion_receipts from public, anon, authenticated, service_role;
grant select on public.deletion_receipts to authenticated, service_role;
create policy admin_only on public.deletion_receipts for select to authenticated
  using (business_id = (select floorwalker.admin_business()));

create function floorwalker.refuse_receipt_change() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  perform floorwalker.fail('audit_append_only', 'Receipts of deletions are only ever added.');
  return null;
end
$$;

create trigger append_only before update or delete on public.deletion_receipts
  for each row execute function floorwalker.refuse_receipt_change();
create trigger append_only_truncate before truncate on public.deletion_receipts
  for each statement execute function floorwalker.refuse_receipt_change();

create function floorwalker.receipt_hash(p_receipt public.deletion_receipts) returns text
  language sql immutable set search_path = public, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|', p_receipt.id, p_receipt.business_id, p_receipt.subject_kind,
    p_receipt.subject_hash, p_receipt.counts, p_receipt.deleted_by, p_receipt.deleted_by_name,
    extract(epoch from p_receipt.deleted_at)), 'utf8')), 'hex')
$$;

-- The audit log keeps that something was done, when and by whom. Of what it says only the details can ever go, and
-- only for a receipt of a deletion.
create or replace function floorwalker.refuse_audit_change() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if tg_op = 'UPDATE' then
    if to_jsonb(new) - 'details' = to_jsonb(old) - 'details'
      and (select count(*) from jsonb_object_keys(new.details)) = 1
      and exists (select from deletion_receipts where id::text = new.details ->> 'deleted_by_receipt') then
      return new;
    end if;
  end if;
  perform floorwalker.fail('audit_append_only', 'The audit log is only ever added to.');
  return null;
end
$$;

-- Whom a request means. {"customer_id"}, {"phone_number"} or {"interaction_id"}.
create function floorwalker.subject_interactions(p_business_id uuid, p_subject jsonb) returns uuid[]
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
  if customer.id is null and found_ids = '{}' then
    perform floorwalker.fail('customer_not_found', 'There is no such customer.');
  end if;
  return found_ids;
end
$$;

create function floorwalker.redact_audit(p_business_id uuid, p_subjects text[], p_phone text, p_receipt uuid) returns bigint
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  changed bigint;
begin
  update audit_events set details = jsonb_build_object('deleted_by_receipt', p_receipt)
  where business_id = p_business_id and details <> '{}'
    and (subject_id = any (p_subjects) or (p_phone is not null and position(p_phone in details::text) > 0));
  get diagnostics changed = row_count;
  return changed;
end
$$;

create function floorwalker.delete_subject(
  p_business_id uuid, p_subject jsonb, p_actor uuid, p_actor_name text
) returns jsonb
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

create function public.delete_customer(p_subject jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  actor users := floorwalker.actor();
begin
  if actor.id is null or actor.role <> 'admin' then
    perform floorwalker.fail('not_allowed', 'Only an admin of the business may delete a customer''s data.');
  end if;
  return floorwalker.delete_subject(actor.business_id, p_subject, actor.id, actor.name);
end
$$;

-- For an operator: {"business_slug"} or {"business_id"} beside whom it is about.
create function public.delete_customer_as_operator(p_subject jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  business businesses := floorwalker.find_business(p_subject);
begin
  return floorwalker.delete_subject(business.id, p_subject - 'business_slug' - 'business_id', null, 'operator');
end
$$;

do $$
declare
  f regprocedure;
begin
  foreach f in array array[
    'public.delete_customer(jsonb)', 'public.delete_customer_as_operator(jsonb)',
    'floorwalker.receipt_hash(public.deletion_receipts)', 'floorwalker.refuse_receipt_change()',
    'floorwalker.subject_interactions(uuid, jsonb)', 'floorwalker.redact_audit(uuid, text[], text, uuid)',
    'floorwalker.delete_subject(uuid, jsonb, uuid, text)']::regprocedure[]
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
  revoke execute on function public.delete_customer(jsonb) from service_role;
  grant execute on function public.delete_customer(jsonb) to authenticated;
end
$$;
