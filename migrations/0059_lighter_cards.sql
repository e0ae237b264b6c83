-- The floor's cards of 200 open chats. Half of the database's time went into copies of their points, as jsonb copies
-- whatever is put into an object or a list (47 ms, 24 as json). And a card is some 300 pixels wide: 45 points are kept of
-- each conversation at most, where it was twice that, which halves what is sent and read on the way to the browser.
drop function public.interaction_tracks(uuid, integer);
create function public.interaction_tracks(p_interaction_id uuid, p_points integer) returns json
  -- By the planner's guess of 20,000 measurements each it would be worth compiling, which takes longer than all of it.
  language sql stable security definer set search_path = public, pg_temp set jit = off
as $$
  with seen as materialized (
    -- Two questions, so that each has its index.
    select i.id, t.until, t.times, t.scores, t.sentiments
    from interactions i left join floorwalker.tracks t on t.interaction_id = i.id and p_points >= 60
    where p_interaction_id is null and i.status in ('queued', 'active') and i.kind = 'live'
      and i.agent_id = any ((select floorwalker.visible_agents())::uuid[])
    union all
    select i.id, null, null, null, null from interactions i
    where i.id = p_interaction_id and i.agent_id = any ((select floorwalker.visible_agents())::uuid[])
  ), placed as (
    select m.interaction_id, m."timestamp", m.sentiment, m.satisfaction_score,
      ntile(least(greatest(p_points - coalesce(jsonb_array_length(seen.times), 0), 1), 2000))
        over (partition by m.interaction_id order by m."timestamp") as bucket
    -- Conversation by conversation, each from its place in the index: a day and more of them, so that none is left out.
    from seen cross join lateral (
      select r.interaction_id, r."timestamp", r.sentiment, r.satisfaction_score from realtime_metrics r
      where r.interaction_id = seen.id and r."timestamp" > coalesce(seen.until, '-infinity')
      order by r."timestamp" limit 20000) m
  ), points as (
    -- Of several measurements the worst is shown: a short crisis must not vanish from a long call's plot.
    select interaction_id, round(extract(epoch from max("timestamp")), 3) as at,
      min(satisfaction_score) as score,
      case when bool_or(sentiment = 'critical') then 'critical' when bool_or(sentiment = 'neutral') then 'neutral'
        else 'good' end as sentiment
    from placed group by interaction_id, bucket
  ), tracks as (
    select interaction_id, jsonb_agg(at order by at) as times, jsonb_agg(score order by at) as scores,
      jsonb_agg(sentiment order by at) as sentiments
    from points group by interaction_id
  )
  select coalesce(json_agg(json_build_object(
    'interaction_id', seen.id,
    'times', coalesce(seen.times, '[]') || coalesce(t.times, '[]'),
    'scores', coalesce(seen.scores, '[]') || coalesce(t.scores, '[]'),
    'sentiments', coalesce(seen.sentiments, '[]') || coalesce(t.sentiments, '[]'),
    'sentiment', newest.sentiment, 'satisfaction_score', newest.satisfaction_score, 'feed_text', newest.feed_text,
    'last_role', said.role, 'last_spoken_at', said.at)), '[]')
  from seen
  left join tracks t on t.interaction_id = seen.id
  left join lateral (
    select m.sentiment, m.satisfaction_score, m.feed_text from realtime_metrics m
    where m.interaction_id = seen.id order by m."timestamp" desc limit 1
  ) newest on true
  left join lateral (
    select m.role, coalesce(m.spoken_at, m.created_at) as at from interaction_messages m
    where m.interaction_id = seen.id and m.role <> 'system' order by m.seq desc limit 1
  ) said on true
$$;
revoke all on function public.interaction_tracks(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function public.interaction_tracks(uuid, integer) to authenticated;

-- As in 0055, with stretches that are twice as long.
create or replace function public.fold_tracks(p_limit integer default 50) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  moment constant timestamptz := clock_timestamp();
  due record;
  changed integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('fold_tracks', 0)) then
    return 0;
  end if;
  delete from floorwalker.tracks t
  where not exists (select from interactions i where i.id = t.interaction_id and i.status in ('queued', 'active'));
  for due in
    select i.id, t.since, t.until, t.times, t.scores, t.sentiments
    from interactions i left join floorwalker.tracks t on t.interaction_id = i.id
    where i.status in ('queued', 'active') and i.kind = 'live' and i.started_at < moment - interval '2 minutes'
      and coalesce(t.folded_at, '-infinity') < moment - interval '1 minute'
      and exists (select from realtime_metrics m where m.interaction_id = i.id
        and m."timestamp" > coalesce(t.until, '-infinity') and m."timestamp" <= moment - interval '1 minute')
    order by t.folded_at nulls first limit p_limit
  loop
    with fresh as materialized (
      select m."timestamp" as at, m.satisfaction_score as score, m.sentiment from realtime_metrics m
      where m.interaction_id = due.id and m."timestamp" > coalesce(due.until, '-infinity')
        and m."timestamp" <= moment - interval '1 minute'
      order by m."timestamp" limit 2000
    ), span as (
      select coalesce(due.since, min(at)) as since, max(at) as until from fresh
    ), extent as materialized (
      select since, until,
        5 * power(2, greatest(0, ceil(log(2, greatest(1, extract(epoch from until - since)) / 225)))) as stretch_seconds
      from span
    ), pieces as (
      select * from fresh
      union all
      select to_timestamp(t.at::double precision), (due.scores ->> (t.nth - 1)::integer)::numeric,
        due.sentiments ->> (t.nth - 1)::integer
      from jsonb_array_elements_text(due.times) with ordinality t (at, nth)
    ), points as (
      select round(extract(epoch from max(p.at)), 3) as at, min(p.score) as score,
        case when bool_or(p.sentiment = 'critical') then 'critical' when bool_or(p.sentiment = 'neutral') then 'neutral'
          else 'good' end as sentiment
      from pieces p cross join extent e
      group by floor(greatest(0, extract(epoch from p.at - e.since)) / e.stretch_seconds)
    )
    insert into floorwalker.tracks as mine (interaction_id, since, until, times, scores, sentiments, folded_at)
    select due.id, e.since, e.until, drawn.times, drawn.scores, drawn.sentiments, moment
    from extent e cross join (
      select jsonb_agg(at order by at) as times, jsonb_agg(score order by at) as scores,
        jsonb_agg(sentiment order by at) as sentiments from points) drawn
    on conflict (interaction_id) do update set until = excluded.until, times = excluded.times, scores = excluded.scores,
      sentiments = excluded.sentiments, folded_at = excluded.folded_at;
    changed := changed + 1;
  end loop;
  return changed;
end
$$;
