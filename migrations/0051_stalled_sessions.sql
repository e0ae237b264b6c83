-- A session that holds up its whole process takes the others in it along each time. How often is kept, and unlike losses
-- it is not forgiven after a while: the second time it is given up.

alter table public.interactions
  add column stalls integer not null default 0 check (stalls >= 0);

-- A process that held several and is known to be dead: nobody has to wait until its leases run out.
-- p_stalled_by: the interaction whose work stood in the way of all others, where that is known.
drop function public.release_worker(text);
create function public.release_worker(p_worker_id text, p_stalled_by uuid default null) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  released integer;
begin
  perform 1 from interactions where (worker_id = p_worker_id or id = p_stalled_by) and status = 'active'
  order by agent_id, id for no key update;
  -- Also when somebody has taken it over meanwhile: that one will stand still too.
  update interactions set stalls = stalls + 1 where id = p_stalled_by and status = 'active';
  update interactions set worker_id = null, lease_until = clock_timestamp()
  where worker_id = p_worker_id and status = 'active';
  get diagnostics released = row_count;
  return released;
end
$$;
revoke all on function public.release_worker(text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.release_worker(text, uuid) to service_role;
