-- What is kept, and for how long. A business may set retention {"archives_days", "rehearsals_days",
-- "failed_rehearsals_days"}; the defaults are 90 days, two years and one year.

create function public.cleanup_realtime_metrics() returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  deleted integer;
begin
  delete from realtime_metrics where created_at < clock_timestamp() - interval '24 hours';
  get diagnostics deleted = row_count;
  return deleted;
end
$$;

create function public.cleanup_old_archives(retention_days integer default 90) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  deleted integer;
begin
  if retention_days is null or retention_days < 0 then
    perform floorwalker.fail('invalid_retention', 'The number of days is zero or more.');
  end if;
  delete from interaction_archives where created_at < clock_timestamp() - make_interval(days => retention_days);
  get diagnostics deleted = row_count;
  return deleted;
end
$$;

create function floorwalker.keep_days(p_business public.businesses, p_row public.interactions) returns integer
  language sql immutable set search_path = public, pg_temp
as $$
  select case
    when p_row.kind = 'live' then coalesce((p_business.retention ->> 'archives_days')::integer, 90)
    when p_row.status = 'failed' then coalesce((p_business.retention ->> 'failed_rehearsals_days')::integer, 365)
    else coalesce((p_business.retention ->> 'rehearsals_days')::integer, 730)
  end
$$;

-- Removes what an interaction contains and whom it was with; the bare row stays, so that counts and links hold.
create function floorwalker.purge_interaction(p_interaction_id uuid) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  delete from interaction_archives where interaction_id = p_interaction_id;
  delete from interaction_messages where interaction_id = p_interaction_id;
  delete from interaction_steps where interaction_id = p_interaction_id;
  delete from realtime_metrics where interaction_id = p_interaction_id;
  update tool_calls set permission_id = null where interaction_id = p_interaction_id;
  delete from tool_permissions where interaction_id = p_interaction_id;
  delete from tool_calls where interaction_id = p_interaction_id;
  update interactions set purged_at = clock_timestamp(), customer_id = null, phone_number = null, phone_source = null,
    called_number = null, agent_snapshot = null, supervisor_notes = null, supervisor_request_reason = null,
    resume_token_hash = null, origin = null, address_hash = null, rating_comment = null
  where id = p_interaction_id;
end
$$;

-- At most p_limit interactions a call, so that it never holds many locks; call it until `more` is false.
create function public.apply_retention(p_limit integer default 500) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  old_one record;
  counts jsonb := '{}';
  purged integer := 0;
  business text;
begin
  for old_one in
    select i.id, i.business_id from interactions i join businesses b on b.id = i.business_id
    where i.purged_at is null and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_days(b, i))
    order by i.agent_id, i.id limit p_limit for update of i skip locked
  loop
    perform floorwalker.purge_interaction(old_one.id);
    purged := purged + 1;
    counts := counts || jsonb_build_object(old_one.business_id, coalesce((counts ->> old_one.business_id::text)::integer, 0) + 1);
  end loop;
  for business in select jsonb_object_keys(counts) loop
    perform floorwalker.audit(business::uuid, 'retention.deleted', 'interactions', business, jsonb_build_object('interactions', counts -> business));
  end loop;
  -- Customers of whom nothing is left.
  delete from customers c where c.created_at < clock_timestamp() - interval '90 days' and purged > 0
    and not exists (select from interactions i where i.customer_id = c.id);
  return jsonb_build_object('interactions', purged, 'metrics', public.cleanup_realtime_metrics(), 'more', purged >= p_limit);
end
$$;
