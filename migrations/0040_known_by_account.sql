-- A person is known by their account, not by its address: that one they can change with Supabase Auth, and the profile
-- keeps the one they were added with. Without this an admin could write the profile of somebody of another business,
-- removed ones included, whose address had changed, and with it make them an admin there.

create or replace function public.add_person(p_person jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin_alone();
  account uuid := (p_person ->> 'id')::uuid;
  address text;
  existing users;
begin
  -- The address is what Auth knows, not what the caller says.
  select email into address from auth.users where id = account;
  if address is null then
    perform floorwalker.fail('user_not_found', 'Supabase Auth has no account with this id.');
  end if;
  perform check_person(p_person || jsonb_build_object('email', address));
  insert into users (id, business_id, email, role, name, username, supervisor_type)
  values (account, me.business_id, address, p_person ->> 'role', p_person ->> 'name',
    p_person ->> 'username', p_person ->> 'supervisor_type')
  on conflict (id) do update set email = excluded.email, role = excluded.role, name = excluded.name,
    username = excluded.username, supervisor_type = excluded.supervisor_type, deleted_at = null
  -- Only somebody who was removed from this very business comes back.
  where users.business_id = excluded.business_id and users.deleted_at is not null;
  if not found then
    select * into existing from users where id = account;
    if existing.business_id <> me.business_id then
      perform floorwalker.fail('user_of_another_business', 'This account belongs to another business.');
    end if;
    perform floorwalker.fail('person_exists', 'This person is part of the business already.');
  end if;
  return jsonb_build_object('id', account);
end
$$;
