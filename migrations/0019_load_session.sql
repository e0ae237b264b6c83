-- The process that runs a session is not the one that claimed it: LiveKit asks the worker, and the worker starts
-- a job. The job reads here what the claim was given, and only while the claim still holds.

create function public.load_session(p_interaction_id uuid, p_generation bigint) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
begin
  select * into mine from interactions
  where id = p_interaction_id and generation = p_generation and status = 'active';
  if not found then
    perform floorwalker.fail('stale_generation', 'Another worker holds this interaction now, or it has ended.');
  end if;
  return jsonb_build_object(
    'now', clock_timestamp(),
    'interaction', floorwalker.public_row(mine),
    'business', (select to_jsonb(b) from businesses b where b.id = mine.business_id),
    'customer', (select to_jsonb(c) from customers c where c.id = mine.customer_id),
    'snapshot', mine.agent_snapshot,
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name)
      from agent_tools t where t.agent_id = mine.agent_id), '[]'),
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = mine.id), '[]'),
    'calls', coalesce((select jsonb_agg(to_jsonb(c) order by c.requested_at, c.id)
      from tool_calls c where c.interaction_id = mine.id), '[]'));
end
$$;

revoke execute on function public.load_session(uuid, bigint) from public, anon, authenticated;
grant execute on function public.load_session(uuid, bigint) to service_role;
