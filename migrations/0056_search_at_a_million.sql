-- Searches among a million archives that were still slow: phrases, and what is found less than a few times a day.
--
-- A phrase was looked up as the archives that have all of its words, each of which was read to see whether they stand
-- beside each other: seconds for two frequent words that never do. Now the index also has each pair of words that follow
-- one another, as a number of 20 bits; what shares a number by chance is still read, and is little. Before it stands the
-- eight days that the archive is of, so that what is written lies close together instead of all over the index.
--
-- A search of which little is found went back in ever longer stretches and asked for each of their days. Beyond some
-- days it now asks for all that is left at once: the hits are few, or the page would be full.

-- Hashes of this kind are the same in each version of PostgreSQL, as those that partitions go by.
create function floorwalker.word_pair(p_word text, p_next text) returns integer
  language sql immutable parallel safe set search_path = public, pg_temp
as $$
  select (hashtextextended(p_word || ' ' || p_next, 0) & 1048575)::integer
$$;

create function floorwalker.pair_days(p_day integer) returns integer
  language sql immutable parallel safe set search_path = public, pg_temp
as $$
  select ((p_day >> 3) & 2047) << 20
$$;

create function floorwalker.word_pairs(p_words tsvector, p_moment timestamptz) returns integer[]
  language sql immutable parallel safe set search_path = public, pg_temp
as $$
  with places as materialized (
    select w.lexeme, unnest(w.positions) as place from unnest(p_words) w
  )
  -- As word_pair, which is not called: once for each word it would take most of the time.
  select coalesce(array_agg(distinct (select floorwalker.pair_days(floorwalker.day_number(p_moment)))
    + (hashtextextended(a.lexeme || ' ' || b.lexeme, 0) & 1048575)::integer), '{}')
  from places a join places b on b.place = a.place + 1
$$;

-- The pairs that whatever matches must have. Where in the query they stand is read from its text: outside of
-- parentheses and `or` each part must match. Words in which there are quotation marks are left out; they match as before.
create function floorwalker.phrase_pairs(p_query tsquery) returns integer[]
  language plpgsql immutable parallel safe set search_path = public, pg_temp
as $$
declare
  words constant text[] := array(select m[1] from regexp_matches(p_query::text, '''((?:[^'']|'''')*)''', 'g') m);
  between constant text[] := regexp_split_to_array(p_query::text, '''(?:[^'']|'''')*''(?::[*A-D]+)?');
  depth integer := 0;
  sign text;
  pairs integer[] := '{}';
begin
  for place in 1 .. cardinality(words) loop
    foreach sign in array string_to_array(between[place], null) loop
      depth := depth + case sign when '(' then 1 when ')' then -1 else 0 end;
      if sign = '|' and depth = 0 then
        return '{}';
      end if;
    end loop;
    if depth = 0 and btrim(between[place + 1]) = '<->' and between[place] !~ '!'
      and words[place] || words[place + 1] !~ '[''\\]' then
      pairs := pairs || floorwalker.word_pair(words[place], words[place + 1]);
    end if;
  end loop;
  return pairs;
end
$$;

-- Null of what was archived before: housekeeping makes up for it, and until it is done phrases are found as before.
alter table floorwalker.archive_search add column pairs integer[];

create or replace function floorwalker.index_archive(p_interaction_id uuid) returns void
  language sql security definer set search_path = public, pg_temp
as $$
  insert into floorwalker.archive_search as mine (interaction_id, happened_at, configuration, phone_digits, words, keys, pairs)
  select a.interaction_id, a.happened_at, c.name, digits.text, said.words,
    array['business:' || a.business_id, 'agent:' || a.agent_id, 'kind:' || a.kind,
      floorwalker.day_key(a.business_id, a.kind, floorwalker.day_number(a.happened_at)),
      'sentiment:' || coalesce(a.tags ->> 'sentiment', 'neutral')]
      || coalesce((select array_agg(distinct 'tag:' || t) from (
        select jsonb_array_elements_text(a.tags -> 'topics') as t
        union all select i ->> 'tag' from jsonb_array_elements(a.tags -> 'issues') i) tags where t is not null), '{}')
      || coalesce((select array_agg(distinct 'issue:' || (i ->> 'tag')) || array_agg(distinct 'issue_status:' || (i ->> 'status'))
        from jsonb_array_elements(a.tags -> 'issues') i where i ->> 'tag' is not null and i ->> 'status' is not null), '{}')
      || floorwalker.phone_keys(digits.text),
    floorwalker.word_pairs(said.words, a.happened_at)
  from interaction_archives a
  join interactions i on i.id = a.interaction_id
  cross join lateral (select floorwalker.text_configuration(
    coalesce(i.agent_snapshot ->> 'language', (select language from agents where id = a.agent_id))) as name) c
  cross join lateral (select regexp_replace(i.phone_number, '\D', '', 'g') as text) digits
  cross join lateral (select string_agg(e ->> 'issue', ' ') as text from jsonb_array_elements(a.issues) e
    where jsonb_typeof(e) = 'object') issues
  cross join lateral (
    -- Far below the megabyte that a tsvector may have: an archive must never fail for its length.
    select setweight(to_tsvector(c.name::regconfig, left(a.summary || ' ' || coalesce(issues.text, ''), 20000)), 'A')
      || to_tsvector(c.name::regconfig, coalesce((
        select left(string_agg(left(m.content, 20000), E'\n' order by m.seq), 100000)
        from interaction_messages m where m.interaction_id = a.interaction_id and m.role <> 'system'), '')) as words
    offset 0) said
  where a.interaction_id = p_interaction_id
  on conflict (interaction_id) do update set happened_at = excluded.happened_at, configuration = excluded.configuration,
    phone_digits = excluded.phone_digits, words = excluded.words, keys = excluded.keys,
    pairs = excluded.pairs
  where (mine.words, mine.keys, mine.phone_digits, mine.configuration, mine.pairs)
    is distinct from (excluded.words, excluded.keys, excluded.phone_digits, excluded.configuration, excluded.pairs);
  insert into floorwalker.search_configurations (business_id, configuration)
  select a.business_id, s.configuration
  from floorwalker.archive_search s join interaction_archives a on a.interaction_id = s.interaction_id
  where s.interaction_id = p_interaction_id
    and not exists (select from floorwalker.search_configurations c
      where c.business_id = a.business_id and c.configuration = s.configuration)
  on conflict do nothing
$$;

-- One index, so that each condition makes the others' work less. It goes from match to match of the first of them: what
-- one list or two are read for comes first, and words, which may be many and frequent, are looked up for what is left.
set local maintenance_work_mem = '256MB';
drop index floorwalker.idx_archive_search;
create index idx_archive_search on floorwalker.archive_search using gin (keys, pairs, words);
create index idx_archive_search_unpaired on floorwalker.archive_search (interaction_id) where pairs is null;

-- Makes the pairs of some archives from before there were any. Returns of how many; repeat for what is left.
create function public.pair_archives(p_limit integer default 200) returns integer
  language plpgsql security definer set search_path = public, pg_temp set enable_seqscan = off
as $$
declare
  changed integer;
begin
  update floorwalker.archive_search s set pairs = floorwalker.word_pairs(s.words, s.happened_at)
  where s.interaction_id in (
    select u.interaction_id from floorwalker.archive_search u where u.pairs is null limit p_limit for update skip locked);
  get diagnostics changed = row_count;
  return changed;
end
$$;

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
  oldest_day integer;
  stretch text[];
  -- What the index must say where no stretch does.
  everywhere text[];
  -- The text in each configuration that there is, read once and not for each archive.
  configurations text[];
  queries tsquery[];
  query tsquery;
  wanted_pairs integer[];
  pair_days integer[];
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
  if asked is not null then
    select array_agg(c.configuration), array_agg(q.parsed) into configurations, queries
    from floorwalker.search_configurations c
    cross join lateral (select websearch_to_tsquery(c.configuration::regconfig, asked) as parsed) q
    where c.business_id = me.business_id and numnode(q.parsed) > 0;
    if queries is null then
      if exists (select from floorwalker.search_configurations c where c.business_id = me.business_id) then
        perform floorwalker.fail('search_invalid', 'Each of these words is too frequent to search for.');
      end if;
      return;
    end if;
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
      and (asked is null or s.words @@ queries[array_position(configurations, s.configuration)])
    order by n.place limit p_limit) hits;

  -- The rest is asked of the index, in stretches of days that grow eightfold at most, and then all at once.
  if cardinality(ids) < p_limit and cardinality(walked) >= p_walk then
    before_time := walked_at[p_walk];
    before_id := walked[p_walk];
    day := floorwalker.day_number(before_time);
    select floorwalker.day_number(a.happened_at), floorwalker.day_number(greatest(from_time, a.happened_at))
    into oldest_day, first_day from interaction_archives a
    where a.business_id = me.business_id and a.kind = wanted_kind
    order by a.happened_at, a.interaction_id limit 1;
    everywhere := array['business:' || me.business_id, 'kind:' || wanted_kind];
    days := greatest(1, floorwalker.day_number(walked_at[1]) - day);
    while cardinality(ids) < p_limit and day >= first_day loop
      -- Each day is a list to go through, and most of them together are more than none.
      if days > 16 then
        days := greatest(days, day - first_day + 1);
      end if;
      stretch := case when days <= 16 or 2 * (day - first_day) < day - oldest_day then
        array(select floorwalker.day_key(me.business_id, wanted_kind, n)
          from generate_series(greatest(first_day, day - days + 1), day) n) end;
      more := '{}';
      more_at := '{}';
      for nth in 1 .. coalesce(cardinality(queries), 1) loop
        query := queries[nth];
        wanted_pairs := nullif(floorwalker.phrase_pairs(query), '{}');
        pair_days := array(select distinct floorwalker.pair_days(n)
          from generate_series(greatest(first_day, day - days + 1), day) n);
        if wanted_pairs is not null and exists (select from floorwalker.archive_search s where s.pairs is null) then
          wanted_pairs := null;
        end if;
        select more || coalesce(array_agg(hits.interaction_id), '{}'), more_at || coalesce(array_agg(hits.happened_at), '{}')
        into more, more_at from (
          select s.interaction_id, s.happened_at from floorwalker.archive_search s
          where (wanted_keys = '{}' or s.keys @> wanted_keys) and (scope is null or s.keys && scope)
            and (stretch is null or s.keys && stretch) and (stretch is not null or s.keys @> everywhere)
            -- Three of them leave next to nothing of what is no such phrase.
            and (wanted_pairs[1] is null or s.pairs && array(select d + wanted_pairs[1] from unnest(pair_days) d))
            and (wanted_pairs[2] is null or s.pairs && array(select d + wanted_pairs[2] from unnest(pair_days) d))
            and (wanted_pairs[3] is null or s.pairs && array(select d + wanted_pairs[3] from unnest(pair_days) d))
            and (query is null or s.words @@ query and s.configuration = configurations[nth])
            and (digits is null or s.phone_digits like digits)
            and s.happened_at >= from_time and s.happened_at < to_timestamp((day + 1) * 86400.0)
            and (s.happened_at, s.interaction_id) < (before_time, before_id)
          order by s.happened_at desc, s.interaction_id desc limit p_limit - cardinality(ids)) hits;
      end loop;
      if cardinality(queries) > 1 then
        select coalesce(array_agg(hits.id), '{}'), coalesce(array_agg(hits.at), '{}') into more, more_at from (
          select m.id, m.at from unnest(more, more_at) m (id, at)
          order by m.at desc, m.id desc limit p_limit - cardinality(ids)) hits;
      end if;
      ids := ids || more;
      times := times || more_at;
      day := day - days;
      -- What is missing at the rate that hits came, and half as much again; each hit is read.
      days := case when more = '{}' then days * 8
        else least(days * 8, greatest(1, ceil(1.5 * days * (p_limit - cardinality(ids)) / cardinality(more))::integer)) end;
    end loop;
  end if;
  return query select * from unnest(ids, times);
end
$$;

do $$
declare
  f text;
begin
  foreach f in array array['floorwalker.word_pair(text, text)', 'floorwalker.pair_days(integer)',
    'floorwalker.word_pairs(tsvector, timestamptz)',
    'floorwalker.phrase_pairs(tsquery)', 'public.pair_archives(integer)'] loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f);
    execute format('grant execute on function %s to service_role', f);
  end loop;
end
$$;
