-- Conversations that begin together are made, and taken by a process, in one transaction: each by itself held the lock of
-- its business or agent until its commit was on the disk, one after the other.

create function public.create_interactions(p_requests jsonb)
  returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  request jsonb;
  nth bigint;
  answers jsonb := '{}';
  code text;
  sentence text;
  facts text;
begin
  -- By business: two of these with the same businesses take their locks in the same order.
  for request, nth in
    select r.value, r.ordinality from jsonb_array_elements(p_requests) with ordinality r
      left join agents a on a.id = case when r.value ->> 'agent_id' ~ '^[0-9a-fA-F-]{36}$' then (r.value ->> 'agent_id')::uuid end
    order by a.business_id, r.ordinality
  loop
    -- What is wrong with one is nothing to the others.
    begin
      answers := answers || jsonb_build_object(nth, jsonb_build_object('created', public.create_interaction(request)));
    exception
      -- Of these the whole is sent again.
      when serialization_failure or deadlock_detected then raise;
      when others then
        get stacked diagnostics code = returned_sqlstate, sentence = message_text, facts = pg_exception_detail;
        answers := answers || jsonb_build_object(nth,
          jsonb_build_object('code', code, 'message', sentence, 'details', nullif(facts, '')));
    end;
  end loop;
  return (select coalesce(jsonb_agg(value order by key::bigint), '[]') from jsonb_each(answers));
end
$$;

create function public.claim_interactions(p_interaction_ids uuid[], p_worker_id text, p_lease_seconds numeric)
  returns jsonb
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  wanted uuid;
  answers jsonb := '{}';
begin
  -- By agent, for the same reason.
  for wanted in
    select distinct on (i.agent_id, w.id) w.id from unnest(p_interaction_ids) w(id) left join interactions i on i.id = w.id
    order by i.agent_id, w.id
  loop
    answers := answers || jsonb_build_object(wanted, public.claim_interaction(wanted, p_worker_id, p_lease_seconds));
  end loop;
  return answers;
end
$$;

revoke execute on function public.create_interactions(jsonb), public.claim_interactions(uuid[], text, numeric)
  from public, anon, authenticated;
grant execute on function public.create_interactions(jsonb), public.claim_interactions(uuid[], text, numeric) to service_role;
