-- What an admin does in the console: people, who supervises and covers which agent, the business itself. The actor is
-- auth.uid(), and the business is the actor's own: there is no argument that could name another.

create function floorwalker.require_admin() returns public.users
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_actor();
begin
  if me.role <> 'admin' then
    perform floorwalker.fail('not_allowed', 'Only an admin of the business may do that.');
  end if;
  return me;
end
$$;

-- The admins of a business wait for each other, so that two who remove each other do not both succeed. Who was
-- removed while waiting is none any more.
create function floorwalker.require_admin_alone() returns public.users
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin();
begin
  perform pg_advisory_xact_lock(hashtextextended('people:' || me.business_id, 0));
  return floorwalker.require_admin();
end
$$;

create function floorwalker.check_username(p_business_id uuid, p_username text, p_of uuid) returns void
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
begin
  if exists (select from users where business_id = p_business_id and username = p_username and id is distinct from p_of) then
    perform floorwalker.fail('username_taken', format('The username "%s" is taken in this business.', p_username));
  end if;
end
$$;

-- Before Supabase Auth is asked to make an account: whether the profile could be made at all.
create function public.check_person(p_person jsonb) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin();
  existing users;
begin
  select * into existing from users where lower(email) = lower(p_person ->> 'email');
  if existing.business_id <> me.business_id then
    perform floorwalker.fail('user_of_another_business', 'This account belongs to another business.');
  end if;
  if existing.id is not null and existing.deleted_at is null then
    perform floorwalker.fail('person_exists', 'This person is part of the business already.');
  end if;
  perform floorwalker.check_username(me.business_id, p_person ->> 'username', existing.id);
  return jsonb_build_object('returning', existing.id is not null);
end
$$;

-- The profile beside an account that Supabase Auth has; somebody who was removed comes back with it.
create function public.add_person(p_person jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin_alone();
  address text;
begin
  -- The address is what Auth knows, not what the caller says.
  select email into address from auth.users where id = (p_person ->> 'id')::uuid;
  if address is null then
    perform floorwalker.fail('user_not_found', 'Supabase Auth has no account with this id.');
  end if;
  perform check_person(p_person || jsonb_build_object('email', address));
  insert into users (id, business_id, email, role, name, username, supervisor_type)
  values ((p_person ->> 'id')::uuid, me.business_id, address, p_person ->> 'role', p_person ->> 'name',
    p_person ->> 'username', p_person ->> 'supervisor_type')
  on conflict (id) do update set email = excluded.email, role = excluded.role, name = excluded.name,
    username = excluded.username, supervisor_type = excluded.supervisor_type, deleted_at = null;
  return jsonb_build_object('id', p_person ->> 'id');
end
$$;

create function floorwalker.person_for_admin(p_me public.users, p_user_id uuid) returns public.users
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  subject users;
begin
  select * into subject from users
  where id = p_user_id and business_id = p_me.business_id and deleted_at is null for no key update;
  if not found then
    perform floorwalker.fail('user_not_found', 'There is no such person in this business.');
  end if;
  return subject;
end
$$;

-- p_change: name, username, role, supervisor_type; what is not named stays. An admin has neither username nor type.
create function public.change_person(p_user_id uuid, p_change jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin_alone();
  subject users := floorwalker.person_for_admin(me, p_user_id);
  wanted jsonb := to_jsonb(subject) || p_change;
begin
  if wanted ->> 'role' = 'admin' then
    wanted := wanted || '{"username": null, "supervisor_type": null}';
  elsif wanted ->> 'username' is null or wanted ->> 'supervisor_type' is null then
    perform floorwalker.fail('invalid_request', 'A supervisor needs a username and a supervisor_type.');
  end if;
  if subject.role = 'admin' and wanted ->> 'role' <> 'admin' and not exists (
    select from users where business_id = me.business_id and role = 'admin' and deleted_at is null and id <> subject.id) then
    perform floorwalker.fail('last_admin', 'A business without an admin could not be administered any more.');
  end if;
  perform floorwalker.check_username(me.business_id, wanted ->> 'username', subject.id);
  update users set name = wanted ->> 'name', username = wanted ->> 'username', role = wanted ->> 'role',
    supervisor_type = wanted ->> 'supervisor_type'
  where id = subject.id;
  return jsonb_build_object('id', subject.id);
end
$$;

-- The row stays, because history names it. Nobody removes themselves, so an admin always remains.
create function public.deactivate_person(p_user_id uuid) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin_alone();
  subject users := floorwalker.person_for_admin(me, p_user_id);
  held jsonb;
begin
  if subject.id = me.id then
    perform floorwalker.fail('not_allowed', 'Ask another admin to remove you.');
  end if;
  select jsonb_agg(id) into held from interactions where controlled_by = subject.id and status = 'active';
  if held is not null then
    perform floorwalker.fail('person_in_control', format('%s is speaking with a customer right now.', subject.name),
      jsonb_build_object('interaction_ids', held));
  end if;
  update users set deleted_at = clock_timestamp() where id = subject.id;
  return jsonb_build_object('id', subject.id);
end
$$;

-- As before, and says which agents: they have to be given to somebody else one by one.
create or replace function floorwalker.check_person_change() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  supervised jsonb;
begin
  if new.role is distinct from old.role or new.supervisor_type is distinct from old.supervisor_type
    or new.business_id <> old.business_id or (new.deleted_at is not null and old.deleted_at is null) then
    select jsonb_agg(jsonb_build_object('id', id, 'name', name) order by name) into supervised
    from agents where supervisor_id = new.id and deleted_at is null;
    if supervised is not null then
      perform floorwalker.fail('supervisor_has_agents', format(
        '%s still supervises %s; give them to another supervisor first.', old.name,
        (select string_agg(a ->> 'name', ', ') from jsonb_array_elements(supervised) a)),
        jsonb_build_object('agents', supervised));
    end if;
    update agents set cover_id = null where cover_id = new.id and deleted_at is null;
  end if;
  return new;
end
$$;

-- p_change: supervisor_id, cover_id (null: none); what is not named stays.
create function public.assign_agent(p_agent_id uuid, p_change jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin();
  mine agents := floorwalker.agent_for_actor(p_agent_id);
  supervisor uuid := coalesce((p_change ->> 'supervisor_id')::uuid, mine.supervisor_id);
  cover uuid := case when p_change ? 'cover_id' then (p_change ->> 'cover_id')::uuid else mine.cover_id end;
begin
  if supervisor = cover then
    perform floorwalker.fail('cover_invalid', 'Supervisor and cover are the same person; name another cover, or none.');
  end if;
  perform set_config('floorwalker.edit', '{"source": "assignment"}', true);
  update agents set supervisor_id = supervisor, cover_id = cover
  where id = mine.id and (supervisor_id, cover_id) is distinct from (supervisor, cover)
  returning * into mine;
  return jsonb_build_object('id', p_agent_id);
end
$$;

create function floorwalker.check_retention(p_retention jsonb) returns void
  language plpgsql immutable set search_path = public, pg_temp
as $$
declare
  figure record;
begin
  for figure in
    select e.key, e.value, case when e.key = 'metrics_hours' then 24 else 3650 end as most from jsonb_each(p_retention) e
  loop
    if figure.key not in ('archives_days', 'transcripts_days', 'rehearsals_days', 'failed_rehearsals_days', 'metrics_hours') then
      perform floorwalker.fail('invalid_retention', format('There is no "%s" to keep.', left(figure.key, 40)));
    end if;
    if jsonb_typeof(figure.value) <> 'number' or figure.value::text !~ '^[0-9]{1,4}$'
      or figure.value::text::integer not between 1 and figure.most then
      perform floorwalker.fail('invalid_retention', format('%s is a whole number from 1 to %s.', figure.key, figure.most));
    end if;
  end loop;
end
$$;

create function floorwalker.check_vocabulary(p_vocabulary jsonb) returns void
  language plpgsql immutable set search_path = public, pg_temp
as $$
declare
  part text;
  odd text;
begin
  foreach part in array array['topics', 'issues'] loop
    if jsonb_typeof(p_vocabulary -> part) is distinct from 'array' or jsonb_array_length(p_vocabulary -> part) > 500 then
      perform floorwalker.fail('invalid_vocabulary', format('%s is a list of at most 500 tags.', part));
    end if;
    select coalesce(t #>> '{}', 'null') into odd from jsonb_array_elements(p_vocabulary -> part) t
    where jsonb_typeof(t) <> 'string' or t #>> '{}' !~ '^[a-z0-9][a-z0-9_]{0,59}$' limit 1;
    if odd is not null then
      perform floorwalker.fail('invalid_vocabulary', format('"%s" is not a tag; write lower_snake_case.', left(odd, 60)));
    end if;
    select t #>> '{}' into odd from jsonb_array_elements(p_vocabulary -> part) t group by 1 having count(*) > 1 limit 1;
    if odd is not null then
      perform floorwalker.fail('invalid_vocabulary', format('"%s" is there twice.', odd));
    end if;
  end loop;
end
$$;

create function floorwalker.check_origins(p_origins text[]) returns void
  language plpgsql immutable set search_path = public, pg_temp
as $$
declare
  odd text;
begin
  select o into odd from unnest(p_origins) o
  where o is null or length(o) > 255 or not (o = '*' or o ~ '^https?://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?$') limit 1;
  if odd is not null or cardinality(p_origins) > 100 or array_position(p_origins, null) is not null then
    perform floorwalker.fail('invalid_origin', format(
      '"%s" is not an origin; write scheme and host alone, such as https://shop.example, at most 100 of them.', left(odd, 100)));
  end if;
end
$$;

-- p_change: name, time_zone, allowed_origins, retention, tag_vocabulary; what is not named stays. With
-- expected_updated_at it is refused when the row has changed since: wrap-ups extend the vocabulary too.
create function public.change_business(p_change jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  me users := floorwalker.require_admin();
  old_row businesses;
  new_row businesses;
  origins text[];
begin
  select * into old_row from businesses where id = me.business_id for no key update;
  if p_change ? 'expected_updated_at' and (p_change ->> 'expected_updated_at')::timestamptz <> old_row.updated_at then
    perform floorwalker.fail('version_conflict', 'The settings were changed since they were read.',
      jsonb_build_object('updated_at', old_row.updated_at));
  end if;
  origins := case when p_change ? 'allowed_origins'
    then array(select jsonb_array_elements_text(p_change -> 'allowed_origins')) else old_row.allowed_origins end;
  perform floorwalker.check_origins(origins);
  perform floorwalker.check_retention(coalesce(p_change -> 'retention', '{}'));
  if p_change ? 'tag_vocabulary' then
    perform floorwalker.check_vocabulary(p_change -> 'tag_vocabulary');
  end if;
  update businesses set
    name = coalesce(p_change ->> 'name', name), time_zone = coalesce(p_change ->> 'time_zone', time_zone),
    allowed_origins = origins, retention = coalesce(p_change -> 'retention', retention),
    tag_vocabulary = coalesce(p_change -> 'tag_vocabulary', tag_vocabulary)
  where id = me.business_id returning * into new_row;
  if floorwalker.row_difference(to_jsonb(old_row), to_jsonb(new_row)) <> '{}' then
    perform floorwalker.audit(me.business_id, 'business.changed', 'businesses', me.business_id::text,
      floorwalker.row_difference(to_jsonb(old_row), to_jsonb(new_row)));
  end if;
  return jsonb_build_object('id', me.business_id);
end
$$;

-- The audit log is read newest first, often by who or what.
create index idx_audit_events_newest on public.audit_events (business_id, id desc);
create index idx_audit_events_actor on public.audit_events (business_id, actor_id, id desc);
create index idx_audit_events_action on public.audit_events (business_id, action, id desc);

do $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker') and p.proname in ('require_admin', 'require_admin_alone',
      'check_username', 'check_person', 'add_person', 'person_for_admin', 'change_person', 'deactivate_person',
      'assign_agent', 'check_retention', 'check_vocabulary', 'check_origins', 'change_business')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to %s', f.signature,
      case f.schema when 'floorwalker' then 'service_role' else 'authenticated' end);
  end loop;
end
$$;
