-- A plain PostgreSQL has no auth.jwt() and knows no second factors: it is asked for claims only where there are factors.

create or replace function floorwalker.actor_id() returns uuid
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me uuid := auth.uid();
  has_factor boolean;
begin
  if me is null or to_regclass('auth.mfa_factors') is null then
    return me;
  end if;
  if auth.jwt() ->> 'aal' = 'aal2' then
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
