-- Who sees which rows. Signed-in people only ever read; every change goes through a function.

-- The signed-in person's business and role, read past RLS so that no policy asks another policy.
create function floorwalker.actor() returns public.users
  language sql stable security definer set search_path = public, pg_temp
as $$
  select u from users u where u.id = auth.uid() and u.deleted_at is null
$$;

create function floorwalker.actor_business() returns uuid
  language sql stable security definer set search_path = public, pg_temp
as $$
  select business_id from users where id = auth.uid() and deleted_at is null
$$;

create function floorwalker.admin_business() returns uuid
  language sql stable security definer set search_path = public, pg_temp
as $$
  select business_id from users where id = auth.uid() and deleted_at is null and role = 'admin'
$$;

-- A supervisor reaches own agents and those covered; an admin all of the business; others none.
-- Policies call it as a scalar subquery: PostgreSQL then evaluates it once a query, not once a row.
create function floorwalker.visible_agents() returns uuid[]
  language sql stable security definer set search_path = public, pg_temp
as $$
  select coalesce(array_agg(a.id), '{}')
  from users u
  join agents a on a.business_id = u.business_id
    and (u.role = 'admin' or a.supervisor_id = u.id or a.cover_id = u.id)
  where u.id = auth.uid() and u.deleted_at is null
$$;

create function floorwalker.reaches_agent(p_agent_id uuid) returns boolean
  language sql stable security definer set search_path = public, pg_temp
as $$
  select p_agent_id = any (floorwalker.visible_agents())
$$;

do $$
declare
  name text;
begin
  foreach name in array array[
    'businesses', 'users', 'customers', 'audit_events', 'agents', 'agent_tools', 'interactions',
    'interaction_messages', 'interaction_steps', 'realtime_metrics', 'tool_calls', 'tool_permissions',
    'interaction_archives'
  ] loop
    execute format('alter table public.%I enable row level security', name);
    execute format('revoke all on table public.%I from public, anon, authenticated', name);
    execute format('grant select on table public.%I to authenticated', name);
    execute format('grant select, insert, update, delete on table public.%I to service_role', name);
  end loop;
end
$$;
revoke update, delete on public.audit_events from service_role;
grant usage, select on all sequences in schema public to service_role;

alter table floorwalker.migrations enable row level security;
revoke all on floorwalker.migrations from public, anon, authenticated;

create policy own_business on public.businesses for select to authenticated
  using (id = (select floorwalker.actor_business()));
create policy self_or_admin on public.users for select to authenticated
  using (id = (select auth.uid()) or business_id = (select floorwalker.admin_business()));
create policy admin_only on public.audit_events for select to authenticated
  using (business_id = (select floorwalker.admin_business()));
create policy reachable on public.agents for select to authenticated
  using (id = any ((select floorwalker.visible_agents())::uuid[]));
create policy reachable on public.agent_tools for select to authenticated
  using (agent_id = any ((select floorwalker.visible_agents())::uuid[]));
create policy reachable on public.interactions for select to authenticated
  using (agent_id = any ((select floorwalker.visible_agents())::uuid[]));

-- These follow their interaction: the inner select is itself subject to the policy above.
create policy reachable on public.customers for select to authenticated
  using (business_id = (select floorwalker.admin_business())
    or exists (select from public.interactions i where i.customer_id = customers.id));
create policy reachable on public.interaction_messages for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
create policy reachable on public.interaction_steps for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
create policy reachable on public.realtime_metrics for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
create policy reachable on public.tool_calls for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
create policy reachable on public.tool_permissions for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
create policy reachable on public.interaction_archives for select to authenticated
  using (exists (select from public.interactions i where i.id = interaction_id));
