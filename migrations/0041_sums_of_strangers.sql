-- Sums of rules: a number that a customer only claims is no identity, or each chat with another number would have an
-- allowance of its own; and a negative amount makes no room for a larger one.

create or replace function floorwalker.tool_total(
  p_mine public.interactions, p_tool_name text, p_call_id text, p_argument text, p_own jsonb, p_over text, p_of text
) returns numeric
  language sql stable security definer set search_path = public, pg_temp
as $$
  select case when floorwalker.as_number(p_own) is null or coalesce(bool_or(amount is null), false) then null
    else coalesce(sum(greatest(amount, 0)), 0) + greatest(floorwalker.as_number(p_own), 0) end
  from (
    select floorwalker.as_number(coalesce(p.edited_arguments, c.arguments) -> p_argument) as amount
    from tool_calls c
    join interactions i on i.id = c.interaction_id
    left join tool_permissions p on p.id = c.permission_id
    where c.tool_name = p_tool_name
      and not (c.interaction_id = p_mine.id and c.call_id = p_call_id)
      and c.state in ('requested', 'awaiting_permission', 'running', 'succeeded', 'unknown')
      and case when p_over = 'interaction' then c.interaction_id = p_mine.id
        else i.business_id = p_mine.business_id
          -- Those whom nobody knows count as one: a new chat is no new allowance, nor is another number claimed in it.
          and (p_of = 'business'
            or (case when i.phone_source in ('sip', 'verified') then i.customer_id end)
              is not distinct from (case when p_mine.phone_source in ('sip', 'verified') then p_mine.customer_id end))
          and c.requested_at >= (select date_trunc('day', clock_timestamp() at time zone b.time_zone) at time zone b.time_zone
            from businesses b where b.id = p_mine.business_id)
        end
  ) earlier
$$;
