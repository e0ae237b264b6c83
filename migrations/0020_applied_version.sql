-- Whether somebody else edited an agent since its definition was last applied: the version that the last apply left
-- behind, beside the version that every edit counts up.

alter table public.agents add column applied_version integer;
comment on column public.agents.applied_version is
  'version after the last apply_agent; null or lower than version: edited elsewhere since';

-- Bookkeeping of an apply is no edit: it neither counts a version nor appears in the audit log.
create or replace function floorwalker.row_difference(p_old jsonb, p_new jsonb) returns jsonb
  language sql immutable set search_path = public, pg_temp
as $$
  select coalesce(jsonb_object_agg(key, jsonb_build_object('from', p_old -> key, 'to', p_new -> key)), '{}')
  from (select jsonb_object_keys(coalesce(p_old, '{}') || coalesce(p_new, '{}')) as key) keys
  where p_old -> key is distinct from p_new -> key
    and key not in ('created_at', 'updated_at', 'status', 'version', 'applied_version', 'last_seen_at')
$$;

create function floorwalker.note_applied_version() returns trigger
  language plpgsql set search_path = public, pg_temp
as $$
begin
  if current_setting('floorwalker.applying', true) = 'on' then
    new.applied_version := new.version;
  end if;
  return new;
end
$$;

-- Triggers fire in the order of their names: this one after count_agent_edit has counted.
create trigger note_applied_version before insert or update on public.agents
  for each row execute function floorwalker.note_applied_version();

-- Several definitions in one transaction, so that an error in the last one leaves the first as it was.
create function public.apply_agents(p_agents jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  item jsonb;
  results jsonb := '[]';
begin
  for item in select * from jsonb_array_elements(p_agents) loop
    results := results || jsonb_build_array(apply_agent(
      item -> 'definition', (item ->> 'expected_version')::integer, coalesce((item ->> 'force')::boolean, false)));
  end loop;
  return results;
end
$$;

revoke all on function floorwalker.note_applied_version() from public, anon, authenticated, service_role;
grant execute on function floorwalker.note_applied_version() to service_role;
revoke all on function public.apply_agents(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.apply_agents(jsonb) to service_role;
