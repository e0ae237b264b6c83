-- An interaction ends: facts first, at once and without asking any model; the model's words come later or never.

-- The metrics of an interaction as a series of at most 600 points: offsets in seconds, first letters, scores.
create function floorwalker.metrics_series(p_interaction_id uuid) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  with rows as (
    select m.*, row_number() over (order by m."timestamp") - 1 as place, count(*) over () as total
    from realtime_metrics m where m.interaction_id = p_interaction_id
  ), kept as (
    select * from rows where place % greatest(1, ceil(total / 600.0)::integer) = 0
  )
  select case when count(*) = 0 then '{"points": 0}'::jsonb else jsonb_build_object(
    'points', count(*),
    'from', min("timestamp"),
    'offset_seconds', jsonb_agg(round(extract(epoch from "timestamp" - first_at)::numeric, 1) order by "timestamp"),
    'sentiment', string_agg(left(sentiment, 1), '' order by "timestamp"),
    'satisfaction', jsonb_agg(satisfaction_score order by "timestamp"),
    'last_feed_text', (array_agg(feed_text order by "timestamp" desc))[1]) end
  from (select k.*, min("timestamp") over () as first_at from kept k) series
$$;

create function floorwalker.facts(p_row public.interactions) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'end_reason', p_row.end_reason,
    'duration_seconds', p_row.duration_seconds,
    'waited_seconds', greatest(0, round(extract(epoch from coalesce(p_row.started_at, p_row.ended_at) - p_row.queued_at))),
    'claims', p_row.claim_attempts,
    'messages', (select jsonb_build_object(
        'customer', count(*) filter (where role = 'customer'), 'agent', count(*) filter (where role = 'agent'),
        'supervisor', count(*) filter (where role = 'supervisor'))
      from interaction_messages where interaction_id = p_row.id),
    'tool_calls', (select coalesce(jsonb_object_agg(state, n), '{}')
      from (select state, count(*) as n from tool_calls where interaction_id = p_row.id group by state) c),
    'permissions', (select coalesce(jsonb_object_agg(status, n), '{}')
      from (select status, count(*) as n from tool_permissions where interaction_id = p_row.id group by status) p),
    'takeovers', (select count(*) from interaction_steps where interaction_id = p_row.id and step_type = 'takeover'),
    'tokens_input', (select coalesce(sum(tokens_input), 0) from interaction_steps where interaction_id = p_row.id),
    'tokens_output', (select coalesce(sum(tokens_output), 0) from interaction_steps where interaction_id = p_row.id),
    'sentiment', (select jsonb_build_object(
        'good', count(*) filter (where sentiment = 'good'), 'neutral', count(*) filter (where sentiment = 'neutral'),
        'critical', count(*) filter (where sentiment = 'critical'),
        'last', (array_agg(sentiment order by "timestamp" desc))[1],
        'satisfaction_average', round(avg(satisfaction_score), 2), 'satisfaction_lowest', min(satisfaction_score))
      from realtime_metrics where interaction_id = p_row.id))
$$;

create function floorwalker.facts_summary(p_row public.interactions, p_facts jsonb) returns text
  language sql immutable set search_path = public, pg_temp
as $$
  select format('%s of %s: %s from the customer, %s from the agent%s. Ended: %s.',
    case p_row.interaction_type when 'voice' then 'Call' else 'Chat' end,
    case when coalesce(p_row.duration_seconds, 0) < 120 then coalesce(p_row.duration_seconds, 0) || ' s'
      else round(p_row.duration_seconds / 60.0) || ' min' end,
    (p_facts #>> '{messages,customer}') || case p_facts #>> '{messages,customer}' when '1' then ' message' else ' messages' end,
    p_facts #>> '{messages,agent}',
    coalesce((select '; tool calls: ' || string_agg(value || ' ' || key, ', ' order by key) from jsonb_each_text(p_facts -> 'tool_calls')), ''),
    replace(coalesce(p_row.end_reason, 'unknown'), '_', ' '))
$$;

-- The end itself, for a row that the caller has locked.
create function floorwalker.end_interaction(p_row public.interactions, p_status text, p_end_reason text)
  returns public.interaction_archives
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  ended interactions;
  archive interaction_archives;
  found_facts jsonb;
  last_scores numeric;
  moment timestamptz := clock_timestamp();
begin
  perform floorwalker.lock_customer_history(p_row.id);

  update tool_permissions set status = 'timeout', supervisor_response = 'timeout', responded_at = moment
  where interaction_id = p_row.id and status = 'pending' and expires_at <= moment;
  update tool_permissions set status = 'withdrawn', responded_at = moment
  where interaction_id = p_row.id and status = 'pending';
  -- What was running may have had its effect: nobody knows, so it says so. What never started never will.
  update tool_calls c set
    state = case when c.state = 'running' then 'unknown' else 'refused' end,
    refusal_reason = case when c.state = 'running' then null else coalesce(
      (select case p.status when 'denied' then 'denied' when 'timeout' then 'timeout' end
        from tool_permissions p where p.id = c.permission_id), 'withdrawn') end,
    finished_at = moment
  where c.interaction_id = p_row.id and c.state in ('requested', 'awaiting_permission', 'running');

  update interactions set
    status = p_status, end_reason = p_end_reason, ended_at = moment,
    duration_seconds = greatest(0, round(extract(epoch from moment - coalesce(started_at, moment))))::integer,
    control = 'agent', controlled_by = null, worker_id = null, lease_until = null
  where id = p_row.id returning * into ended;

  found_facts := floorwalker.facts(ended);
  select round(avg(satisfaction_score), 2) into last_scores from (
    select satisfaction_score from realtime_metrics where interaction_id = ended.id order by "timestamp" desc limit 3) recent;

  insert into interaction_archives (interaction_id, business_id, summary, tags, csat_score, csat_source,
    resolution_time_seconds, fcr_status, metrics_series, facts)
  values (ended.id, ended.business_id, floorwalker.facts_summary(ended, found_facts),
    jsonb_build_object('topics', '[]'::jsonb, 'issues', '[]'::jsonb, 'sentiment', coalesce(found_facts #>> '{sentiment,last}', 'neutral')),
    coalesce((ended.rating - 1) * 25, last_scores),
    case when ended.rating is not null then 'customer' when last_scores is not null then 'metrics' end,
    ended.duration_seconds, p_status = 'completed', floorwalker.metrics_series(ended.id), found_facts)
  returning * into archive;
  delete from realtime_metrics where interaction_id = ended.id;
  return archive;
end
$$;

create function public.complete_interaction(
  p_interaction_id uuid, p_generation bigint, p_status text, p_end_reason text
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
  archive interaction_archives;
begin
  if p_status is null or p_status not in ('completed', 'failed') then
    perform floorwalker.fail('invalid_status', 'An interaction ends "completed" or "failed".');
  end if;
  select * into mine from interactions where id = p_interaction_id for update;
  if found and mine.status in ('completed', 'failed') then
    select * into archive from interaction_archives where interaction_id = mine.id;
    return jsonb_build_object('archive', case when archive.id is not null then to_jsonb(archive) end, 'already', true);
  end if;
  mine := floorwalker.lock_interaction(p_interaction_id, p_generation);
  archive := floorwalker.end_interaction(mine, p_status, p_end_reason);
  return jsonb_build_object('archive', to_jsonb(archive), 'already', false);
end
$$;

-- Refuses tags outside the business's vocabulary unless they are declared as new; the declared ones extend it.
create function floorwalker.extend_vocabulary(p_business_id uuid, p_tags jsonb) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  vocabulary jsonb;
  declared text[];
  new_topics text[];
  new_issues text[];
  unknown text[];
begin
  select tag_vocabulary into vocabulary from businesses where id = p_business_id for no key update;
  select coalesce(array_agg(d), '{}') into declared from jsonb_array_elements_text(
    coalesce(nullif(p_tags -> 'new_issue_tags', 'null'), '[]') || coalesce(nullif(p_tags -> 'new_topics', 'null'), '[]')) d;
  select array_agg(distinct t) into new_topics from jsonb_array_elements_text(p_tags -> 'topics') t
  where not vocabulary -> 'topics' ? t;
  select array_agg(distinct i ->> 'tag') into new_issues from jsonb_array_elements(p_tags -> 'issues') i
  where not vocabulary -> 'issues' ? (i ->> 'tag');

  select array_agg(tag) into unknown from unnest(coalesce(new_topics, '{}') || coalesce(new_issues, '{}')) tag
  where not (tag = any (declared) and tag ~ '^[a-z0-9][a-z0-9_]{0,59}$');
  if unknown is not null then
    perform floorwalker.fail('archive_invalid',
      'Tags must come from the vocabulary of the business or be declared in new_issue_tags or new_topics, in lower_snake_case.',
      jsonb_build_object('unknown', to_jsonb(unknown), 'vocabulary', vocabulary));
  end if;
  if new_topics is not null or new_issues is not null then
    update businesses set tag_vocabulary = jsonb_build_object(
      'topics', (vocabulary -> 'topics') || to_jsonb(coalesce(new_topics, '{}')),
      'issues', (vocabulary -> 'issues') || to_jsonb(coalesce(new_issues, '{}')))
    where id = p_business_id;
  end if;
end
$$;

create function floorwalker.check_result(p_result jsonb) returns text
  language sql immutable set search_path = public, pg_temp
as $$
  select case
    when coalesce(length(btrim(p_result ->> 'summary')), 0) = 0 then 'summary is empty'
    when jsonb_typeof(p_result -> 'issues') is distinct from 'array' then 'issues is not a list'
    when jsonb_typeof(p_result #> '{tags,topics}') is distinct from 'array' then 'tags.topics is not a list'
    when jsonb_typeof(p_result #> '{tags,issues}') is distinct from 'array' then 'tags.issues is not a list'
    when exists (select from jsonb_array_elements(p_result -> 'issues') i where coalesce(i ->> 'issue', '') = ''
      or i ->> 'status' is null or i ->> 'status' not in ('resolved', 'unresolved')
      or i ->> 'priority' is null or i ->> 'priority' not in ('low', 'medium', 'high'))
      then 'an issue needs issue, status (resolved, unresolved) and priority (low, medium, high)'
    when exists (select from jsonb_array_elements(p_result #> '{tags,issues}') i where coalesce(i ->> 'tag', '') = ''
      or i ->> 'status' is null or i ->> 'status' not in ('resolved', 'unresolved'))
      then 'an entry of tags.issues needs tag and status (resolved, unresolved)'
  end
$$;

create function public.update_archive(p_interaction_id uuid, p_result jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  archive interaction_archives;
  problem text := floorwalker.check_result(p_result);
begin
  if problem is not null then
    perform floorwalker.fail('archive_invalid', problem || '.');
  end if;
  perform floorwalker.lock_customer_history(p_interaction_id);
  select * into archive from interaction_archives where interaction_id = p_interaction_id for update;
  if not found then
    perform floorwalker.fail('archive_not_found', 'This interaction has no archive yet.');
  end if;
  perform floorwalker.extend_vocabulary(archive.business_id, p_result -> 'tags');

  update interaction_archives set
    summary = p_result ->> 'summary',
    summary_source = 'model',
    issues = p_result -> 'issues',
    tags = jsonb_build_object('topics', p_result #> '{tags,topics}', 'issues', p_result #> '{tags,issues}',
      'sentiment', coalesce(p_result #>> '{tags,sentiment}', tags ->> 'sentiment')),
    csat_score = case when csat_source = 'customer' then csat_score else coalesce((p_result ->> 'csat_score')::numeric, csat_score) end,
    csat_source = case when csat_source = 'customer' or p_result ->> 'csat_score' is null then csat_source else 'model' end
  where id = archive.id;
  -- Read again: the trigger may have changed fcr_status.
  return (select to_jsonb(a) from interaction_archives a where a.id = archive.id);
end
$$;

-- Rooms nobody came to, and interactions no worker could carry on. p_present: rooms in which the customer still
-- waits, which are in a queue and not abandoned.
create function public.reap_unjoined(p_after_seconds numeric, p_present uuid[] default '{}') returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  abandoned interactions;
  reaped jsonb := '[]';
begin
  for abandoned in
    select * from interactions i
    where not (i.id = any (p_present)) and (
      (i.status = 'queued' and i.queued_at < clock_timestamp() - make_interval(secs => p_after_seconds::double precision))
      or (i.status = 'active' and i.lease_until < clock_timestamp() - interval '30 minutes'))
    order by i.agent_id, i.id limit 100 for update skip locked
  loop
    perform floorwalker.end_interaction(abandoned, 'failed',
      case when abandoned.status = 'queued' then 'nobody_joined' else 'worker_lost' end);
    reaped := reaped || to_jsonb(abandoned.id);
  end loop;
  return reaped;
end
$$;
