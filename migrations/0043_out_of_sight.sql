-- Who listens to a conversation, or has spoken in it, and may not see it any more: a place in a LiveKit room outlives
-- what gave it to them. Whoever has control stays while they are part of the business: a customer is not left in
-- mid-sentence.

create function public.people_out_of_sight() returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('room', i.livekit_room_id, 'user_id', seen.actor_id)), '[]')
  from interactions i
  cross join lateral (
    select distinct e.actor_id from audit_events e
    where e.subject_type = 'interactions' and e.subject_id = i.id::text and e.actor_id is not null
      and e.action in ('interaction.monitor', 'interaction.takeover')) seen
  where i.status = 'active' and not i.agent_id = any (floorwalker.visible_agents_of(seen.actor_id))
    and not exists (select from users u where u.id = seen.actor_id and u.id = i.controlled_by and u.deleted_at is null)
$$;

revoke all on function public.people_out_of_sight() from public, anon, authenticated, service_role;
grant execute on function public.people_out_of_sight() to service_role;
