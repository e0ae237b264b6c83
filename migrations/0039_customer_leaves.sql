-- A customer says that they are done. Whoever holds the interaction ends it at once, or whoever takes it up next: what a
-- session still knows belongs into the archive. One that was never taken up ends here. May be said again.

create function public.leave_interaction(p_interaction_id uuid, p_resume_token_hash text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  if mine.status in ('queued', 'active') then
    update interactions set end_requested_at = coalesce(end_requested_at, clock_timestamp()),
      end_requested_reason = coalesce(end_requested_reason, 'customer_ended')
    where id = mine.id returning * into mine;
    if mine.status = 'queued' then
      perform floorwalker.end_interaction(mine, 'failed', mine.end_requested_reason);
    end if;
  end if;
  return (select jsonb_build_object('interaction_id', id, 'status', status, 'room', livekit_room_id,
    'generation', generation) from interactions where id = mine.id);
end
$$;

revoke all on function public.leave_interaction(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.leave_interaction(uuid, text) to service_role;
