-- A page of a search is looked up row by row, also where the planner, who can't know how few rows find_archives
-- returns, would rather read whole tables: with 12,000 archives each search read one to three of them.
alter function floorwalker.find_archives(jsonb, timestamptz, uuid, integer, integer) rows 50;
alter function public.search_archives(jsonb, timestamptz, uuid, integer)
  set enable_seqscan = off;
alter function public.search_archives(jsonb, timestamptz, uuid, integer)
  set enable_hashjoin = off;
alter function public.search_archives(jsonb, timestamptz, uuid, integer)
  set enable_mergejoin = off;
