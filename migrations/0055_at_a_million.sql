-- What a search costs among a million archives. Until now what the newest did not have was asked of the whole index: it
-- led to each archive that ever matched (8,000 for two common words), all of which were read to keep the newest 50.
-- Now time is a key of the same index, a day of a business each, and a search goes back in stretches that grow: what is
-- frequent is found in the first, what is rare costs the few archives it is in, and what lies in between neither.

-- Days are only stretches of the index; whose time zone they are in does not matter.
create function floorwalker.day_number(p_moment timestamptz) returns integer
  language sql immutable set search_path = public, pg_temp
as $$
  select floor(extract(epoch from p_moment) / 86400)::integer
$$;

create function floorwalker.day_key(p_business_id uuid, p_kind text, p_day integer) returns text
  language sql immutable set search_path = public, pg_temp
as $$
  select 'day:' || p_kind || ':' || p_business_id || ':' || p_day
$$;

create or replace function floorwalker.index_archive(p_interaction_id uuid) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into floorwalker.archive_search as mine (interaction_id, happened_at, configuration, phone_digits, words, keys)
  select a.interaction_id, a.happened_at, c.name, digits.text,
    -- Far below the megabyte that a tsvector may have: an archive must never fail for its length.
    setweight(to_tsvector(c.name::regconfig, left(a.summary || ' ' || coalesce(issues.text, ''), 20000)), 'A')
      || to_tsvector(c.name::regconfig, coalesce((
        select left(string_agg(left(m.content, 20000), E'\n' order by m.seq), 100000)
        from interaction_messages m where m.interaction_id = a.interaction_id and m.role <> 'system'), '')),
    array['business:' || a.business_id, 'agent:' || a.agent_id, 'kind:' || a.kind,
      floorwalker.day_key(a.business_id, a.kind, floorwalker.day_number(a.happened_at)),
      'sentiment:' || coalesce(a.tags ->> 'sentiment', 'neutral')]
      || coalesce((select array_agg(distinct 'tag:' || t) from (
        select jsonb_array_elements_text(a.tags -> 'topics') as t
        union all select i ->> 'tag' from jsonb_array_elements(a.tags -> 'issues') i) tags where t is not null), '{}')
      || coalesce((select array_agg(distinct 'issue:' || (i ->> 'tag')) || array_agg(distinct 'issue_status:' || (i ->> 'status'))
        from jsonb_array_elements(a.tags -> 'issues') i where i ->> 'tag' is not null and i ->> 'status' is not null), '{}')
      || floorwalker.phone_keys(digits.text)
  from interaction_archives a
  join interactions i on i.id = a.interaction_id
  cross join lateral (select floorwalker.text_configuration(
    coalesce(i.agent_snapshot ->> 'language', (select language from agents where id = a.agent_id))) as name) c
  cross join lateral (select regexp_replace(i.phone_number, '\D', '', 'g') as text) digits
  cross join lateral (select string_agg(e ->> 'issue', ' ') as text from jsonb_array_elements(a.issues) e
    where jsonb_typeof(e) = 'object') issues
  where a.interaction_id = p_interaction_id
  on conflict (interaction_id) do update set happened_at = excluded.happened_at, configuration = excluded.configuration,
    phone_digits = excluded.phone_digits, words = excluded.words, keys = excluded.keys
  where (mine.words, mine.keys, mine.phone_digits, mine.configuration)
    is distinct from (excluded.words, excluded.keys, excluded.phone_digits, excluded.configuration);
  insert into floorwalker.search_configurations (business_id, configuration)
  select a.business_id, s.configuration
  from floorwalker.archive_search s join interaction_archives a on a.interaction_id = s.interaction_id
  where s.interaction_id = p_interaction_id
    and not exists (select from floorwalker.search_configurations c
      where c.business_id = a.business_id and c.configuration = s.configuration)
  on conflict do nothing
$$;

-- All of them, without the index meanwhile: that is made anew in less time than it takes to change it a million times.
drop index floorwalker.idx_archive_search;
update floorwalker.archive_search s
set keys = s.keys || floorwalker.day_key(a.business_id, a.kind, floorwalker.day_number(s.happened_at))
from public.interaction_archives a where a.interaction_id = s.interaction_id;
create index idx_archive_search on floorwalker.archive_search using gin (words, keys);

create or replace function floorwalker.find_archives(
  p_filter jsonb, p_after_time timestamptz, p_after_id uuid, p_limit integer, p_walk integer default 500
) returns table (interaction_id uuid, happened_at timestamptz)
  language plpgsql stable security definer rows 50 set search_path = public, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan
as $$
declare
  me constant users := floorwalker.require_actor();
  conditions constant jsonb := floorwalker.archive_conditions(p_filter);
  -- Without the kind, which both ways of looking see to.
  wanted_keys constant text[] := array(
    select k from jsonb_array_elements_text(conditions -> 'keys') k where k not like 'kind:%');
  digits constant text := '%' || (conditions ->> 'digits') || '%';
  asked constant text := conditions ->> 'text';
  wanted_kind constant text := coalesce(p_filter ->> 'kind', 'live');
  one_agent constant uuid := (p_filter ->> 'agent_id')::uuid;
  from_time constant timestamptz := coalesce((p_filter ->> 'from')::timestamptz, '-infinity');
  to_time constant timestamptz := coalesce((p_filter ->> 'to')::timestamptz, 'infinity');
  after_time constant timestamptz := coalesce(p_after_time, 'infinity');
  after_id constant uuid := coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  agents_seen uuid[];
  -- Of a whole business the day's key says it.
  scope text[];
  walked uuid[];
  walked_at timestamptz[];
  before_time timestamptz;
  before_id uuid;
  day integer;
  first_day integer;
  days integer;
  stretch text[];
  more uuid[];
  more_at timestamptz[];
  ids uuid[];
  times timestamptz[];
begin
  if me.role <> 'admin' or one_agent is not null then
    select coalesce(array_agg(v), '{}') into agents_seen
    from unnest(floorwalker.visible_agents()) v where one_agent is null or v = one_agent;
    scope := array(select 'agent:' || v from unnest(agents_seen) v);
  end if;
  if not (conditions ->> 'filters')::boolean then
    return query select * from floorwalker.newest_archives(
      me.business_id, agents_seen, wanted_kind, from_time, to_time, after_time, after_id, p_limit);
    return;
  end if;
  if asked is not null and not exists (
    select from floorwalker.search_configurations c
    where c.business_id = me.business_id and numnode(websearch_to_tsquery(c.configuration::regconfig, asked)) > 0) then
    if exists (select from floorwalker.search_configurations c where c.business_id = me.business_id) then
      perform floorwalker.fail('search_invalid', 'Each of these words is too frequent to search for.');
    end if;
    return;
  end if;

  -- What is frequent is among the newest.
  select array_agg(n.interaction_id order by n.place), array_agg(n.happened_at order by n.place) into walked, walked_at
  from floorwalker.newest_archives(me.business_id, agents_seen, wanted_kind, from_time, to_time,
    after_time, after_id, p_walk) with ordinality n (interaction_id, happened_at, place);
  select coalesce(array_agg(hits.id), '{}'), coalesce(array_agg(hits.at), '{}') into ids, times from (
    select n.id, n.at from unnest(walked, walked_at) with ordinality n (id, at, place)
    join floorwalker.archive_search s on s.interaction_id = n.id
    where s.keys @> wanted_keys
      and (digits is null or s.phone_digits like digits)
      and (asked is null or s.words @@ websearch_to_tsquery(s.configuration::regconfig, asked))
    order by n.place limit p_limit) hits;

  -- The rest is asked of the index, in stretches of days that grow eightfold at most.
  if cardinality(ids) < p_limit and cardinality(walked) >= p_walk then
    before_time := walked_at[p_walk];
    before_id := walked[p_walk];
    day := floorwalker.day_number(before_time);
    select floorwalker.day_number(greatest(from_time, a.happened_at)) into first_day from interaction_archives a
    where a.business_id = me.business_id and a.kind = wanted_kind
    order by a.happened_at, a.interaction_id limit 1;
    days := greatest(1, floorwalker.day_number(walked_at[1]) - day);
    while cardinality(ids) < p_limit and day >= first_day loop
      stretch := array(select floorwalker.day_key(me.business_id, wanted_kind, n)
        from generate_series(greatest(first_day, day - days + 1), day) n);
      if asked is null then
        select array_agg(hits.interaction_id), array_agg(hits.happened_at) into more, more_at from (
          select s.interaction_id, s.happened_at from floorwalker.archive_search s
          where s.keys && stretch and (wanted_keys = '{}' or s.keys @> wanted_keys) and (scope is null or s.keys && scope)
            and (digits is null or s.phone_digits like digits)
            and s.happened_at >= from_time and (s.happened_at, s.interaction_id) < (before_time, before_id)
          order by s.happened_at desc, s.interaction_id desc limit p_limit - cardinality(ids)) hits;
      else
        select array_agg(hits.interaction_id), array_agg(hits.happened_at) into more, more_at from (
          select s.interaction_id, s.happened_at from floorwalker.search_configurations c
          join floorwalker.archive_search s on s.configuration = c.configuration
            and s.words @@ websearch_to_tsquery(c.configuration::regconfig, asked)
          where c.business_id = me.business_id
            and s.keys && stretch and (wanted_keys = '{}' or s.keys @> wanted_keys) and (scope is null or s.keys && scope)
            and (digits is null or s.phone_digits like digits)
            and s.happened_at >= from_time and (s.happened_at, s.interaction_id) < (before_time, before_id)
          order by s.happened_at desc, s.interaction_id desc limit p_limit - cardinality(ids)) hits;
      end if;
      ids := ids || more;
      times := times || more_at;
      day := day - days;
      -- What is missing at the rate that hits came, and half as much again; each hit is read.
      days := case when coalesce(cardinality(more), 0) = 0 then days * 8
        else least(days * 8, greatest(1, ceil(1.5 * days * (p_limit - cardinality(ids)) / cardinality(more))::integer)) end;
    end loop;
  end if;
  return query select * from unnest(ids, times);
end
$$;

-- The floor: how each open conversation went so far. It was worked out of every measurement since each of them began,
-- and because of how it was asked, of every interaction there ever was. Now housekeeping keeps what a card draws, and
-- only what came since is read. Unlogged, because it can be made anew from the measurements.
create unlogged table floorwalker.tracks (
  interaction_id uuid primary key,
  -- Of the first and of the last measurement in it; seconds of points are counted from the first.
  since timestamptz not null,
  until timestamptz not null,
  -- At most so many points as a card is given, each the worst of its stretch: as long as each other, 5 s times a power of two.
  times jsonb not null,
  scores jsonb not null,
  sentiments jsonb not null,
  folded_at timestamptz not null
);
alter table floorwalker.tracks enable row level security;
revoke all on floorwalker.tracks from public, anon, authenticated;

-- Adds to them what was measured up to a minute ago: rows that come later than others of their conversation are
-- hardly ever later than that. Returns how many were changed; repeat for what is left.
create function public.fold_tracks(p_limit integer default 50) returns integer
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
        5 * power(2, greatest(0, ceil(log(2, greatest(1, extract(epoch from until - since)) / 450)))) as stretch_seconds
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

create or replace function public.interaction_tracks(p_interaction_id uuid, p_points integer) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  with seen as materialized (
    -- Two questions, so that each has its index.
    select i.id, t.until, t.times, t.scores, t.sentiments
    from interactions i left join floorwalker.tracks t on t.interaction_id = i.id and p_points >= 120
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
  select coalesce(jsonb_agg(jsonb_build_object(
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

-- Lists of interactions: each filter that leaves out nearly everything has an index in the order of the list, so that
-- nothing is read until a page of it is found. What 0033 counted from an index is counted by day since 0050.
drop index public.idx_interactions_figures;
create index idx_interactions_agent_newest on public.interactions (agent_id, created_at desc, id desc);
create index idx_interactions_failed on public.interactions (created_at desc, id desc) where status = 'failed';
create index idx_interactions_rehearsals on public.interactions (created_at desc, id desc) where kind = 'rehearsal';
create index idx_interactions_channel_newest on public.interactions (interaction_type, created_at desc, id desc);

-- Each new conversation adds up the minutes of its business today, which read all that the business ever had.
create index idx_interactions_business_started on public.interactions (business_id, started_at) where kind = 'live';

create or replace function floorwalker.check_limits(
  p_business public.businesses, p_agent_id uuid, p_address_hash text, p_limits jsonb
) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  -- Kept: what calls the clock itself can't be looked up in an index.
  moment constant timestamptz := clock_timestamp();
  minute_ago constant timestamptz := moment - interval '1 minute';
  today constant timestamptz := date_trunc('day', moment at time zone p_business.time_zone) at time zone p_business.time_zone;
  most numeric;
  recent timestamptz[];
  minutes numeric;
begin
  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_address_per_minute');
  if p_address_hash is not null and most is not null then
    select array_agg(created_at) into recent from interactions
    where address_hash = p_address_hash and business_id = p_business.id
      and created_at > minute_ago;
    if coalesce(cardinality(recent), 0) >= most then
      perform floorwalker.fail('rate_limited', 'Too many conversations were started from this address.',
        jsonb_build_object('limit', 'per_address_per_minute', 'retry_after_seconds', floorwalker.seconds_until_free(recent, most)));
    end if;
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_address_open');
  if p_address_hash is not null and most is not null and most <= (
    select count(*) from interactions where address_hash = p_address_hash and business_id = p_business.id
      and status in ('queued', 'active')) then
    perform floorwalker.fail('rate_limited', 'Too many conversations are open from this address; end one first.',
      jsonb_build_object('limit', 'per_address_open', 'retry_after_seconds', 30));
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_agent_per_minute');
  if most is not null then
    select array_agg(created_at) into recent from interactions
    where agent_id = p_agent_id and created_at > minute_ago;
    if coalesce(cardinality(recent), 0) >= most then
      perform floorwalker.fail('rate_limited', 'This agent is asked for by too many people at once.',
        jsonb_build_object('limit', 'per_agent_per_minute', 'retry_after_seconds', floorwalker.seconds_until_free(recent, most)));
    end if;
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_business_open');
  if most is not null and most <= (
    select count(*) from interactions where business_id = p_business.id and status in ('queued', 'active')) then
    perform floorwalker.fail('business_limit_reached', 'All lines of this business are taken.',
      jsonb_build_object('limit', 'per_business_open', 'retry_after_seconds', 30));
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_business_minutes_per_day');
  if most is not null then
    select coalesce(sum(extract(epoch from coalesce(ended_at, moment) - started_at)), 0) / 60 into minutes
    from interactions
    where business_id = p_business.id and kind = 'live' and started_at >= today;
    if minutes >= most then
      perform floorwalker.fail('business_limit_reached', 'This business has used its minutes of today.',
        jsonb_build_object('limit', 'per_business_minutes_per_day', 'retry_after_seconds', 3600));
    end if;
  end if;
end
$$;

-- By its key, and not by reading all that the business ever had.
create or replace function floorwalker.subject_interactions(p_business_id uuid, p_subject jsonb) returns uuid[]
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  customer customers;
  found_ids uuid[];
begin
  if p_subject ? 'interaction_id' then
    select array_agg(id) into found_ids from interactions
    where business_id = p_business_id and purged_at is null
      and id = case when p_subject ->> 'interaction_id' ~* '^[0-9a-f-]{36}$' then (p_subject ->> 'interaction_id')::uuid end;
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
  if customer.id is null and found_ids = '{}' and not exists (
      select from appointments where business_id = p_business_id and customer_phone = p_subject ->> 'phone_number') then
    perform floorwalker.fail('customer_not_found', 'There is no such customer.');
  end if;
  return found_ids;
end
$$;

-- Retention looked at all that is still kept, each time.
create or replace function floorwalker.apply_policy(p_business public.businesses, p_limit integer) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  due record;
  purged bigint := 0;
  transcripts bigint := 0;
  removed_metrics bigint;
  removed_customers bigint := 0;
  shortest constant integer := least(floorwalker.retention_figure(p_business.retention, 'archives_days', 90),
    floorwalker.retention_figure(p_business.retention, 'failed_rehearsals_days', 365),
    floorwalker.retention_figure(p_business.retention, 'rehearsals_days', 730));
  shortest_transcript constant integer :=
    least(shortest, floorwalker.retention_figure(p_business.retention, 'transcripts_days', shortest));
  certain constant timestamptz := clock_timestamp() - make_interval(days => shortest);
  certain_transcript constant timestamptz := clock_timestamp() - make_interval(days => shortest_transcript);
begin
  for due in
    select i.id, i.customer_id from interactions i
    where i.business_id = p_business.id and i.purged_at is null
      -- What is certainly kept need not be looked at.
      and i.ended_at < certain
      and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_days(p_business, i))
    order by i.agent_id, i.id limit p_limit for update of i skip locked
  loop
    perform floorwalker.purge_interaction(due.id);
    purged := purged + 1;
  end loop;
  for due in
    select i.id from interactions i
    where i.business_id = p_business.id and i.purged_at is null and i.transcript_purged_at is null
      and i.ended_at < certain_transcript
      and floorwalker.keep_transcript_days(p_business, i) < floorwalker.keep_days(p_business, i)
      and i.ended_at < clock_timestamp() - make_interval(days => floorwalker.keep_transcript_days(p_business, i))
    order by i.agent_id, i.id limit p_limit - purged for update of i skip locked
  loop
    perform floorwalker.purge_transcript(due.id);
    transcripts := transcripts + 1;
  end loop;
  removed_metrics := floorwalker.expire_metrics(p_business.id, clock_timestamp() - make_interval(
    hours => least(24, floorwalker.retention_figure(p_business.retention, 'metrics_hours', 24))), p_limit * 100);
  if purged > 0 then
    -- Customers of whom nothing is left.
    delete from customers c where c.business_id = p_business.id and c.created_at < clock_timestamp() - interval '90 days'
      and not exists (select from interactions i where i.customer_id = c.id);
    get diagnostics removed_customers = row_count;
    perform floorwalker.audit(p_business.id, 'retention.deleted', 'interactions', p_business.id::text,
      jsonb_build_object('interactions', purged));
  end if;
  perform floorwalker.count_retention(p_business.id, purged, transcripts, removed_metrics, removed_customers);
  return jsonb_build_object('interactions', purged, 'transcripts', transcripts, 'metrics', removed_metrics,
    'customers', removed_customers,
    'more', purged + transcripts >= p_limit or removed_metrics >= p_limit * 100);
end
$$;

do $$
declare
  f text;
begin
  foreach f in array array['floorwalker.day_number(timestamptz)', 'floorwalker.day_key(uuid, text, integer)',
    'public.fold_tracks(integer)'] loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
end
$$;
