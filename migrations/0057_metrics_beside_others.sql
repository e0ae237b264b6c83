-- The rows of a tick come in time also while their conversations are written to. Until now they waited for each message
-- and heartbeat of one of them, and those for them: all held the rows of the conversations in ways that exclude each
-- other. What must exclude measurements is an end that removes them, which locks the row for an update of its key too;
-- messages and heartbeats change no key.
create or replace function public.record_metrics(p_rows jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  fitting integer;
begin
  -- Against a completion that runs at the same moment and removes the rows of its interaction.
  perform 1 from interactions i
  join (select distinct (r ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_rows) r) b on b.id = i.id
  order by i.agent_id, i.id for key share of i;

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

create or replace function public.append_records(p_batch jsonb) returns jsonb
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
  order by i.agent_id, i.id for no key update of i;

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
