-- What changed, for those who watch: a short log that the API reads a few times a second and keeps for minutes.
-- It is a doorbell with a memory, not a copy: most entries only name a row, which is read when it is told. Unlogged,
-- so that it adds next to nothing to the write-ahead log; a crash empties it, and its readers learn that by its epoch.

create unlogged table floorwalker.changes (
  -- The writing transaction. Numbers given out by a sequence say nothing of the order in which transactions commit.
  xid xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity,
  kind text not null check (kind in
    ('metrics', 'message', 'permission', 'interaction', 'agent', 'tool_call', 'callback', 'person')),
  interaction_id uuid,
  agent_id uuid,
  -- The row that changed; null when the payload is all there is to tell.
  subject text,
  payload jsonb,
  created_at timestamptz not null default clock_timestamp(),
  primary key (xid, id),
  check ((subject is null) <> (payload is null))
);

-- Everything that "horizon" saw committed may have been removed. "mark" becomes the next horizon.
create unlogged table floorwalker.change_log (
  only_row boolean primary key default true check (only_row),
  epoch text not null default substr(gen_random_uuid()::text, 1, 8),
  horizon pg_snapshot not null default pg_current_snapshot(),
  mark pg_snapshot not null default pg_current_snapshot(),
  marked_at timestamptz not null default clock_timestamp()
);

alter table floorwalker.changes enable row level security;
alter table floorwalker.change_log enable row level security;
revoke all on floorwalker.changes, floorwalker.change_log from public, anon, authenticated, service_role;

-- The argument is the kind; for tables with an id and an interaction_id.
create function floorwalker.log_change() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  insert into floorwalker.changes (kind, interaction_id, subject) values (tg_argv[0], new.interaction_id, new.id::text);
  return null;
end
$$;

create function floorwalker.log_interaction() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  insert into floorwalker.changes (kind, interaction_id, agent_id, subject) values ('interaction', new.id, new.agent_id, new.id::text);
  return null;
end
$$;

create function floorwalker.log_agent() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  insert into floorwalker.changes (kind, agent_id, subject) values ('agent', new.id, new.id::text);
  return null;
end
$$;

create function floorwalker.log_person() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  insert into floorwalker.changes (kind, subject) values ('person', new.id::text);
  return null;
end
$$;

-- The rows of all sessions of a process come in one insert; they are gone when the interaction ends, so they are told
-- as they are.
create function floorwalker.log_metrics() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  insert into floorwalker.changes (kind, interaction_id, payload)
  select 'metrics', interaction_id, jsonb_build_object('timestamp', "timestamp", 'sentiment', sentiment,
    'satisfaction_score', satisfaction_score, 'feed_text', feed_text)
  from added;
  return null;
end
$$;

create trigger log_change_insert after insert on public.interactions
  for each row execute function floorwalker.log_interaction();
-- A heartbeat renews the lease every two seconds and is no news.
create trigger log_change after update on public.interactions for each row
  when (old.lease_until is not distinct from new.lease_until or old.status <> new.status or old.generation <> new.generation)
  execute function floorwalker.log_interaction();
create trigger log_change after insert or update on public.interaction_messages
  for each row execute function floorwalker.log_change('message');
create trigger log_change after insert or update on public.tool_permissions
  for each row execute function floorwalker.log_change('permission');
create trigger log_change after insert or update on public.tool_calls
  for each row execute function floorwalker.log_change('tool_call');
create trigger log_change after insert or update on public.callback_requests
  for each row execute function floorwalker.log_change('callback');
create trigger log_change after insert or update on public.agents
  for each row execute function floorwalker.log_agent();
create trigger log_change after insert on public.realtime_metrics referencing new table as added
  for each statement execute function floorwalker.log_metrics();
create trigger log_change after update of role, business_id, deleted_at on public.users
  for each row execute function floorwalker.log_person();

-- What is being said, before it is a turn. Told to those who watch and kept nowhere else. A turn that is stored
-- already is not opened again by words that come late.
create function public.append_interim(p_rows jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  told integer;
begin
  insert into floorwalker.changes (kind, interaction_id, payload)
  select 'message', i.id, jsonb_build_object('item_id', r ->> 'item_id', 'role', r ->> 'role', 'content', r ->> 'content')
  from jsonb_array_elements(p_rows) with ordinality as list (r, place)
  join interactions i on i.id = (r ->> 'interaction_id')::uuid and i.generation = (r ->> 'generation')::bigint
    and i.status = 'active'
  where length(r ->> 'item_id') between 1 and 200 and r ->> 'role' in ('customer', 'agent', 'supervisor')
    and length(r ->> 'content') <= 10000
    and not exists (select from interaction_messages m where m.interaction_id = i.id and m.item_id = r ->> 'item_id')
  order by place;
  get diagnostics told = row_count;
  return jsonb_build_object('told', told, 'refused', jsonb_array_length(p_rows) - told);
end
$$;

-- True when everything that the older snapshot saw is seen by this one.
create function floorwalker.snapshot_covers(p_snapshot pg_snapshot, p_older pg_snapshot) returns boolean
  language sql immutable set search_path = public, pg_temp
as $$
  select pg_snapshot_xmax(p_snapshot) >= pg_snapshot_xmax(p_older)
    and not exists (select from pg_snapshot_xip(p_snapshot) as running (xid) where pg_visible_in_snapshot(running.xid, p_older))
$$;

-- What was committed between two snapshots: not seen by p_from, seen by p_to (or now). Exactly that, in whichever
-- order transactions took their numbers, and without waiting for one that is still open. Without p_from: from now on.
-- p_after_id: the place within the window where the last page ended. "intact" is false when something of the window
-- may have been removed, or the log is another one than that of p_epoch.
create function public.read_changes(
  p_epoch text default null, p_from text default null, p_to text default null, p_after_id bigint default 0, p_limit integer default 500
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  log floorwalker.change_log;
  window_start pg_snapshot;
  window_end pg_snapshot := coalesce(p_to::pg_snapshot, pg_current_snapshot());
  found_rows jsonb;
  has_more boolean;
begin
  select * into log from floorwalker.change_log;
  if not found then
    insert into floorwalker.change_log default values on conflict do nothing;
    select * into log from floorwalker.change_log;
  end if;
  window_start := coalesce(p_from::pg_snapshot, window_end);
  if coalesce(p_epoch, log.epoch) <> log.epoch or not floorwalker.snapshot_covers(window_start, log.horizon)
    or pg_snapshot_xmax(window_start) > pg_snapshot_xmax(pg_current_snapshot()) then
    return jsonb_build_object('epoch', log.epoch, 'intact', false, 'from', window_start::text, 'to', window_end::text,
      'more', false, 'now', clock_timestamp(), 'changes', '[]'::jsonb);
  end if;

  select coalesce(jsonb_agg(to_jsonb(page) - 'place' order by page.id) filter (where page.place <= p_limit), '[]'),
    count(*) > p_limit
  into found_rows, has_more
  from (
    select c.id, c.xid::text as xid, c.kind, c.interaction_id, coalesce(c.agent_id, i.agent_id) as agent_id, c.subject,
      c.payload, c.created_at, row_number() over (order by c.id) as place
    from floorwalker.changes c
    left join interactions i on i.id = c.interaction_id
    where (c.xid >= pg_snapshot_xmax(window_start)
        or c.xid = any (array(select running.xid from pg_snapshot_xip(window_start) as running (xid))))
      and pg_visible_in_snapshot(c.xid, window_end)
      and c.id > p_after_id
      and (i.id is null or i.kind = 'live')
    order by c.id
    limit p_limit + 1
  ) page;
  return jsonb_build_object('epoch', log.epoch, 'intact', true, 'from', window_start::text, 'to', window_end::text,
    'more', has_more, 'now', clock_timestamp(), 'changes', found_rows);
end
$$;

-- Every entry is kept for p_keep_seconds at least and twice as long at most. Called often; does something rarely.
create function public.trim_changes(p_keep_seconds numeric default 600) returns integer
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  gone pg_snapshot;
  removed integer;
begin
  insert into floorwalker.change_log default values on conflict do nothing;
  update floorwalker.change_log set horizon = mark, mark = pg_current_snapshot(), marked_at = clock_timestamp()
  where marked_at <= clock_timestamp() - make_interval(secs => p_keep_seconds::double precision)
  returning horizon into gone;
  if not found then
    return 0;
  end if;
  delete from floorwalker.changes where xid < pg_snapshot_xmax(gone) and pg_visible_in_snapshot(xid, gone);
  get diagnostics removed = row_count;
  return removed;
end
$$;

-- One rule of who sees what, for row level security and for those who watch.
create function floorwalker.visible_agents_of(p_user_id uuid) returns uuid[]
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(array_agg(a.id), '{}')
  from users u
  join agents a on a.business_id = u.business_id
    and (u.role = 'admin' or a.supervisor_id = u.id or a.cover_id = u.id)
  where u.id = p_user_id and u.deleted_at is null
$$;

create or replace function floorwalker.visible_agents() returns uuid[]
  language sql stable security definer set search_path = public, pg_temp
as $$
  select floorwalker.visible_agents_of(auth.uid())
$$;

-- People who are not there any more are left out.
create function public.visible_agents_of_people(p_user_ids uuid[]) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('user_id', u.id, 'agents', floorwalker.visible_agents_of(u.id))), '[]')
  from users u where u.id = any (p_user_ids) and u.deleted_at is null
$$;

do $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as signature, n.nspname as schema
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'floorwalker') and p.proname in ('log_change', 'log_interaction', 'log_agent', 'log_person',
      'log_metrics', 'append_interim', 'snapshot_covers', 'read_changes', 'trim_changes', 'visible_agents_of', 'visible_agents_of_people')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
    execute format('grant execute on function %s to service_role', f.signature);
  end loop;
end
$$;
