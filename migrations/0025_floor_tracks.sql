-- How interactions went so far, as the floor and the page of one interaction draw it: a few hundred points at most,
-- whatever the interaction's length, in one query for all cards.

create function public.interaction_tracks(p_interaction_id uuid, p_points integer) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  with seen as materialized (
    select i.id from interactions i
    where i.agent_id = any ((select floorwalker.visible_agents())::uuid[])
      and case when p_interaction_id is null then i.status in ('queued', 'active') and i.kind = 'live'
        else i.id = p_interaction_id end
  ), placed as (
    select m.interaction_id, m."timestamp", m.sentiment, m.satisfaction_score,
      ntile(least(greatest(p_points, 1), 2000)) over (partition by m.interaction_id order by m."timestamp") as bucket
    from seen join realtime_metrics m on m.interaction_id = seen.id
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
  select coalesce(jsonb_agg(jsonb_build_object(
    'interaction_id', seen.id,
    'times', coalesce(t.times, '[]'), 'scores', coalesce(t.scores, '[]'), 'sentiments', coalesce(t.sentiments, '[]'),
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
