-- A row that goes takes not only its gate along but its rules and bound arguments too: where another row stands for
-- all tools of a server, the same tool would come back through that one without them.

create or replace function floorwalker.check_tool_changes(p_agent_id uuid, p_tools jsonb, p_is_admin boolean) returns void
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  inline text[];
  reaching text[];
  ungated text[];
  expands boolean := jsonb_path_exists(p_tools, '$[*].tool_config.expand ? (@ == true)');
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

  select array_agg(mine.tool_name order by mine.tool_name) into ungated
  from agent_tools mine
  left join (select t ->> 'tool_name' as name, (t ->> 'requires_permission')::boolean as gated
    from jsonb_array_elements(p_tools) t) w on w.name = mine.tool_name
  where mine.agent_id = p_agent_id and (
    (mine.requires_permission and not coalesce(w.gated, false))
    or (w.name is null and expands and mine.tool_config ?| array['policy', 'bind']));
  if ungated is not null then
    perform floorwalker.fail('tool_change_not_allowed', format(
      'Only an admin may remove a gate (%s).', array_to_string(ungated, ', ')),
      jsonb_build_object('tools', to_jsonb(ungated), 'change', 'gate'));
  end if;
end
$$;
