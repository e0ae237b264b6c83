-- What tool servers need beyond their rows: OAuth tokens that outlive a process, and the agent's rows as they are
-- now for a conversation that is under way.

-- Sealed by the worker (AES-256-GCM, bound to business and server); the database never sees a token.
create table public.tool_tokens (
  business_id uuid not null references public.businesses (id) on delete restrict,
  server_key text not null check (length(server_key) between 1 and 200),
  sealed text not null check (length(sealed) <= 100000),
  version bigint not null default 1,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (business_id, server_key)
);
create trigger touch_updated_at before update on public.tool_tokens
  for each row execute function floorwalker.touch_updated_at();
alter table public.tool_tokens enable row level security;
revoke all on public.tool_tokens from public, anon, authenticated, service_role;

create function public.load_tool_tokens(p_business_id uuid, p_server_key text) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object('sealed', sealed, 'version', version)
  from tool_tokens where business_id = p_business_id and server_key = p_server_key
$$;

-- Compare-and-set: of two processes that rotated a token at once, the one whose token came later is told so.
create function public.save_tool_tokens(p_business_id uuid, p_server_key text, p_sealed text, p_version bigint)
  returns bigint
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  saved bigint;
begin
  if p_version = 0 then
    insert into tool_tokens (business_id, server_key, sealed) values (p_business_id, p_server_key, p_sealed)
    on conflict do nothing returning version into saved;
  else
    update tool_tokens set sealed = p_sealed, version = version + 1, updated_at = clock_timestamp()
    where business_id = p_business_id and server_key = p_server_key and version = p_version
    returning version into saved;
  end if;
  return saved;
end
$$;

create function public.load_agent_tools(p_interaction_id uuid, p_generation bigint) returns jsonb
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  mine interactions;
begin
  select * into mine from interactions
  where id = p_interaction_id and generation = p_generation and status = 'active';
  if not found then
    perform floorwalker.fail('stale_generation', 'Another worker holds this interaction now, or it has ended.');
  end if;
  return coalesce((select jsonb_agg(to_jsonb(t) order by t.tool_name)
    from agent_tools t where t.agent_id = mine.agent_id), '[]');
end
$$;

revoke all on function public.load_tool_tokens(uuid, text), public.save_tool_tokens(uuid, text, text, bigint),
  public.load_agent_tools(uuid, bigint) from public, anon, authenticated, service_role;
grant execute on function public.load_tool_tokens(uuid, text), public.save_tool_tokens(uuid, text, text, bigint),
  public.load_agent_tools(uuid, bigint) to service_role;
