-- What an agent has shown of an answer that is not complete yet: whoever carries the conversation on after a death goes
-- on where it broke off, in place of saying it again. One utterance an interaction, because nobody says two at once.
--
-- It is written several times a second while somebody speaks, and is of use for as long as that takes: unlogged, a crash
-- of the database empties it, and what was being said in that moment is then said again.
create unlogged table floorwalker.unfinished_answers (
  interaction_id uuid primary key,
  item_id text not null check (length(item_id) between 1 and 200),
  content text not null,
  -- By the clock of the process that speaks, like everything that is said.
  began_at timestamptz not null
) with (fillfactor = 50);

alter table floorwalker.unfinished_answers enable row level security;
revoke all on floorwalker.unfinished_answers from public, anon, authenticated, service_role;

-- The complete message is there.
create function floorwalker.forget_unfinished() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  delete from floorwalker.unfinished_answers where interaction_id = new.interaction_id and item_id = new.item_id;
  return null;
end
$$;

create trigger forget_unfinished after insert on public.interaction_messages
  for each row when (new.role = 'agent') execute function floorwalker.forget_unfinished();

-- With a new generation, or at the end, nobody can complete it any more: what was shown of it is what was said.
create function floorwalker.keep_unfinished() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
begin
  with cut_off as (
    delete from floorwalker.unfinished_answers where interaction_id = new.id returning *)
  insert into interaction_messages (interaction_id, item_id, seq, role, content, interrupted, spoken_at, metadata)
  select c.interaction_id, c.item_id,
    1 + coalesce((select max(seq) from interaction_messages m where m.interaction_id = c.interaction_id), 0),
    'agent', c.content, true, c.began_at, '{"cut_off": true}'
  from cut_off c
  -- One that came late, after its message or after the answer that followed it, says nothing new.
  where not exists (select from interaction_messages m where m.interaction_id = c.interaction_id
    and (m.item_id = c.item_id or (m.role = 'agent' and m.metadata ? 'mark' and m.spoken_at >= c.began_at)));
  return null;
end
$$;

create trigger keep_unfinished after update of generation, status on public.interactions
  for each row when (old.generation <> new.generation or (old.status = 'active' and new.status <> 'active'))
  execute function floorwalker.keep_unfinished();

revoke execute on function floorwalker.forget_unfinished(), floorwalker.keep_unfinished() from public, anon, authenticated;

-- A row with "began_at" is kept besides, until its message is complete.
create or replace function public.append_interim(p_rows jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  told integer;
begin
  with accepted as materialized (
    select i.id, r, place
    from jsonb_array_elements(p_rows) with ordinality as list (r, place)
    join interactions i on i.id = (r ->> 'interaction_id')::uuid and i.generation = (r ->> 'generation')::bigint
      and i.status = 'active'
    where length(r ->> 'item_id') between 1 and 200 and r ->> 'role' in ('customer', 'agent', 'supervisor')
      and length(r ->> 'content') <= 10000
      and not exists (select from interaction_messages m where m.interaction_id = i.id and m.item_id = r ->> 'item_id')),
  kept as (
    insert into floorwalker.unfinished_answers as known (interaction_id, item_id, content, began_at)
    select distinct on (id) id, r ->> 'item_id', r ->> 'content', (r ->> 'began_at')::timestamptz
    from accepted where r ->> 'role' = 'agent' and r ? 'began_at'
    order by id, place desc
    on conflict (interaction_id) do update
      set item_id = excluded.item_id, content = excluded.content, began_at = excluded.began_at
      where excluded.began_at >= known.began_at)
  insert into floorwalker.changes (kind, interaction_id, payload)
  select 'message', id, jsonb_build_object('item_id', r ->> 'item_id', 'role', r ->> 'role', 'content', r ->> 'content')
  from accepted order by place;
  get diagnostics told = row_count;
  return jsonb_build_object('told', told, 'refused', jsonb_array_length(p_rows) - told);
end
$$;

-- One that a write left behind in the moment in which its interaction ended goes with the log.
create or replace function public.trim_changes(p_keep_seconds numeric default 600) returns integer
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
  delete from floorwalker.unfinished_answers u
  where not exists (select from interactions i where i.id = u.interaction_id and i.status = 'active');
  delete from floorwalker.changes where xid < pg_snapshot_xmax(gone) and pg_visible_in_snapshot(xid, gone);
  get diagnostics removed = row_count;
  return removed;
end
$$;
