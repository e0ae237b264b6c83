-- What a session writes while it runs. All of it may be sent twice; the second time changes nothing.

create function floorwalker.store_messages(p_interaction_id uuid, p_messages jsonb) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  message jsonb;
  next_seq bigint;
begin
  select coalesce(max(seq), 0) into next_seq from interaction_messages where interaction_id = p_interaction_id;
  for message in select m from jsonb_array_elements(p_messages) with ordinality as list (m, place) order by place loop
    -- An interrupted utterance is corrected to what was really heard.
    update interaction_messages set
      content = message ->> 'content',
      interrupted = coalesce((message ->> 'interrupted')::boolean, interrupted),
      metadata = metadata || coalesce(nullif(message -> 'metadata', 'null'), '{}')
    where interaction_id = p_interaction_id and item_id = message ->> 'item_id';
    if not found then
      next_seq := next_seq + 1;
      insert into interaction_messages (interaction_id, item_id, seq, role, content, interrupted, spoken_at, metadata)
      values (p_interaction_id, message ->> 'item_id', next_seq, message ->> 'role', message ->> 'content',
        coalesce((message ->> 'interrupted')::boolean, false), (message ->> 'spoken_at')::timestamptz,
        coalesce(nullif(message -> 'metadata', 'null'), '{}'));
    end if;
  end loop;
end
$$;

create function floorwalker.store_steps(p_interaction_id uuid, p_steps jsonb) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into interaction_steps (interaction_id, step_id, step_type, name, input, output, duration_ms, model,
    tokens_input, tokens_output, characters, audio_seconds, error, happened_at)
  select p_interaction_id, s ->> 'step_id', s ->> 'step_type', s ->> 'name', nullif(s -> 'input', 'null'),
    nullif(s -> 'output', 'null'), round((s ->> 'duration_ms')::numeric), s ->> 'model',
    (s ->> 'tokens_input')::integer, (s ->> 'tokens_output')::integer, (s ->> 'characters')::integer,
    (s ->> 'audio_seconds')::numeric, nullif(s -> 'error', 'null'),
    coalesce((s ->> 'happened_at')::timestamptz, clock_timestamp())
  from jsonb_array_elements(p_steps) with ordinality as list (s, place)
  order by place
  on conflict (interaction_id, step_id) do nothing
$$;

-- Stored whenever the generation is the current one, even after the end: the last words must not be lost because
-- completion was faster than the outbox.
create function public.append_records(p_batch jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  entry jsonb;
  wanted bigint;
  current_generation bigint;
  known boolean;
  results jsonb := '[]';
begin
  perform 1 from interactions i
  join (select distinct (e ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_batch) e) b on b.id = i.id
  order by i.agent_id, i.id for update of i;

  for entry in select e from jsonb_array_elements(p_batch) with ordinality as list (e, place) order by place loop
    wanted := (entry ->> 'generation')::bigint;
    select generation into current_generation from interactions where id = (entry ->> 'interaction_id')::uuid;
    known := found;
    if known and current_generation = wanted then
      perform floorwalker.store_messages((entry ->> 'interaction_id')::uuid, coalesce(entry -> 'messages', '[]'));
      perform floorwalker.store_steps((entry ->> 'interaction_id')::uuid, coalesce(entry -> 'steps', '[]'));
      results := results || jsonb_build_object('interaction_id', entry ->> 'interaction_id', 'stored', true);
    else
      results := results || jsonb_build_object('interaction_id', entry ->> 'interaction_id', 'stored', false,
        'reason', case when known then 'stale' else 'not_found' end);
    end if;
  end loop;
  return results;
end
$$;

-- Rows of all sessions of a process in one insert. None after the end.
create function public.record_metrics(p_rows jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  fitting integer;
begin
  -- Against a completion that runs at the same moment and removes the rows of its interaction.
  perform 1 from interactions i
  join (select distinct (r ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_rows) r) b on b.id = i.id
  order by i.agent_id, i.id for share of i;

  select count(*) into fitting
  from jsonb_array_elements(p_rows) r
  join interactions i on i.id = (r ->> 'interaction_id')::uuid
    and i.generation = (r ->> 'generation')::bigint and i.status = 'active';

  insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text)
  select i.id, (r ->> 'timestamp')::timestamptz, r ->> 'sentiment', (r ->> 'satisfaction_score')::numeric,
    left(coalesce(r ->> 'feed_text', ''), 120)
  from jsonb_array_elements(p_rows) r
  join interactions i on i.id = (r ->> 'interaction_id')::uuid
    and i.generation = (r ->> 'generation')::bigint and i.status = 'active'
  on conflict (interaction_id, "timestamp") do nothing;

  return jsonb_build_object('stored', fitting, 'refused', jsonb_array_length(p_rows) - fitting);
end
$$;

-- A number that the customer only claims never replaces one that the phone network or a check has given.
create function public.set_phone_number(p_interaction_id uuid, p_generation bigint, p_phone text, p_source text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
  customer uuid;
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  customer := floorwalker.link_customer(mine.business_id, p_phone);
  if p_source = 'claimed' and mine.phone_source in ('sip', 'verified') and mine.phone_number <> p_phone then
    return jsonb_build_object('stored', false, 'reason', 'trusted_number_kept', 'phone_number', mine.phone_number,
      'phone_source', mine.phone_source, 'customer_id', mine.customer_id);
  end if;
  update interactions set phone_number = p_phone, customer_id = customer,
    phone_source = case when p_source = 'claimed' and phone_number = p_phone then coalesce(phone_source, p_source) else p_source end
  where id = mine.id returning * into mine;
  return jsonb_build_object('stored', true, 'phone_number', mine.phone_number, 'phone_source', mine.phone_source,
    'customer_id', mine.customer_id);
end
$$;

-- Present: someone who may act has had the console open within the last minute.
create function public.request_supervisor(p_interaction_id uuid, p_generation bigint, p_reason text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.lock_interaction(p_interaction_id, p_generation);
begin
  if mine.status <> 'active' then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended.');
  end if;
  update interactions set
    supervisor_requested_at = coalesce(supervisor_requested_at, clock_timestamp()),
    supervisor_request_reason = left(p_reason, 1000)
  where id = mine.id;
  return jsonb_build_object('supervisor_present', exists (
    select from agents a
    join users u on u.business_id = a.business_id and (u.role = 'admin' or u.id in (a.supervisor_id, a.cover_id))
    where a.id = mine.agent_id and u.deleted_at is null and u.last_seen_at > clock_timestamp() - interval '1 minute'));
end
$$;
