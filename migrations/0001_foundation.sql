-- What the rest stands on: the roles and the auth schema that Supabase has and a plain PostgreSQL lacks,
-- and the schema `floorwalker` for helpers that must not be reachable as API functions.
-- Every part looks first, so that nothing of a Supabase project is touched.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        -- Roles belong to the whole cluster: another database may be creating the same one right now.
        execute format('create role %I nologin noinherit %s', wanted,
          case when wanted = 'service_role' then 'bypassrls' else '' end);
      exception
        when duplicate_object or unique_violation then
          null;
        when insufficient_privilege then
          raise exception using errcode = 'insufficient_privilege', message = format(
            '%I may not create the role %I. Have a superuser run once: create role anon nologin; '
            'create role authenticated nologin; create role service_role nologin bypassrls', current_user, wanted);
      end;
    end if;
  end loop;

  if not exists (select from pg_namespace where nspname = 'auth') then
    create schema auth;
  end if;

  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid primary key default gen_random_uuid(),
      email text,
      created_at timestamptz not null default now()
    );
    create unique index users_email_key on auth.users (lower(email));
  end if;

  if to_regprocedure('auth.uid()') is null then
    execute $uid$
      create function auth.uid() returns uuid language sql stable as
      $body$
        select nullif(coalesce(
          nullif(current_setting('request.jwt.claim.sub', true), ''),
          nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
        ), '')::uuid
      $body$
    $uid$;
  end if;

  -- Needed by the policies; refused on Supabase where it is granted already and `auth` is not ours.
  begin
    grant usage on schema auth to anon, authenticated, service_role;
  exception when insufficient_privilege then
    null;
  end;
end
$$;

grant usage on schema public to anon, authenticated, service_role;

create schema if not exists floorwalker;
revoke all on schema floorwalker from public;
-- Policies name functions of this schema, so signed-in roles look names up in it. It is not an exposed schema.
grant usage on schema floorwalker to authenticated, service_role;

create table if not exists floorwalker.migrations (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);

create function public.schema_version() returns integer
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(max(version), 0) from floorwalker.migrations
$$;

-- Raises an error of the catalogue. The message is the stable code; the detail is the sentence for a person,
-- or JSON with the sentence and the facts a program needs.
create function floorwalker.fail(code text, sentence text, facts jsonb default null) returns void
  language plpgsql set search_path = public, pg_temp
as $$
begin
  raise exception using
    errcode = 'P0001',
    message = code,
    detail = case when facts is null then sentence
      else (jsonb_build_object('message', sentence) || facts)::text end;
end
$$;

create function floorwalker.touch_updated_at() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if new is distinct from old then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$$;
