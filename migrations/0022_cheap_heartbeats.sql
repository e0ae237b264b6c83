-- A heartbeat changes lease_until every two seconds for every open interaction. As long as that column is in no
-- index and the page has room, PostgreSQL rewrites the row only and none of the table's other indexes.
drop index public.idx_interactions_open;
create index idx_interactions_open on public.interactions (queued_at) where status in ('queued', 'active');
alter table public.interactions set (fillfactor = 80);
