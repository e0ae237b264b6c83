-- An interaction begins: it is created within the limits, and a customer who lost the page finds it again.

create function floorwalker.link_customer(p_business_id uuid, p_phone text) returns uuid
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  customer uuid;
begin
  if p_phone is null then
    return null;
  end if;
  if p_phone !~ '^\+[1-9][0-9]{6,14}$' then
    perform floorwalker.fail('invalid_phone_number',
      'The phone number must be in international form, such as +31201234567.');
  end if;
  insert into customers (business_id, phone_number) values (p_business_id, p_phone)
  on conflict (business_id, phone_number) do nothing returning id into customer;
  if customer is null then
    select id into customer from customers where business_id = p_business_id and phone_number = p_phone;
  end if;
  return customer;
end
$$;

-- A limit's value: the business's own if it has one, else the caller's; null is no limit.
create function floorwalker.limit_of(p_business jsonb, p_request jsonb, p_name text) returns numeric
  language sql immutable set search_path = public, pg_temp
as $$
  select coalesce((p_business ->> p_name)::numeric, (p_request ->> p_name)::numeric)
$$;

-- Seconds until the oldest of the last minute's p_times leaves it, at least one.
create function floorwalker.seconds_until_free(p_times timestamptz[], p_limit numeric) returns integer
  language sql stable set search_path = public, pg_temp
as $$
  select greatest(1, ceil(extract(epoch from
    (select t from unnest(p_times) t order by t desc offset greatest(p_limit::int - 1, 0) limit 1)
      + interval '1 minute' - clock_timestamp())))::integer
$$;

-- The caller holds the business's advisory lock, so counting and inserting can't interleave with another creation.
create function floorwalker.check_limits(
  p_business public.businesses, p_agent_id uuid, p_address_hash text, p_limits jsonb
) returns void
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  most numeric;
  recent timestamptz[];
  minutes numeric;
begin
  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_address_per_minute');
  if p_address_hash is not null and most is not null then
    select array_agg(created_at) into recent from interactions
    where address_hash = p_address_hash and business_id = p_business.id
      and created_at > clock_timestamp() - interval '1 minute';
    if coalesce(cardinality(recent), 0) >= most then
      perform floorwalker.fail('rate_limited', 'Too many conversations were started from this address.',
        jsonb_build_object('limit', 'per_address_per_minute', 'retry_after_seconds', floorwalker.seconds_until_free(recent, most)));
    end if;
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_address_open');
  if p_address_hash is not null and most is not null and most <= (
    select count(*) from interactions where address_hash = p_address_hash and business_id = p_business.id
      and status in ('queued', 'active')) then
    perform floorwalker.fail('rate_limited', 'Too many conversations are open from this address; end one first.',
      jsonb_build_object('limit', 'per_address_open', 'retry_after_seconds', 30));
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_agent_per_minute');
  if most is not null then
    select array_agg(created_at) into recent from interactions
    where agent_id = p_agent_id and created_at > clock_timestamp() - interval '1 minute';
    if coalesce(cardinality(recent), 0) >= most then
      perform floorwalker.fail('rate_limited', 'This agent is asked for by too many people at once.',
        jsonb_build_object('limit', 'per_agent_per_minute', 'retry_after_seconds', floorwalker.seconds_until_free(recent, most)));
    end if;
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_business_open');
  if most is not null and most <= (
    select count(*) from interactions where business_id = p_business.id and status in ('queued', 'active')) then
    perform floorwalker.fail('business_limit_reached', 'All lines of this business are taken.',
      jsonb_build_object('limit', 'per_business_open', 'retry_after_seconds', 30));
  end if;

  most := floorwalker.limit_of(p_business.limits, p_limits, 'per_business_minutes_per_day');
  if most is not null then
    select coalesce(sum(extract(epoch from coalesce(ended_at, clock_timestamp()) - started_at)), 0) / 60 into minutes
    from interactions
    where business_id = p_business.id and kind = 'live' and started_at >=
      date_trunc('day', clock_timestamp() at time zone p_business.time_zone) at time zone p_business.time_zone;
    if minutes >= most then
      perform floorwalker.fail('business_limit_reached', 'This business has used its minutes of today.',
        jsonb_build_object('limit', 'per_business_minutes_per_day', 'retry_after_seconds', 3600));
    end if;
  end if;
end
$$;

create function floorwalker.created(p_row public.interactions) returns jsonb
  language sql stable security definer set search_path = public, pg_temp
as $$
  select jsonb_build_object(
    'interaction_id', p_row.id, 'room', p_row.livekit_room_id, 'status', p_row.status,
    'agent_type', p_row.interaction_type, 'business_id', p_row.business_id,
    -- How many wait for this agent up to and including this one.
    'position', case when p_row.status <> 'queued' then 0 else (
      select count(*) from interactions w
      where w.agent_id = p_row.agent_id and w.status = 'queued' and w.queued_at <= p_row.queued_at) end)
$$;

create function public.create_interaction(p_request jsonb) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  agent agents;
  business businesses;
  created interactions;
  new_id uuid := gen_random_uuid();
  phone text := nullif(p_request ->> 'phone_number', '');
  must_be_public boolean := coalesce((p_request ->> 'require_public')::boolean, true);
begin
  if p_request ->> 'agent_id' ~ '^[0-9a-fA-F-]{36}$' then
    select * into agent from agents where id = (p_request ->> 'agent_id')::uuid and deleted_at is null;
  end if;
  if agent.id is not null then
    select * into business from businesses where id = agent.business_id and deleted_at is null;
  end if;
  if business.id is null then
    perform floorwalker.fail('agent_not_found', 'There is no such agent.');
  end if;
  if must_be_public and not agent.public then
    perform floorwalker.fail('agent_not_public', 'This agent takes no conversations from the public.');
  end if;
  -- A browser names its page's origin; other programs send none and are bound by key and limits alone.
  if must_be_public and p_request ->> 'origin' is not null
    and not (business.allowed_origins && array['*', p_request ->> 'origin']) then
    perform floorwalker.fail('origin_not_allowed', format('Pages of %s may not start conversations here.', p_request ->> 'origin'));
  end if;
  if p_request ->> 'channel' is distinct from agent.agent_type then
    perform floorwalker.fail('channel_mismatch', format('Agent "%s" is a %s agent.', agent.name, agent.agent_type),
      jsonb_build_object('agent_type', agent.agent_type));
  end if;

  perform pg_advisory_xact_lock(hashtextextended('create:' || business.id, 0));

  -- A phone network delivers the same call twice at times.
  if p_request ->> 'provider_call_id' is not null then
    select * into created from interactions where provider_call_id = p_request ->> 'provider_call_id';
    if found then
      return floorwalker.created(created);
    end if;
  end if;

  perform floorwalker.check_limits(business, agent.id, p_request ->> 'address_hash', coalesce(p_request -> 'limits', '{}'));

  insert into interactions (id, business_id, agent_id, customer_id, phone_number, phone_source, interaction_type,
    kind, direction, called_number, provider_call_id, livekit_room_id, resume_token_hash, origin, address_hash)
  values (new_id, business.id, agent.id, floorwalker.link_customer(business.id, phone), phone,
    case when phone is not null then coalesce(p_request ->> 'phone_source', 'claimed') end, agent.agent_type,
    coalesce(p_request ->> 'kind', 'live'), coalesce(p_request ->> 'direction', 'inbound'),
    p_request ->> 'called_number', p_request ->> 'provider_call_id', coalesce(p_request ->> 'room', 'fw-' || new_id),
    p_request ->> 'resume_token_hash', p_request ->> 'origin', p_request ->> 'address_hash')
  returning * into created;
  return floorwalker.created(created);
end
$$;

create function floorwalker.interaction_of_token(p_interaction_id uuid, p_resume_token_hash text) returns public.interactions
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row interactions;
begin
  select * into found_row from interactions
  where id = p_interaction_id and resume_token_hash = p_resume_token_hash for update;
  if not found then
    perform floorwalker.fail('resume_token_invalid', 'This token does not belong to that conversation.');
  end if;
  return found_row;
end
$$;

create function public.resume_interaction(p_interaction_id uuid, p_resume_token_hash text) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  return jsonb_build_object('interaction_id', found_row.id, 'room', found_row.livekit_room_id,
    'status', found_row.status, 'agent_type', found_row.interaction_type);
end
$$;

-- The customer's own rating, 1 to 5, is the CSAT that counts: 1 is 0 %, 5 is 100 %.
create function public.rate_interaction(
  p_interaction_id uuid, p_resume_token_hash text, p_score integer, p_comment text default null
) returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  found_row interactions := floorwalker.interaction_of_token(p_interaction_id, p_resume_token_hash);
begin
  if p_score is null or p_score not between 1 and 5 then
    perform floorwalker.fail('invalid_rating', 'A rating is a whole number from 1 to 5.');
  end if;
  update interactions set rating = p_score, rating_comment = left(p_comment, 2000) where id = found_row.id;
  update interaction_archives set csat_score = (p_score - 1) * 25, csat_source = 'customer'
  where interaction_id = found_row.id;
  return jsonb_build_object('interaction_id', found_row.id, 'score', p_score);
end
$$;
