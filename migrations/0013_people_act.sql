-- What signed-in people do. The actor is auth.uid(), never an argument.

create function floorwalker.interaction_for_actor(p_interaction_id uuid) returns public.interactions
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row interactions;
begin
  select * into found_row from interactions
  where id = p_interaction_id and agent_id = any (floorwalker.visible_agents()) for update;
  if not found then
    perform floorwalker.fail('interaction_not_found', 'There is no such interaction.');
  end if;
  return found_row;
end
$$;

-- The session ends the conversation politely when it sees the request; one that nobody carries ends here and now.
create function public.request_end(p_interaction_id uuid, p_reason text default null) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.interaction_for_actor(p_interaction_id);
  reason text := coalesce(left(nullif(btrim(p_reason), ''), 200), 'ended_by_supervisor');
begin
  if mine.status in ('completed', 'failed') then
    perform floorwalker.fail('interaction_ended', 'This interaction has ended already.',
      jsonb_build_object('status', mine.status));
  end if;
  update interactions set end_requested_at = coalesce(end_requested_at, clock_timestamp()),
    end_requested_reason = coalesce(end_requested_reason, reason)
  where id = mine.id returning * into mine;
  perform floorwalker.audit(mine.business_id, 'interaction.end_requested', 'interactions', mine.id::text,
    jsonb_build_object('reason', reason));
  if mine.status = 'queued' then
    perform floorwalker.end_interaction(mine, 'failed', reason);
  end if;
  return (select jsonb_build_object('interaction_id', id, 'status', status, 'room', livekit_room_id,
    'end_requested_at', end_requested_at) from interactions where id = mine.id);
end
$$;

create function public.set_disposition(p_interaction_id uuid, p_disposition text, p_notes text default null) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions := floorwalker.interaction_for_actor(p_interaction_id);
begin
  if length(p_disposition) > 100 or length(p_notes) > 10000 then
    perform floorwalker.fail('invalid_disposition', 'A disposition has at most 100 characters, its notes 10,000.');
  end if;
  update interactions set disposition = p_disposition, supervisor_notes = coalesce(p_notes, supervisor_notes)
  where id = mine.id returning * into mine;
  perform floorwalker.audit(mine.business_id, 'interaction.disposition', 'interactions', mine.id::text,
    jsonb_build_object('disposition', p_disposition));
  return jsonb_build_object('interaction_id', mine.id, 'disposition', mine.disposition, 'supervisor_notes', mine.supervisor_notes);
end
$$;

create function public.touch_presence() returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  moment timestamptz := clock_timestamp();
begin
  update users set last_seen_at = moment where id = auth.uid() and deleted_at is null;
  if not found then
    perform floorwalker.fail('not_allowed', 'This account is not part of any business here.');
  end if;
  return jsonb_build_object('last_seen_at', moment);
end
$$;
