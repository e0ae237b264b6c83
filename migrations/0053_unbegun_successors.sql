-- A conversation that was handed over in good order, to a worker that died before it had begun anything, is taken up as
-- if it had been handed over to the next one: nobody apologises for a loss that the customer did not see. The same for one
-- that had not begun at all. Such a death still counts towards the bound of recoveries.
create or replace function public.claim_interaction(p_interaction_id uuid, p_worker_id text, p_lease_seconds numeric)
  returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  agent agents;
  taken interactions;
  recovered boolean;
  lost boolean;
  moment timestamptz;
begin
  select a.* into agent from interactions i join agents a on a.id = i.agent_id where i.id = p_interaction_id;
  if not found then
    return jsonb_build_object('claimed', false, 'reason', 'not_found');
  end if;
  -- One claim of an agent at a time: a cap that two claims can pass together is no cap.
  perform pg_advisory_xact_lock(hashtextextended('claim:' || agent.id, 0));
  select * into taken from interactions where id = p_interaction_id for update;
  moment := clock_timestamp();

  if taken.status in ('completed', 'failed') then
    return jsonb_build_object('claimed', false, 'reason', 'ended');
  end if;
  recovered := taken.status = 'active';
  if recovered and taken.lease_until > moment then
    return jsonb_build_object('claimed', false, 'reason', 'held');
  end if;
  if not recovered and agent.max_concurrent_interactions <= (
    select count(*) from interactions where agent_id = agent.id and status = 'active') then
    return jsonb_build_object('claimed', false, 'reason', 'agent_at_capacity');
  end if;
  lost := recovered and taken.handed_over_generation < taken.generation;

  update interactions set
    status = 'active',
    started_at = coalesce(started_at, moment),
    answered_at = coalesce(answered_at, moment),
    agent_snapshot = coalesce(agent_snapshot, floorwalker.snapshot_agent(agent.id)),
    worker_id = p_worker_id,
    lease_until = moment + make_interval(secs => p_lease_seconds::double precision),
    generation = generation + 1,
    claim_attempts = claim_attempts + 1,
    claimed_at = moment,
    recoveries = case
      when not lost then recoveries
      when claimed_at < moment - floorwalker.healthy_stretch() then 1
      else recoveries + 1 end,
    -- Whoever was handed it and died before it had loaded anything has broken nothing off.
    handed_over_generation = case
      when loaded_generation < generation and handed_over_generation = generation - 1 then generation
      else handed_over_generation end
  where id = taken.id
  returning * into taken;

  return jsonb_build_object(
    'claimed', true, 'generation', taken.generation, 'recovered', recovered, 'now', moment,
    'interaction', floorwalker.public_row(taken),
    'business', (select to_jsonb(b) from businesses b where b.id = taken.business_id),
    'agent', to_jsonb(agent),
    'tools', coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name) from agent_tools t where t.agent_id = agent.id), '[]'),
    'snapshot', taken.agent_snapshot,
    'messages', coalesce((select jsonb_agg(to_jsonb(m) order by m.seq)
      from interaction_messages m where m.interaction_id = taken.id), '[]'),
    'open_calls', coalesce((select jsonb_agg(to_jsonb(c) || jsonb_build_object('permission', to_jsonb(p)) order by c.requested_at, c.id)
      from tool_calls c left join tool_permissions p on p.id = c.permission_id
      where c.interaction_id = taken.id and c.state in ('requested', 'awaiting_permission', 'running')), '[]'));
end
$$;
