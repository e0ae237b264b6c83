-- Who may execute what. PostgreSQL and Supabase grant EXECUTE to everyone by default; here nobody has it unless named.
-- A later migration that adds a function repeats this for its own; a test looks at every function there is.

do $$
declare
  f record;
  people constant text[] := array['decide_permission', 'request_end', 'set_disposition', 'touch_presence',
    'performance', 'leaderboard', 'calculate_performance_score', 'schema_version'];
  -- Their actor is auth.uid(), so for the secret key they mean nothing.
  people_only constant text[] := array['decide_permission', 'request_end', 'set_disposition', 'touch_presence',
    'performance', 'leaderboard'];
  policy_helpers constant text[] := array['actor_business', 'admin_business', 'visible_agents'];
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema, p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    -- Functions that came with an extension are not ours.
    where n.nspname in ('public', 'floorwalker') and p.prokind = 'f'
      and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')
      and (n.nspname = 'floorwalker' or p.proname in (
        'schema_version', 'create_interaction', 'resume_interaction', 'rate_interaction', 'claim_interaction',
        'heartbeat', 'release_lease', 'claimable_interactions', 'poll_sessions', 'append_records', 'record_metrics',
        'set_phone_number', 'request_supervisor', 'request_tool_call', 'start_tool_call', 'finish_tool_call',
        'expire_permissions', 'withdraw_permissions', 'decide_permission', 'escalate_requests',
        'complete_interaction', 'update_archive', 'reap_unjoined', 'request_end', 'set_disposition',
        'touch_presence', 'calculate_performance_score', 'performance', 'leaderboard', 'create_business',
        'register_user', 'apply_agent', 'cleanup_realtime_metrics', 'cleanup_old_archives', 'apply_retention'))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    if f.schema = 'floorwalker' then
      execute format('grant execute on function %s to service_role', f.signature);
      if f.name = any (policy_helpers) then
        execute format('grant execute on function %s to authenticated', f.signature);
      end if;
    else
      if f.name = any (people) then
        execute format('grant execute on function %s to authenticated', f.signature);
      end if;
      if not f.name = any (people_only) then
        execute format('grant execute on function %s to service_role', f.signature);
      end if;
    end if;
  end loop;
end
$$;
