-- A call whose outcome nobody knows is a question to a person: did it happen, did it not, or is it to be run again?

alter table public.tool_calls
  add column resolution text check (resolution in ('happened', 'did_not_happen', 'run_again')),
  add column resolution_note text check (length(resolution_note) <= 2000),
  add column resolved_by uuid references public.users (id) on delete restrict,
  add column resolved_at timestamptz,
  add constraint tool_calls_resolution_of_unknown check (resolution is null or state = 'unknown'),
  add constraint tool_calls_resolution_complete check ((resolution is null) = (resolved_at is null));

create index idx_tool_calls_unknown on public.tool_calls (interaction_id) where state = 'unknown';

-- The first answer counts. Whether it may run once more is decided by the same gate as any call, when the agent asks.
create function public.resolve_tool_call(p_tool_call_id uuid, p_resolution text, p_note text default null) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
  call tool_calls;
begin
  if p_resolution is null or p_resolution not in ('happened', 'did_not_happen', 'run_again') then
    perform floorwalker.fail('invalid_resolution', 'The answer is "happened", "did_not_happen" or "run_again".');
  end if;
  select i.* into mine from tool_calls c join interactions i on i.id = c.interaction_id
  where c.id = p_tool_call_id and i.agent_id = any (floorwalker.visible_agents()) for update of i;
  if not found then
    perform floorwalker.fail('tool_call_not_found', 'There is no such tool call.');
  end if;
  select * into call from tool_calls where id = p_tool_call_id for update;
  if call.state <> 'unknown' then
    perform floorwalker.fail('tool_call_not_unknown', format('The outcome of this call is known: %s.', call.state),
      jsonb_build_object('state', call.state));
  end if;
  if call.resolution is not null then
    perform floorwalker.fail('tool_call_already_resolved', format('This question was answered already: %s.', call.resolution),
      jsonb_build_object('resolution', call.resolution, 'resolved_by', call.resolved_by,
        'resolved_by_name', (select name from users where id = call.resolved_by), 'resolved_at', call.resolved_at));
  end if;
  if p_resolution = 'run_again' and mine.status <> 'active' then
    perform floorwalker.fail('interaction_not_active', 'A call can be run again only while its conversation goes on.',
      jsonb_build_object('status', mine.status));
  end if;

  update tool_calls set resolution = p_resolution, resolution_note = left(p_note, 2000),
    resolved_by = auth.uid(), resolved_at = clock_timestamp()
  where id = call.id returning * into call;
  perform floorwalker.audit(mine.business_id, 'tool_call.resolved', 'tool_calls', call.id::text,
    jsonb_build_object('interaction_id', mine.id, 'tool_name', call.tool_name, 'resolution', p_resolution));
  return to_jsonb(call);
end
$$;

revoke execute on function public.resolve_tool_call(uuid, text, text) from public, anon, authenticated;
grant execute on function public.resolve_tool_call(uuid, text, text) to authenticated;

create or replace function public.poll_sessions(p_leases jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  moment timestamptz;
begin
  perform public.expire_permissions();
  moment := clock_timestamp();
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'interaction_id', l.interaction_id,
      'held', coalesce(i.generation = l.generation and i.status = 'active', false),
      'status', coalesce(i.status, 'failed'),
      'control', coalesce(i.control, 'agent'),
      'controlled_by', i.controlled_by,
      'controlled_by_name', i.controlled_by_name,
      'whispers', coalesce((select jsonb_agg(floorwalker.whisper_row(w) order by w.created_at, w.id)
        from whispers w where w.interaction_id = i.id and w.delivered_at is null), '[]'),
      'paused', coalesce(i.paused, false),
      'end_requested_reason', case when i.end_requested_at is not null then coalesce(i.end_requested_reason, 'ended_by_supervisor') end,
      'tools_version', (select md5(coalesce(string_agg(t.id || '@' || t.updated_at, ',' order by t.id), ''))
        from agent_tools t where t.agent_id = i.agent_id),
      'permissions', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', p.id, 'call_id', p.call_id,
          -- A busy row may have been skipped above; by the clock it has timed out all the same.
          'status', case when p.status = 'pending' and p.expires_at <= moment then 'timeout' else p.status end,
          'note', p.note, 'edited_arguments', p.edited_arguments, 'edited_hash', p.edited_hash,
          'decided_by_name', u.name, 'expires_at', p.expires_at) order by p.requested_at, p.id)
        from tool_permissions p
        join tool_calls c on c.id = p.tool_call_id
        left join users u on u.id = p.decided_by
        where p.interaction_id = i.id and c.state in ('requested', 'awaiting_permission', 'running')), '[]'),
      'resolutions', coalesce((
        select jsonb_agg(jsonb_build_object(
          'call_id', c.call_id, 'tool_name', c.tool_name, 'arguments', c.arguments, 'resolution', c.resolution,
          'note', c.resolution_note, 'resolved_by_name', u.name) order by c.resolved_at, c.id)
        from tool_calls c left join users u on u.id = c.resolved_by
        where c.interaction_id = i.id and c.resolution is not null), '[]')
    ) order by l.place)
    from floorwalker.read_leases(p_leases) l
    left join interactions i on i.id = l.interaction_id), '[]');
end
$function$
;
