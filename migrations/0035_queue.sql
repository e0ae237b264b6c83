-- The queue: who is next, told to whoever waits.

-- How many wait for this agent up to and including this one; 0 for one that does not wait any more.
create function floorwalker.queue_position(p_row public.interactions) returns integer
  language sql stable security definer set search_path = public, pg_temp
as $$
  select case when p_row.status <> 'queued' then 0 else (
    select count(*)::integer from interactions w
    where w.agent_id = p_row.agent_id and w.status = 'queued'
      and (w.queued_at, w.id) <= (p_row.queued_at, p_row.id)) end
$$;

create or replace function floorwalker.created(p_row public.interactions) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'interaction_id', p_row.id, 'room', p_row.livekit_room_id, 'status', p_row.status,
    'agent_type', p_row.interaction_type, 'business_id', p_row.business_id,
    'position', floorwalker.queue_position(p_row),
    -- Whether an agent may be called at once. Otherwise somebody has waited longer, and workers go by the queue.
    'first_in_turn', p_row.status = 'queued'
      and floorwalker.queue_position(p_row) <= (select a.max_concurrent_interactions - (
        select count(*) from interactions o where o.agent_id = a.id and o.status = 'active') from agents a where a.id = p_row.agent_id)
      and not exists (select from interactions w
        where w.business_id = p_row.business_id and w.interaction_type = p_row.interaction_type and w.status = 'queued'
          and w.queued_at < p_row.queued_at - interval '3 seconds'))
$$;

create or replace function public.resume_interaction(p_interaction_id uuid, p_resume_token_hash text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  return jsonb_build_object('interaction_id', found_row.id, 'room', found_row.livekit_room_id,
    'status', found_row.status, 'agent_type', found_row.interaction_type,
    'position', floorwalker.queue_position(found_row));
end
$$;

-- Of those who wait for the same agent only as many are offered as it has places, the longest waiting first:
-- nobody can be served before somebody who came earlier.
create or replace function public.claimable_interactions(p_limit integer default 100) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', c.id, 'room', c.livekit_room_id, 'generation', c.generation,
    'agent_type', c.interaction_type, 'claim_attempts', c.claim_attempts,
    'waited_seconds', extract(epoch from clock_timestamp() - c.queued_at)) order by c.queued_at), '[]')
  from (
    select i.id, i.livekit_room_id, i.generation, i.interaction_type, i.claim_attempts, i.queued_at
    from interactions i
    where i.status = 'active' and (i.lease_until is null or i.lease_until <= clock_timestamp())
    union all
    select q.id, q.livekit_room_id, q.generation, q.interaction_type, q.claim_attempts, q.queued_at
    from (
      select i.*, row_number() over (partition by i.agent_id order by i.queued_at, i.id) as turn
      from interactions i where i.status = 'queued'
    ) q
    join agents a on a.id = q.agent_id
    where q.turn <= a.max_concurrent_interactions - (
      select count(*) from interactions o where o.agent_id = q.agent_id and o.status = 'active')
    order by queued_at limit p_limit
  ) c
$$;

-- Those who wait, the longest waiting first, with what is needed to tell them so.
create function public.waiting_interactions() returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', w.id, 'room', w.livekit_room_id, 'agent_type', w.interaction_type, 'position', w.position,
    'waited_seconds', extract(epoch from clock_timestamp() - w.queued_at),
    'language', a.language, 'voice_settings', a.voice_settings, 'business_name', b.name)
    order by w.queued_at, w.id), '[]')
  from (
    select i.*, row_number() over (partition by i.agent_id order by i.queued_at, i.id) as position
    from interactions i where i.status = 'queued' order by i.queued_at, i.id limit 500
  ) w
  join agents a on a.id = w.agent_id
  join businesses b on b.id = w.business_id
$$;

do $$
declare
  f regprocedure;
begin
  foreach f in array array['public.waiting_interactions()', 'floorwalker.queue_position(public.interactions)']::regprocedure[]
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
end
$$;

-- The content goes before the row is marked as purged: what is removed by triggers of that mark would be missing in
-- the receipt of a deletion.
create or replace function floorwalker.purge_interaction(p_interaction_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  removed jsonb := floorwalker.empty_of(p_interaction_id);
begin
  update interactions set purged_at = clock_timestamp(), transcript_purged_at = coalesce(transcript_purged_at, clock_timestamp()),
    generation = generation + 1, customer_id = null, phone_number = null, phone_source = null,
    called_number = null, provider_call_id = null, agent_snapshot = null, disposition = null, supervisor_notes = null,
    supervisor_request_reason = null, end_requested_reason = null, resume_token_hash = null, origin = null,
    address_hash = null, rating_comment = null,
    -- A person may have written whole sentences there.
    end_reason = case when end_reason ~ '^[a-z_]{1,40}$' then end_reason else 'ended_by_supervisor' end
  where id = p_interaction_id;
  -- Once more: the changes above are noted for those who watch.
  perform floorwalker.empty_of(p_interaction_id);
  return removed;
end
$$;
