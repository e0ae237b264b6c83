-- What remains of an interaction, and first contact resolution.

create table public.interaction_archives (
  id uuid primary key default gen_random_uuid(),
  interaction_id uuid not null unique references public.interactions (id) on delete restrict,
  business_id uuid not null references public.businesses (id) on delete restrict,
  summary text not null,
  summary_source text not null default 'facts' check (summary_source in ('facts', 'model')),
  issues jsonb not null default '[]' check (jsonb_typeof(issues) = 'array'),
  tags jsonb not null default '{"topics": [], "sentiment": "neutral", "issues": []}'
    check (jsonb_typeof(tags -> 'topics') = 'array' and jsonb_typeof(tags -> 'issues') = 'array'),
  csat_score numeric(5, 2) check (csat_score between 0 and 100),
  csat_source text check (csat_source in ('model', 'customer', 'metrics')),
  resolution_time_seconds integer check (resolution_time_seconds >= 0),
  fcr_status boolean not null default true,
  metrics_series jsonb not null default '{}',
  facts jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default now(),
  check ((csat_score is null) = (csat_source is null))
);

create index idx_archives_created_at on public.interaction_archives (created_at desc);
create index idx_archives_business on public.interaction_archives (business_id, created_at desc);
create index idx_archives_fcr_status on public.interaction_archives (fcr_status);
create index idx_archives_tags_gin on public.interaction_archives using gin (tags);
create index idx_archives_issues_gin on public.interaction_archives using gin (issues);

create trigger touch_updated_at before update on public.interaction_archives
  for each row execute function floorwalker.touch_updated_at();

-- Orders all FCR work of one customer. Taken before the archive's row, or two of them could wait for each other.
create function floorwalker.lock_customer_history(p_interaction_id uuid) returns void
  language sql volatile security definer set search_path = public, pg_temp
as $$
  select pg_advisory_xact_lock(hashtextextended('fcr:' || business_id || phone_number, 0))
  from interactions where id = p_interaction_id and phone_number is not null
$$;

-- Resolved at first contact: it was completed, and the same customer did not come back within three days with
-- an issue of the same tag. Derived anew each time, so archives may arrive in any order and tags may change.
create function floorwalker.resolved_at_first_contact(p_interaction_id uuid) returns boolean
  language sql stable security definer set search_path = public, pg_temp
as $$
  select i.status = 'completed' and not exists (
    select from interactions later
    join interaction_archives later_archive on later_archive.interaction_id = later.id
    where later.business_id = i.business_id
      and later.phone_number = i.phone_number
      and later.kind = 'live'
      and i.kind = 'live'
      and later.id <> i.id
      and later.started_at > i.started_at
      and later.started_at <= i.started_at + interval '3 days'
      and exists (
        select from jsonb_array_elements(a.tags -> 'issues') mine
        join jsonb_array_elements(later_archive.tags -> 'issues') theirs on theirs ->> 'tag' = mine ->> 'tag'
      )
  )
  from interactions i join interaction_archives a on a.interaction_id = i.id
  where i.id = p_interaction_id
$$;

create function floorwalker.update_fcr_on_followup() returns trigger
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
begin
  perform floorwalker.lock_customer_history(new.interaction_id);
  select * into mine from interactions where id = new.interaction_id;
  update interaction_archives a
  set fcr_status = floorwalker.resolved_at_first_contact(a.interaction_id)
  from interactions i
  where i.id = a.interaction_id
    and (i.id = mine.id or (
      i.business_id = mine.business_id and i.phone_number = mine.phone_number
      and i.kind = 'live' and mine.kind = 'live'
      and i.started_at < mine.started_at and i.started_at >= mine.started_at - interval '3 days'))
    and a.fcr_status is distinct from floorwalker.resolved_at_first_contact(a.interaction_id);
  return null;
end
$$;

create trigger check_fcr_on_archive after insert or update of tags on public.interaction_archives
  for each row execute function floorwalker.update_fcr_on_followup();
