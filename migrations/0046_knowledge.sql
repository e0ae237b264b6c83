-- What tools/knowledge has read: documents, and their text in chunks. A document is pending, processing, ready or failed (with
-- the reason). Each reading is an attempt; what a search finds is the last one that ended well, so that a document can be
-- read again, or fail to be, while conversations look things up. Vectors need pgvector and get their table when it is there.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['floorwalker_knowledge', 'floorwalker_knowledge_writer'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin noinherit', wanted);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
    if exists (select from pg_roles where rolname = 'authenticator') then
      execute format('grant %I to authenticator', wanted);
    end if;
    execute format('grant usage on schema public to %I', wanted);
  end loop;
end
$$;

create table public.knowledge_documents (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  -- Where it came from, a path for one; the same source read again replaces what was there.
  source text not null check (length(source) between 1 and 1000),
  title text not null check (length(title) between 1 and 300),
  mime_type text not null,
  byte_size bigint not null check (byte_size >= 0),
  -- Of the file, and of how it was to be read: what is unchanged is not read again.
  checksum text not null,
  status text not null default 'pending' check (status in ('pending', 'processing', 'ready', 'failed')),
  error text check (length(error) <= 1000),
  attempt integer not null default 0,
  -- The attempt whose chunks are searched.
  live_attempt integer,
  chunk_count integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  indexed_at timestamptz,
  unique (business_id, source),
  check ((status = 'failed') = (error is not null)),
  check (status <> 'ready' or live_attempt is not null)
);

create table public.knowledge_chunks (
  id bigint generated always as identity primary key,
  business_id uuid not null references public.businesses (id) on delete restrict,
  document_id uuid not null references public.knowledge_documents (id) on delete cascade,
  attempt integer not null,
  position integer not null check (position >= 1),
  heading text,
  page integer check (page >= 1),
  body text not null check (length(body) between 1 and 20000),
  words tsvector not null,
  unique (document_id, attempt, position)
);
create index idx_knowledge_chunks_words on public.knowledge_chunks using gin (words);
create index idx_knowledge_chunks_business on public.knowledge_chunks (business_id);

create trigger touch_updated_at before update on public.knowledge_documents
  for each row execute function floorwalker.touch_updated_at();

-- Vectors of one business are compared one by one: exact, and quick for the tens of thousands that one business has.
create function public.knowledge_enable_vectors() returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  place text;
begin
  perform pg_advisory_xact_lock(hashtextextended('knowledge_enable_vectors', 0));
  if to_regclass('floorwalker.knowledge_vectors') is not null then
    return jsonb_build_object('vectors', true);
  elsif not exists (select from pg_available_extensions where name = 'vector') then
    return jsonb_build_object('vectors', false, 'reason', 'pgvector is not installed where the database runs');
  end if;
  begin
    if not exists (select from pg_extension where extname = 'vector') then
      create schema if not exists extensions;
      create extension vector schema extensions;
    end if;
  exception when insufficient_privilege then
    return jsonb_build_object('vectors', false, 'reason', 'an owner of the database has to run once: create extension vector');
  end;
  select n.nspname into place from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector';
  execute format('create table floorwalker.knowledge_vectors (
    chunk_id bigint primary key references public.knowledge_chunks (id) on delete cascade,
    business_id uuid not null, model text not null, embedding %I.vector not null)', place);
  create index idx_knowledge_vectors_business on floorwalker.knowledge_vectors (business_id, model);
  alter table floorwalker.knowledge_vectors enable row level security;
  revoke all on floorwalker.knowledge_vectors from public, anon, authenticated, service_role;
  return jsonb_build_object('vectors', true);
end
$$;

-- The type's full name, where it is installed and its table is there.
create function floorwalker.vector_schema() returns text
  language sql stable security definer set search_path = public, pg_temp
as $$
  select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'vector' and to_regclass('floorwalker.knowledge_vectors') is not null
$$;

-- A document that is to be read: new, changed, not ready, or asked for with force.
create function public.knowledge_register(p_business_id uuid, p_document jsonb, p_force boolean) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  document knowledge_documents;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into document from knowledge_documents where business_id = p_business_id and source = p_document ->> 'source' for update;
  if document.status = 'ready' and document.checksum = p_document ->> 'checksum' and not p_force then
    return jsonb_build_object('outcome', 'unchanged', 'id', document.id, 'chunks', document.chunk_count);
  end if;
  insert into knowledge_documents (business_id, source, title, mime_type, byte_size, checksum)
  values (p_business_id, p_document ->> 'source', p_document ->> 'title', p_document ->> 'mime_type',
    (p_document ->> 'byte_size')::bigint, p_document ->> 'checksum')
  on conflict (business_id, source) do update set status = 'pending', error = null, title = excluded.title,
    mime_type = excluded.mime_type, byte_size = excluded.byte_size, checksum = excluded.checksum
  returning * into document;
  return jsonb_build_object('outcome', 'pending', 'id', document.id, 'chunks', document.chunk_count);
end
$$;

create function public.knowledge_begin(p_business_id uuid, p_document_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  now_at integer;
begin
  perform floorwalker.check_tool_business(p_business_id);
  update knowledge_documents set status = 'processing', error = null, attempt = attempt + 1
  where business_id = p_business_id and id = p_document_id returning attempt into now_at;
  return jsonb_build_object('attempt', now_at);
end
$$;

-- [{"position", "heading", "page", "body", "embedding"?}]; false when a later attempt has begun since.
create function public.knowledge_add_chunks(
  p_business_id uuid, p_document_id uuid, p_attempt integer, p_language text, p_model text, p_chunks jsonb
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  place text := floorwalker.vector_schema();
begin
  perform floorwalker.check_tool_business(p_business_id);
  perform 1 from knowledge_documents where business_id = p_business_id and id = p_document_id and attempt = p_attempt
    and status = 'processing' for update;
  if not found then
    return jsonb_build_object('outcome', 'superseded');
  end if;
  insert into knowledge_chunks (business_id, document_id, attempt, position, heading, page, body, words)
  select p_business_id, p_document_id, p_attempt, (c ->> 'position')::integer, c ->> 'heading', (c ->> 'page')::integer, c ->> 'body',
    setweight(to_tsvector(p_language::regconfig, coalesce(c ->> 'heading', '')), 'A')
      || setweight(to_tsvector(p_language::regconfig, c ->> 'body'), 'B')
  from jsonb_array_elements(p_chunks) c;
  if place is not null and p_model is not null then
    execute format('insert into floorwalker.knowledge_vectors (chunk_id, business_id, model, embedding)
      select k.id, $1, $2, (c ->> ''embedding'')::%I.vector
      from jsonb_array_elements($3) c join public.knowledge_chunks k on k.document_id = $4 and k.attempt = $5
        and k.position = (c ->> ''position'')::integer
      where c ->> ''embedding'' is not null', place) using p_business_id, p_model, p_chunks, p_document_id, p_attempt;
  end if;
  return jsonb_build_object('outcome', 'added');
end
$$;

-- From here on this attempt is what a search finds. With an error: it failed, and what was found before still is.
create function public.knowledge_finish(p_business_id uuid, p_document_id uuid, p_attempt integer, p_title text, p_error text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  document knowledge_documents;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into document from knowledge_documents where business_id = p_business_id and id = p_document_id and attempt = p_attempt
    and status = 'processing' for update;
  if not found then
    return jsonb_build_object('outcome', 'superseded');
  end if;
  if p_error is not null then
    update knowledge_documents set status = 'failed', error = left(p_error, 1000) where id = document.id;
    delete from knowledge_chunks where document_id = document.id and attempt is distinct from document.live_attempt;
    return jsonb_build_object('outcome', 'failed');
  end if;
  delete from knowledge_chunks where document_id = document.id and attempt <> p_attempt;
  update knowledge_documents set status = 'ready', live_attempt = p_attempt, indexed_at = clock_timestamp(),
    title = coalesce(p_title, title), chunk_count = (select count(*) from knowledge_chunks where document_id = document.id)
  where id = document.id returning * into document;
  return jsonb_build_object('outcome', 'ready', 'chunks', document.chunk_count);
end
$$;

create function public.knowledge_remove(p_business_id uuid, p_source text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  delete from knowledge_documents where business_id = p_business_id and source = p_source;
  return jsonb_build_object('outcome', case when found then 'removed' else 'not_found' end);
end
$$;

-- What has been processing for a quarter of an hour without a word was stopped on the way.
create function public.knowledge_list(p_business_id uuid, p_status text, p_limit integer) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
begin
  perform floorwalker.check_tool_business(p_business_id);
  return (select coalesce(jsonb_agg(to_jsonb(d) order by d.source), '[]') from (
    select * from (select id, source, title, mime_type, byte_size, chunk_count as chunks, indexed_at,
        case when stopped then 'failed' else status end as status,
        case when stopped then 'The program that read it was stopped. Read it again.' else error end as error
      from knowledge_documents, lateral (select status = 'processing' and updated_at < clock_timestamp() - interval '15 minutes' as stopped) s
      where business_id = p_business_id) v
    where p_status is null or status = p_status order by source limit least(greatest(p_limit, 1), 500)) d);
end
$$;

-- By words, and by meaning where an embedding is given and there are vectors of its model; the two orders are merged by
-- reciprocal rank (Cormack, Clarke and Büttcher 2009, k = 60).
create function public.knowledge_search(
  p_business_id uuid, p_query text, p_language text, p_embedding text, p_model text, p_document_id uuid, p_limit integer
) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  place text := floorwalker.vector_schema();
  -- Any of the words: a question has many that no answer has.
  wanted tsquery := replace(plainto_tsquery(p_language::regconfig, p_query)::text, ' & ', ' | ')::tsquery;
  near bigint[] := '{}';
begin
  perform floorwalker.check_tool_business(p_business_id);
  if place is not null and p_embedding is not null then
    execute format('select coalesce(array_agg(chunk_id order by distance), ''{}'') from (
        select v.chunk_id, v.embedding operator(%1$I.<=>) $1::%1$I.vector as distance
        from floorwalker.knowledge_vectors v join public.knowledge_chunks c on c.id = v.chunk_id
        join public.knowledge_documents d on d.id = c.document_id and d.live_attempt = c.attempt
        where v.business_id = $2 and v.model = $3 and ($4 is null or d.id = $4) order by distance limit 40) n', place)
      into near using p_embedding, p_business_id, p_model, p_document_id;
  end if;
  return jsonb_build_object('by', case when near = '{}' then 'words' else 'words and meaning' end, 'results', (
    with by_words as (
      select c.id, row_number() over (order by ts_rank(c.words, wanted, 1) desc, c.id) as rank
      from knowledge_chunks c join knowledge_documents d on d.id = c.document_id and d.live_attempt = c.attempt
      where c.business_id = p_business_id and c.words @@ wanted and (p_document_id is null or d.id = p_document_id)
      order by rank limit 40),
    by_meaning as (select id, rank from unnest(near) with ordinality as n (id, rank)),
    best as (
      select id, sum(1.0 / (60 + rank)) as score, bool_or(kind = 'words') as words, bool_or(kind = 'meaning') as meaning
      from (select id, rank, 'words' as kind from by_words union all select id, rank, 'meaning' from by_meaning) found
      group by id order by score desc, id limit least(greatest(p_limit, 1), 20))
    select coalesce(jsonb_agg(jsonb_build_object('text', c.body, 'document', d.title, 'source', d.source, 'document_id', d.id,
        'position', c.position, 'heading', c.heading, 'page', c.page,
        'found_by', case when best.words and best.meaning then 'both' when best.words then 'words' else 'meaning' end)
      order by best.score desc, c.id), '[]')
    from best join knowledge_chunks c on c.id = best.id join knowledge_documents d on d.id = c.document_id));
end
$$;

-- Chunks of a document in their order, around one.
create function public.knowledge_read(p_business_id uuid, p_document_id uuid, p_from integer, p_count integer) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  document knowledge_documents;
begin
  perform floorwalker.check_tool_business(p_business_id);
  select * into document from knowledge_documents where business_id = p_business_id and id = p_document_id and live_attempt is not null;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;
  return jsonb_build_object('outcome', 'found', 'document', document.title, 'source', document.source, 'chunks', document.chunk_count,
    'parts', (select coalesce(jsonb_agg(jsonb_build_object('position', c.position, 'heading', c.heading, 'page', c.page, 'text', c.body)
        order by c.position), '[]')
      from knowledge_chunks c where c.document_id = document.id and c.attempt = document.live_attempt
        and c.position between p_from and p_from + least(greatest(p_count, 1), 10) - 1));
end
$$;

do $$
declare
  name text;
  f record;
begin
  foreach name in array array['knowledge_documents', 'knowledge_chunks'] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', name);
    execute format('grant select, insert, update, delete on table public.%I to service_role', name);
    execute format('grant select on table public.%I to authenticated', name);
    execute format('create policy admin_only on public.%I for select to authenticated
      using (business_id = (select floorwalker.admin_business()))', name);
  end loop;
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema, p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'public' and p.proname like 'knowledge\_%') or (n.nspname = 'floorwalker' and p.proname = 'vector_schema')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to service_role', f.signature);
    if f.schema = 'public' then
      execute format('grant execute on function %s to floorwalker_knowledge_writer', f.signature);
      if f.name in ('knowledge_search', 'knowledge_read', 'knowledge_list') then
        execute format('grant execute on function %s to floorwalker_knowledge', f.signature);
      end if;
    end if;
  end loop;
end
$$;
