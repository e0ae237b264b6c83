-- What a process could not store before it died, and another one stores in its place. By then somebody else may carry
-- the interaction on, who began from what was there: that such records are of an older generation is no reason to refuse
-- them, because they were said while nobody else could say anything. This is for the dead alone: a session that lost its
-- lease is refused by append_records as before.

-- Puts messages where they were said: before the first message that is younger. One that is there already, because its
-- sender sent it again, is moved to where it was said first, and keeps its words.
create function floorwalker.insert_left_messages(p_interaction_id uuid, p_messages jsonb) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  -- Below all others at first: each place is taken once at any moment.
  insert into interaction_messages as m (interaction_id, item_id, seq, role, content, interrupted, spoken_at, metadata)
  select p_interaction_id, s.item_id, -s.place, s.message ->> 'role', s.message ->> 'content',
    coalesce((s.message ->> 'interrupted')::boolean, false), (s.message ->> 'spoken_at')::timestamptz,
    coalesce(nullif(s.message -> 'metadata', 'null'), '{}')
  from floorwalker.left_messages(p_messages) s
  on conflict (interaction_id, item_id) do update set spoken_at = excluded.spoken_at
    where excluded.spoken_at < m.spoken_at;

  with known as (
    select m.id, m.seq, coalesce(m.spoken_at, m.created_at) as at, s.place
    from interaction_messages m left join floorwalker.left_messages(p_messages) s on s.item_id = m.item_id
    where m.interaction_id = p_interaction_id
  ), following as (
    select k.id, k.seq, k.place, case when k.place is null then k.seq
      else max(coalesce((select min(o.seq) from known o where o.place is null and o.at > k.at), 9223372036854775807))
        over (partition by k.place is null order by k.place) end as before
    from known k
  ), placed as (
    select id, seq, row_number() over (order by before, place nulls last) as wanted from following
  )
  update interaction_messages m set seq = -1000000 - p.wanted from placed p where m.id = p.id and p.seq <> p.wanted;
  update interaction_messages set seq = -1000000 - seq where interaction_id = p_interaction_id and seq < -1000000;
end
$$;

-- An utterance that was corrected comes several times: its first place, and its last form.
create function floorwalker.left_messages(p_messages jsonb)
  returns table (item_id text, place bigint, message jsonb)
  language sql immutable set search_path = public, pg_temp
as $$
  select m ->> 'item_id', min(n), (array_agg(m order by n desc))[1]
  from jsonb_array_elements(p_messages) with ordinality as list (m, n) group by m ->> 'item_id'
$$;

-- Stores what dead processes have left. Repeated, it changes nothing.
create function public.append_left_records(p_batch jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  entry jsonb;
  mine interactions;
  new_facts jsonb;
  results jsonb := '[]';
begin
  perform 1 from interactions i
  join (select distinct (e ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_batch) e) b on b.id = i.id
  order by i.agent_id, i.id for update of i;

  for entry in select e from jsonb_array_elements(p_batch) with ordinality as list (e, place) order by place loop
    select * into mine from interactions where id = (entry ->> 'interaction_id')::uuid;
    -- What was deleted meanwhile stays deleted.
    if not found or mine.purged_at is not null then
      results := results || jsonb_build_object('interaction_id', entry ->> 'interaction_id', 'stored', false,
        'reason', 'not_found');
      continue;
    end if;
    if mine.generation < (entry ->> 'generation')::bigint then
      results := results || jsonb_build_object('interaction_id', mine.id, 'stored', false, 'reason', 'stale');
      continue;
    end if;
    -- Nobody has spoken after it: what it said last of an utterance counts.
    if mine.generation = (entry ->> 'generation')::bigint then
      perform floorwalker.store_messages(mine.id, coalesce(entry -> 'messages', '[]'));
    end if;
    if mine.generation > (entry ->> 'generation')::bigint or mine.status <> 'active' then
      perform floorwalker.insert_left_messages(mine.id, coalesce(entry -> 'messages', '[]'));
    end if;
    perform floorwalker.store_steps(mine.id, coalesce(entry -> 'steps', '[]'));
    results := results || jsonb_build_object('interaction_id', mine.id, 'stored', true);

    -- The archive of one that has ended counted without them; its metrics are reduced already.
    continue when mine.status not in ('completed', 'failed');
    new_facts := floorwalker.facts(mine);
    update interaction_archives a set
      facts = a.facts || jsonb_build_object('messages', new_facts -> 'messages', 'takeovers', new_facts -> 'takeovers',
        'tokens_input', new_facts -> 'tokens_input', 'tokens_output', new_facts -> 'tokens_output'),
      summary = case a.summary_source when 'facts' then floorwalker.facts_summary(mine, new_facts) else a.summary end
    where a.interaction_id = mine.id;
  end loop;
  return results;
end
$$;

create function public.record_left_metrics(p_rows jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  added integer;
begin
  -- Against a completion that runs at the same moment and removes the rows of its interaction.
  perform 1 from interactions i
  join (select distinct (r ->> 'interaction_id')::uuid as id from jsonb_array_elements(p_rows) r) b on b.id = i.id
  order by i.agent_id, i.id for share of i;

  insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text)
  select i.id, (r ->> 'timestamp')::timestamptz, r ->> 'sentiment', (r ->> 'satisfaction_score')::numeric,
    left(coalesce(r ->> 'feed_text', ''), 120)
  from jsonb_array_elements(p_rows) r
  join interactions i on i.id = (r ->> 'interaction_id')::uuid
    and i.generation >= (r ->> 'generation')::bigint and i.status = 'active'
  on conflict (interaction_id, "timestamp") do nothing;
  get diagnostics added = row_count;
  return jsonb_build_object('stored', added);
end
$$;

revoke execute on function floorwalker.insert_left_messages(uuid, jsonb), floorwalker.left_messages(jsonb),
  public.append_left_records(jsonb), public.record_left_metrics(jsonb) from public, anon, authenticated;
grant execute on function public.append_left_records(jsonb), public.record_left_metrics(jsonb) to service_role;
