-- A password alone opens nothing where the account has a second factor, whichever way its owner comes: the API asks for
-- it, and so does the database, because a program may call PostgREST past the API.

-- The signed-in person, once they have shown all that their account asks for. Supabase Auth keeps its factors in
-- auth.mfa_factors; an auth server that knows none has no such table.
create function floorwalker.actor_id() returns uuid
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me uuid := auth.uid();
  has_factor boolean;
begin
  if me is null or auth.jwt() ->> 'aal' = 'aal2' or to_regclass('auth.mfa_factors') is null then
    return me;
  end if;
  execute 'select exists (select from auth.mfa_factors where user_id = $1 and status = ''verified'')'
    into has_factor using me;
  if has_factor then
    perform floorwalker.fail('second_factor_required',
      'This account has a second factor, and this sign-in was without it.');
  end if;
  return me;
end
$$;

revoke all on function floorwalker.actor_id() from public, anon, authenticated, service_role;
grant execute on function floorwalker.actor_id() to authenticated, service_role;

-- Everything that a signed-in person sees or does goes through these. As a scalar subquery it is asked once a statement.
create or replace function floorwalker.actor() returns public.users
  language sql stable security definer set search_path = public, pg_temp
as $$
  select u from users u where u.id = (select floorwalker.actor_id()) and u.deleted_at is null
$$;

create or replace function floorwalker.actor_business() returns uuid
  language sql stable security definer set search_path = public, pg_temp
as $$
  select business_id from users where id = (select floorwalker.actor_id()) and deleted_at is null
$$;

create or replace function floorwalker.admin_business() returns uuid
  language sql stable security definer set search_path = public, pg_temp
as $$
  select business_id from users where id = (select floorwalker.actor_id()) and deleted_at is null and role = 'admin'
$$;

create or replace function floorwalker.visible_agents() returns uuid[]
  language sql stable security definer set search_path = public, pg_temp
as $$
  select floorwalker.visible_agents_of((select floorwalker.actor_id()))
$$;

create or replace function public.touch_presence() returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  moment timestamptz := clock_timestamp();
  me constant uuid := floorwalker.actor_id();
begin
  update users set last_seen_at = moment where id = me and deleted_at is null;
  if not found then
    perform floorwalker.fail('not_allowed', 'This account is not part of any business here.');
  end if;
  return jsonb_build_object('last_seen_at', moment);
end
$$;

drop policy self_or_admin on public.users;
create policy self_or_admin on public.users for select to authenticated
  using (id = (select floorwalker.actor_id()) or business_id = (select floorwalker.admin_business()));
