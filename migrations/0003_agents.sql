-- Agents and the tools they may use.

create table public.agents (
  id uuid primary key default gen_random_uuid(),
  business_id uuid not null references public.businesses (id) on delete restrict,
  supervisor_id uuid not null references public.users (id) on delete restrict,
  cover_id uuid references public.users (id) on delete restrict,
  name text not null check (length(name) between 1 and 200),
  slug text not null check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  agent_type text not null check (agent_type in ('voice', 'chat')),
  system_prompt text not null check (length(system_prompt) between 1 and 100000),
  greeting text check (length(greeting) <= 2000),
  language text not null default 'en' check (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'),
  model_settings jsonb not null default '{}' check (jsonb_typeof(model_settings) = 'object'),
  voice_settings jsonb not null default '{}' check (jsonb_typeof(voice_settings) = 'object'),
  -- The form tools are imported in. Workers read agent_tools, never this.
  mcp_tools jsonb,
  status text not null default 'idle' check (status in ('idle', 'in_call', 'in_chat', 'paused')),
  public boolean not null default false,
  max_concurrent_interactions integer not null default 1 check (max_concurrent_interactions between 1 and 1000),
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  unique (business_id, slug),
  check (cover_id is distinct from supervisor_id)
);

create index idx_agents_supervisor_id on public.agents (supervisor_id);
create index idx_agents_cover_id on public.agents (cover_id) where cover_id is not null;
create index idx_agents_business on public.agents (business_id);
create index idx_agents_status on public.agents (status);

create table public.agent_tools (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references public.agents (id) on delete restrict,
  tool_name text not null check (tool_name ~ '^[a-zA-Z0-9_-]{1,64}$'),
  tool_config jsonb not null default '{}' check (jsonb_typeof(tool_config) = 'object'),
  requires_permission boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (agent_id, tool_name)
);

create index idx_agent_tools_requires_permission on public.agent_tools (requires_permission);

create trigger touch_updated_at before update on public.agents
  for each row execute function floorwalker.touch_updated_at();
create trigger touch_updated_at before update on public.agent_tools
  for each row execute function floorwalker.touch_updated_at();
create trigger audit_row after insert or update on public.agents
  for each row execute function floorwalker.audit_row();
create trigger audit_row after insert or update or delete on public.agent_tools
  for each row execute function floorwalker.audit_row();

-- A supervisor: same business, same type, still there. The cover: the same. At most three agents each.
-- The lock on the supervisor's row makes two inserts at once count one after the other.
create function floorwalker.check_agent_people() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  person users;
begin
  if new.deleted_at is not null then
    return new;
  end if;

  select * into person from users where id = new.supervisor_id for no key update;
  if not found or person.role <> 'supervisor' or person.deleted_at is not null
    or person.business_id <> new.business_id or person.supervisor_type <> new.agent_type then
    perform floorwalker.fail('supervisor_invalid', format(
      'Agent "%s" needs a %s supervisor of its own business.', new.name, new.agent_type));
  end if;
  if (select count(*) from agents a
      where a.supervisor_id = new.supervisor_id and a.id <> new.id and a.deleted_at is null) >= 3 then
    perform floorwalker.fail('too_many_agents', format(
      'Supervisor %s already has three agents.', person.username), jsonb_build_object('supervisor_id', person.id));
  end if;

  if new.cover_id is not null then
    select * into person from users where id = new.cover_id for key share;
    if not found or person.role <> 'supervisor' or person.deleted_at is not null
      or person.business_id <> new.business_id or person.supervisor_type <> new.agent_type then
      perform floorwalker.fail('cover_invalid', format(
        'The cover of agent "%s" must be another %s supervisor of the same business.', new.name, new.agent_type));
    end if;
  end if;
  return new;
end
$$;

create trigger check_agent_people
  before insert or update of supervisor_id, cover_id, agent_type, business_id, deleted_at on public.agents
  for each row execute function floorwalker.check_agent_people();

-- The other side of the same rule: a person can't stop being what an agent needs.
create function floorwalker.check_person_change() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  if new.role is distinct from old.role or new.supervisor_type is distinct from old.supervisor_type
    or new.business_id <> old.business_id or (new.deleted_at is not null and old.deleted_at is null) then
    if exists (select from agents where supervisor_id = new.id and deleted_at is null) then
      perform floorwalker.fail('supervisor_has_agents', format(
        '%s still supervises agents; give them to another supervisor first.', old.name));
    end if;
    update agents set cover_id = null where cover_id = new.id and deleted_at is null;
  end if;
  return new;
end
$$;

create trigger check_person_change before update of role, supervisor_type, business_id, deleted_at on public.users
  for each row execute function floorwalker.check_person_change();

-- The version counts edits of what the agent is and may do, so that an editor can tell that another was faster.
create function floorwalker.count_agent_edit() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if floorwalker.row_difference(to_jsonb(old), to_jsonb(new)) <> '{}' and new.version = old.version then
    new.version := old.version + 1;
  end if;
  return new;
end
$$;

create trigger count_agent_edit before update on public.agents
  for each row execute function floorwalker.count_agent_edit();

create function floorwalker.count_tool_edit() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  -- apply_agent counts one edit for the definition as a whole.
  if coalesce(current_setting('floorwalker.applying', true), '') <> 'on' then
    update agents set version = version + 1
    where id = case when tg_op = 'DELETE' then old.agent_id else new.agent_id end;
  end if;
  return null;
end
$$;

create trigger count_tool_edit after insert or update or delete on public.agent_tools
  for each row execute function floorwalker.count_tool_edit();
