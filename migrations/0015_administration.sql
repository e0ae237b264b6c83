-- What an operator sets up: businesses, people, agents. For the secret key only.

create function floorwalker.find_business(p_source jsonb) returns public.businesses
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  found_row businesses;
begin
  select * into found_row from businesses
  where deleted_at is null and (id::text = p_source ->> 'business_id' or slug = p_source ->> 'business_slug');
  if not found then
    perform floorwalker.fail('business_not_found', format('There is no business "%s"; make it with `floorwalker business create`.',
      coalesce(p_source ->> 'business_slug', p_source ->> 'business_id')));
  end if;
  return found_row;
end
$$;

-- Making a business that is there already changes nothing and says so.
create function public.create_business(p_business jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  made businesses;
begin
  insert into businesses (name, slug, time_zone, allowed_origins, retention, tag_vocabulary, limits)
  values (p_business ->> 'name', p_business ->> 'slug', coalesce(p_business ->> 'time_zone', 'UTC'),
    coalesce((select array_agg(o) from jsonb_array_elements_text(nullif(p_business -> 'allowed_origins', 'null')) o), '{}'),
    coalesce(nullif(p_business -> 'retention', 'null'), '{}'),
    '{"topics": [], "issues": []}'::jsonb || coalesce(nullif(p_business -> 'tag_vocabulary', 'null'), '{}'),
    coalesce(nullif(p_business -> 'limits', 'null'), '{}'))
  on conflict (slug) do nothing
  returning * into made;
  if made.id is null then
    return (select jsonb_build_object('business_id', id, 'created', false) from businesses where slug = p_business ->> 'slug');
  end if;
  perform floorwalker.audit(made.id, 'business.created', 'businesses', made.id::text, jsonb_build_object('name', made.name));
  return jsonb_build_object('business_id', made.id, 'created', true);
end
$$;

-- The profile of a user that Supabase Auth has. A second call updates it.
create function public.register_user(p_user jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  business businesses := floorwalker.find_business(p_user);
  existing users;
  auth_id uuid := (p_user ->> 'id')::uuid;
begin
  if not exists (select from auth.users where id = auth_id) then
    perform floorwalker.fail('user_not_found', 'Supabase Auth has no user with this id; invite the person first.');
  end if;
  select * into existing from users where id = auth_id;
  if existing.id is not null and existing.business_id <> business.id then
    perform floorwalker.fail('user_of_another_business', 'This person already belongs to another business.');
  end if;
  if exists (select from users where business_id = business.id and username = p_user ->> 'username' and id <> auth_id) then
    perform floorwalker.fail('username_taken', format('The username "%s" is taken in this business.', p_user ->> 'username'));
  end if;

  insert into users (id, business_id, email, role, name, username, supervisor_type)
  values (auth_id, business.id, p_user ->> 'email', p_user ->> 'role', p_user ->> 'name',
    p_user ->> 'username', p_user ->> 'supervisor_type')
  on conflict (id) do update set email = excluded.email, role = excluded.role, name = excluded.name,
    username = excluded.username, supervisor_type = excluded.supervisor_type, deleted_at = null;
  return jsonb_build_object('user_id', auth_id, 'business_id', business.id, 'created', existing.id is null);
end
$$;

create function floorwalker.find_person(p_business_id uuid, p_id text, p_name text, p_code text) returns uuid
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  person uuid;
begin
  if coalesce(p_id, p_name) is null then
    return null;
  end if;
  select id into person from users
  where business_id = p_business_id and deleted_at is null and role = 'supervisor'
    and (id::text = p_id or lower(email) = lower(p_name) or username = p_name);
  if person is null then
    perform floorwalker.fail(p_code, format('There is no supervisor "%s" in this business.', coalesce(p_name, p_id)));
  end if;
  return person;
end
$$;

create function floorwalker.apply_tools(p_agent_id uuid, p_tools jsonb) returns boolean
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  removed integer;
  written integer;
begin
  delete from agent_tools where agent_id = p_agent_id
    and tool_name not in (select t ->> 'tool_name' from jsonb_array_elements(p_tools) t);
  get diagnostics removed = row_count;
  insert into agent_tools as mine (agent_id, tool_name, tool_config, requires_permission)
  select p_agent_id, t ->> 'tool_name', coalesce(t -> 'tool_config', '{}'), coalesce((t ->> 'requires_permission')::boolean, true)
  from jsonb_array_elements(p_tools) t
  on conflict (agent_id, tool_name) do update
    set tool_config = excluded.tool_config, requires_permission = excluded.requires_permission
    where (mine.tool_config, mine.requires_permission) is distinct from (excluded.tool_config, excluded.requires_permission);
  get diagnostics written = row_count;
  return removed + written > 0;
end
$$;

-- Upserts an agent by (business, slug) with exactly the tools of its definition. All or nothing.
-- p_expected_version: the version that the editor has seen; null for an agent that should not exist yet.
create function public.apply_agent(
  p_definition jsonb, p_expected_version integer default null, p_force boolean default false
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  business businesses := floorwalker.find_business(p_definition);
  old_row agents;
  new_row agents;
  supervisor uuid := floorwalker.find_person(business.id, p_definition ->> 'supervisor_id', p_definition ->> 'supervisor', 'supervisor_invalid');
  cover uuid := floorwalker.find_person(business.id, p_definition ->> 'cover_id', p_definition ->> 'cover', 'cover_invalid');
  tools_changed boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('apply:' || business.id || (p_definition ->> 'slug'), 0));
  perform set_config('floorwalker.applying', 'on', true);
  select * into old_row from agents where business_id = business.id and slug = p_definition ->> 'slug' for no key update;

  if old_row.id is not null and not coalesce(p_force, false) and p_expected_version is distinct from old_row.version then
    perform floorwalker.fail('agent_version_conflict',
      format('Agent "%s" was changed elsewhere: it is at version %s.', old_row.slug, old_row.version),
      jsonb_build_object('agent_id', old_row.id, 'version', old_row.version, 'expected_version', p_expected_version));
  end if;

  if old_row.id is null then
    insert into agents (business_id, slug, supervisor_id, cover_id, name, agent_type, system_prompt, greeting, language,
      model_settings, voice_settings, mcp_tools, public, max_concurrent_interactions)
    values (business.id, p_definition ->> 'slug', supervisor, cover, p_definition ->> 'name', p_definition ->> 'agent_type',
      p_definition ->> 'system_prompt', p_definition ->> 'greeting', coalesce(p_definition ->> 'language', 'en'),
      coalesce(nullif(p_definition -> 'model_settings', 'null'), '{}'), coalesce(nullif(p_definition -> 'voice_settings', 'null'), '{}'),
      nullif(p_definition -> 'mcp_tools', 'null'), coalesce((p_definition ->> 'public')::boolean, false),
      coalesce((p_definition ->> 'max_concurrent_interactions')::integer, 1))
    returning * into new_row;
  else
    update agents set
      supervisor_id = coalesce(supervisor, supervisor_id), cover_id = cover, name = p_definition ->> 'name',
      agent_type = p_definition ->> 'agent_type', system_prompt = p_definition ->> 'system_prompt',
      greeting = p_definition ->> 'greeting', language = coalesce(p_definition ->> 'language', 'en'),
      model_settings = coalesce(nullif(p_definition -> 'model_settings', 'null'), '{}'),
      voice_settings = coalesce(nullif(p_definition -> 'voice_settings', 'null'), '{}'),
      mcp_tools = nullif(p_definition -> 'mcp_tools', 'null'),
      public = coalesce((p_definition ->> 'public')::boolean, false),
      max_concurrent_interactions = coalesce((p_definition ->> 'max_concurrent_interactions')::integer, 1),
      deleted_at = null
    where id = old_row.id returning * into new_row;
  end if;

  tools_changed := floorwalker.apply_tools(new_row.id, coalesce(nullif(p_definition -> 'tools', 'null'), '[]'));
  if old_row.id is not null and tools_changed and new_row.version = old_row.version then
    update agents set version = version + 1 where id = new_row.id returning * into new_row;
  end if;
  perform set_config('floorwalker.applying', '', true);
  return jsonb_build_object('agent_id', new_row.id, 'version', new_row.version,
    'created', old_row.id is null, 'changed', old_row.id is null or new_row.version <> old_row.version);
end
$$;
