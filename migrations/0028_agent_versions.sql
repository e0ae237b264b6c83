-- Agents are edited by the people who watch them: every edit is a version that can be looked at and restored, whoever
-- made it. Who may change what of the tools is decided here, because a tool row is code (endpoints, commands, gates).

create table public.agent_versions (
  id bigserial primary key,
  agent_id uuid not null references public.agents (id) on delete restrict,
  version integer not null,
  -- What the agent was from this version on, its people and tools included.
  definition jsonb not null check (jsonb_typeof(definition) = 'object'),
  source text not null check (source in ('first', 'apply', 'console', 'rollback', 'assignment', 'other')),
  restored_version integer,
  note text check (length(note) <= 500),
  -- No foreign key, and the name beside it: history outlives people. Null is a command with the secret key.
  changed_by uuid,
  changed_by_name text,
  created_at timestamptz not null default clock_timestamp(),
  unique (agent_id, version)
);

alter table public.agent_versions enable row level security;
revoke all on table public.agent_versions from public, anon, authenticated, service_role;
grant select on table public.agent_versions to authenticated, service_role;
create policy reachable on public.agent_versions for select to authenticated
  using (agent_id = any ((select floorwalker.visible_agents())::uuid[]));

create function floorwalker.agent_definition(p_agent_id uuid) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'slug', a.slug, 'name', a.name, 'agent_type', a.agent_type, 'language', a.language, 'public', a.public,
    'max_concurrent_interactions', a.max_concurrent_interactions, 'greeting', a.greeting,
    'system_prompt', a.system_prompt, 'model_settings', a.model_settings, 'voice_settings', a.voice_settings,
    'supervisor_id', a.supervisor_id, 'cover_id', a.cover_id,
    'tools', coalesce((
      select jsonb_agg(jsonb_build_object('tool_name', t.tool_name, 'requires_permission', t.requires_permission,
        'tool_config', t.tool_config) order by t.tool_name) from agent_tools t where t.agent_id = a.id), '[]'))
  from agents a where a.id = p_agent_id
$$;

insert into public.agent_versions (agent_id, version, definition, source)
select id, version, floorwalker.agent_definition(id), 'first' from public.agents;

-- At the end of the transaction, when agent and tools are both as they shall be; however many rows were touched, the
-- transaction leaves one version. The name of the source is set by the functions below.
create function floorwalker.keep_agent_version() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  context text := nullif(current_setting('floorwalker.edit', true), '');
begin
  insert into agent_versions (agent_id, version, definition, source, restored_version, note, changed_by, changed_by_name)
  select a.id, a.version, floorwalker.agent_definition(a.id),
    case when tg_op = 'INSERT' and context is null then 'first' else coalesce(context::jsonb ->> 'source', 'other') end,
    (context::jsonb ->> 'restored_version')::integer, context::jsonb ->> 'note', auth.uid(),
    (select name from users where id = auth.uid())
  from agents a where a.id = new.id
  on conflict (agent_id, version) do nothing;
  return null;
end
$$;

create constraint trigger keep_first_version after insert on public.agents
  deferrable initially deferred for each row execute function floorwalker.keep_agent_version();
create constraint trigger keep_agent_version after update on public.agents
  deferrable initially deferred for each row when (old.version <> new.version)
  execute function floorwalker.keep_agent_version();

-- Edits count once for agent and tools together, whether they come from a file or from a person.
create or replace function floorwalker.count_tool_edit() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  if coalesce(current_setting('floorwalker.applying', true), '') <> 'on'
    and coalesce(current_setting('floorwalker.editing', true), '') <> 'on' then
    update agents set version = version + 1
    where id = case when tg_op = 'DELETE' then old.agent_id else new.agent_id end;
  end if;
  return null;
end
$$;

create or replace function public.apply_agents(p_agents jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  item jsonb;
  results jsonb := '[]';
begin
  perform set_config('floorwalker.edit', '{"source": "apply"}', true);
  for item in select * from jsonb_array_elements(p_agents) loop
    results := results || jsonb_build_array(apply_agent(
      item -> 'definition', (item ->> 'expected_version')::integer, coalesce((item ->> 'force')::boolean, false)));
  end loop;
  return results;
end
$$;

create function floorwalker.agent_for_actor(p_agent_id uuid) returns public.agents
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row agents;
begin
  perform floorwalker.require_actor();
  select * into found_row from agents
  where id = p_agent_id and deleted_at is null and id = any (floorwalker.visible_agents()) for no key update;
  if not found then
    perform floorwalker.fail('agent_not_found', 'There is no such agent.');
  end if;
  return found_row;
end
$$;

-- A command of its own on the worker, in whatever form it is written.
create function floorwalker.is_inline_command(p_config jsonb) returns boolean
  language sql immutable set search_path = public, pg_temp
as $$
  select p_config ?| array['command', 'args', 'env']
    or (p_config ->> 'transport' = 'stdio' and not p_config ? 'server')
$$;

-- Only admins change what a tool reaches or take a gate away; nobody who signs in writes a command. What stays as it
-- is may stay: a definition that an operator applied can be edited around.
create function floorwalker.check_tool_changes(p_agent_id uuid, p_tools jsonb, p_is_admin boolean) returns void
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  inline text[];
  reaching text[];
  ungated text[];
begin
  select array_agg(w.name) into inline
  from (select t ->> 'tool_name' as name, t -> 'tool_config' as config from jsonb_array_elements(p_tools) t) w
  left join agent_tools mine on mine.agent_id = p_agent_id and mine.tool_name = w.name
  where floorwalker.is_inline_command(w.config) and mine.tool_config is distinct from w.config;
  if inline is not null then
    perform floorwalker.fail('inline_command_refused', format(
      'A command for the worker can not be written here (%s); name a server that the operator has defined.',
      array_to_string(inline, ', ')), jsonb_build_object('tools', to_jsonb(inline)));
  end if;
  if p_is_admin then
    return;
  end if;

  select array_agg(w.name) into reaching
  from (select t ->> 'tool_name' as name, t -> 'tool_config' as config from jsonb_array_elements(p_tools) t) w
  left join agent_tools mine on mine.agent_id = p_agent_id and mine.tool_name = w.name
  where mine.tool_config is distinct from w.config;
  if reaching is not null then
    perform floorwalker.fail('tool_change_not_allowed', format(
      'Only an admin may add a tool or change what it reaches (%s).', array_to_string(reaching, ', ')),
      jsonb_build_object('tools', to_jsonb(reaching), 'change', 'endpoint'));
  end if;

  -- A gated row that goes takes its gate along: another row may stand for the same tool.
  select array_agg(mine.tool_name order by mine.tool_name) into ungated
  from agent_tools mine
  left join (select t ->> 'tool_name' as name, (t ->> 'requires_permission')::boolean as gated
    from jsonb_array_elements(p_tools) t) w on w.name = mine.tool_name
  where mine.agent_id = p_agent_id and mine.requires_permission and not coalesce(w.gated, false);
  if ungated is not null then
    perform floorwalker.fail('tool_change_not_allowed', format(
      'Only an admin may remove a gate (%s).', array_to_string(ungated, ', ')),
      jsonb_build_object('tools', to_jsonb(ungated), 'change', 'gate'));
  end if;
end
$$;

-- Definitions side by side with one entry a tool, so that a difference names the tool and not the list of all.
create function floorwalker.comparable_definition(p_definition jsonb) returns jsonb
  language sql immutable set search_path = public, pg_temp
as $$
  select (p_definition - 'tools') || coalesce((
    select jsonb_object_agg('tools.' || (t ->> 'tool_name'), t - 'tool_name')
    from jsonb_array_elements(p_definition -> 'tools') t), '{}')
$$;

create function floorwalker.refuse_other_version(p_agent public.agents, p_version integer) returns void
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  seen jsonb;
  latest agent_versions;
begin
  if p_version is not distinct from p_agent.version then
    return;
  end if;
  select definition into seen from agent_versions where agent_id = p_agent.id and version = p_version;
  select * into latest from agent_versions where agent_id = p_agent.id and version = p_agent.version;
  perform floorwalker.fail('version_conflict', format('The agent is at version %s by now%s.', p_agent.version,
    coalesce(', changed by ' || latest.changed_by_name, '')),
    jsonb_build_object('version', p_agent.version, 'your_version', p_version, 'changed_by_name', latest.changed_by_name,
      'source', latest.source, 'changed_at', latest.created_at,
      -- Null where the version that was seen is none of this agent's.
      'changed', case when seen is not null then floorwalker.row_difference(floorwalker.comparable_definition(seen),
        floorwalker.comparable_definition(floorwalker.agent_definition(p_agent.id))) end));
end
$$;

-- Writes what a definition says of the agent and its tools; its people stay, and so do its type and slug.
create function floorwalker.write_definition(p_agent public.agents, p_definition jsonb, p_context jsonb) returns public.agents
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  written agents;
begin
  perform set_config('floorwalker.edit', p_context::text, true);
  perform set_config('floorwalker.editing', 'on', true);
  update agents set
    name = p_definition ->> 'name', language = p_definition ->> 'language',
    public = (p_definition ->> 'public')::boolean,
    max_concurrent_interactions = (p_definition ->> 'max_concurrent_interactions')::integer,
    greeting = p_definition ->> 'greeting', system_prompt = p_definition ->> 'system_prompt',
    model_settings = p_definition -> 'model_settings', voice_settings = p_definition -> 'voice_settings'
  where id = p_agent.id returning * into written;
  if floorwalker.apply_tools(p_agent.id, p_definition -> 'tools') and written.version = p_agent.version then
    update agents set version = version + 1 where id = p_agent.id returning * into written;
  end if;
  perform set_config('floorwalker.editing', '', true);
  return written;
end
$$;

-- The texts are checked by the API, with the code of `agents apply`; what must not be left to a caller is checked here.
create function public.edit_agent(
  p_agent_id uuid, p_version integer, p_definition jsonb, p_note text default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine agents := floorwalker.agent_for_actor(p_agent_id);
  written agents;
begin
  perform floorwalker.refuse_other_version(mine, p_version);
  perform floorwalker.check_tool_changes(mine.id, p_definition -> 'tools', (floorwalker.actor()).role = 'admin');
  written := floorwalker.write_definition(mine, p_definition,
    jsonb_build_object('source', 'console', 'note', left(p_note, 500)));
  return jsonb_build_object('version', written.version, 'changed', written.version <> mine.version);
end
$$;

-- A new version with the content of an old one. People, type and slug stay as they are now.
create function public.roll_back_agent(
  p_agent_id uuid, p_version integer, p_expected_version integer default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine agents := floorwalker.agent_for_actor(p_agent_id);
  wanted jsonb;
  written agents;
begin
  if p_expected_version is not null then
    perform floorwalker.refuse_other_version(mine, p_expected_version);
  end if;
  select definition into wanted from agent_versions where agent_id = mine.id and version = p_version;
  if wanted is null then
    perform floorwalker.fail('version_not_found', format('The agent has no version %s.', p_version));
  end if;
  if wanted ->> 'agent_type' <> mine.agent_type then
    perform floorwalker.fail('channel_mismatch', format('Version %s spoke on another channel.', p_version));
  end if;
  perform floorwalker.check_tool_changes(mine.id, wanted -> 'tools', (floorwalker.actor()).role = 'admin');
  written := floorwalker.write_definition(mine, wanted,
    jsonb_build_object('source', 'rollback', 'restored_version', p_version));
  return jsonb_build_object('version', written.version, 'changed', written.version <> mine.version);
end
$$;

do $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema, p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker') and p.proname in ('agent_definition', 'keep_agent_version',
      'agent_for_actor', 'is_inline_command', 'check_tool_changes', 'comparable_definition', 'refuse_other_version',
      'write_definition', 'edit_agent', 'roll_back_agent')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to %s', f.signature,
      case f.schema when 'floorwalker' then 'service_role' else 'authenticated' end);
  end loop;
end
$$;
