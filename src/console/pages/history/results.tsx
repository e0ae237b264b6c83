import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Archive } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { answer, type Schemas } from '../../client/api.ts';
import { asProblem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { formatDuration } from '../../live/clock.ts';
import { SENTIMENT_WORDS } from '../../live/words.ts';
import { useApp } from '../../session/app-context.ts';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';
import { type ArchiveQuery, asQuery, type Search } from './search.ts';
import { readTags, tagWords } from './tags.ts';

type Found = Schemas['FoundArchive'];

const PAGE = 50;

function columns(zone: string): TableColumn<Found>[] {
  return [
    { id: 'started', title: 'Began', cell: ({ started_at }) => formatMoment(started_at, zone) },
    { id: 'agent', title: 'Agent', cell: ({ agent_name }) => agent_name },
    { id: 'customer', title: 'Customer', cell: ({ phone_number }) => phone_number ?? 'Number unknown' },
    { id: 'summary', title: 'What it was about', isName: true, cell: (found) => <Summary found={found} /> },
    { id: 'mood', title: 'Mood', cell: ({ tags }) => <Mood tags={tags} /> },
    { id: 'csat', title: 'CSAT', isNumber: true, cell: ({ csat_score }) => csat_score ?? '–' },
    {
      id: 'duration',
      title: 'Length',
      isNumber: true,
      cell: ({ duration_seconds }) => (duration_seconds === null ? '–' : formatDuration(duration_seconds)),
    },
  ];
}

function Summary({ found }: { readonly found: Found }) {
  const { topics, issues } = readTags(found.tags);
  return (
    <div className="found">
      <span>{found.summary}</span>
      {found.excerpt && <q className="quiet">{found.excerpt.text}</q>}
      <span className="tags">
        {[...topics, ...issues.map(({ tag }) => tag)].map((tag) => (
          <span key={tag} className="tag">
            {tagWords(tag)}
          </span>
        ))}
      </span>
    </div>
  );
}

function Mood({ tags }: { readonly tags: unknown }) {
  const { sentiment } = readTags(tags);
  return sentiment ? <span className={`tag tag-${sentiment}`}>{SENTIMENT_WORDS[sentiment]}</span> : <>–</>;
}

/** How far a search has come that has not found a page full yet, and how to have it stop or go on. */
function Looking({
  back,
  isGoingOn,
  isPending,
  onStop,
  onGoOn,
}: {
  readonly back: string;
  readonly isGoingOn: boolean;
  readonly isPending: boolean;
  readonly onStop: () => void;
  readonly onGoOn: () => void;
}) {
  return (
    <div className="row-end">
      <span className="quiet">
        {isGoingOn ? `Looking further back than ${back}…` : `Looked back to ${back}`}
      </span>
      {isGoingOn ? (
        <Button onPress={onStop}>Stop looking</Button>
      ) : (
        <Button isPending={isPending} onPress={onGoOn}>
          Look further back
        </Button>
      )}
    </div>
  );
}

/** Ends of sentences for those who hear the page. */
function spoken(count: number, isGoingOn: boolean, hasMore: boolean): string {
  if (isGoingOn) return 'Looking further back…';
  if (count === 0) return hasMore ? 'Nothing found yet' : 'Nothing found';
  return `${count}${hasMore ? ' or more' : ''} found`;
}

/** Of what a search has found so far. */
export const archivesKey = (query: ArchiveQuery) => ['archives', query] as const;

type Pages = InfiniteData<Schemas['ArchivePage']>;
const isOnePage = ({ state }: { readonly state: { readonly data: Pages | undefined } }): boolean =>
  !state.data?.pages.some(({ looked_back_to }) => looked_back_to !== null);

/**
 * What a search finds. Among very many conversations it comes in pieces, each of which says how far back it has looked;
 * they are asked for one after the other until a page is full, nothing older is left or somebody has enough of it.
 */
export function Results({ search, zone }: { readonly search: Search; readonly zone: string }) {
  const { api } = useApp();
  const [, go] = useLocation();
  const query = asQuery(search, zone);
  const queries = useQueryClient();
  /** Rows until which it looks on by itself; 0 when somebody has enough, or comes back to what was found before. */
  const [wanted, setWanted] = useState(() => (queries.getQueryData(archivesKey(query)) ? 0 : PAGE));
  const found = useInfiniteQuery({
    queryKey: archivesKey(query),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/v1/archives', {
          params: { query: { ...query, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: ({ next_cursor }) => next_cursor,
    // What came in pieces is not looked for again because somebody comes back to this window or from a conversation.
    refetchOnWindowFocus: isOnePage,
    refetchOnReconnect: isOnePage,
    refetchOnMount: isOnePage,
  });
  const { fetchNextPage, isFetching, isFetchNextPageError, hasNextPage } = found;
  const rows = found.data?.pages.flatMap(({ data }) => data) ?? [];
  const back = found.data?.pages.at(-1)?.looked_back_to ?? null;
  const isGoingOn = back !== null && rows.length < wanted && !isFetchNextPageError;
  useEffect(() => {
    if (isGoingOn && !isFetching) void fetchNextPage();
  }, [isGoingOn, isFetching, fetchNextPage]);
  const goOn = (): void => {
    setWanted(rows.length + PAGE);
    void fetchNextPage();
  };
  const searched = Object.keys(query).length > 0;
  return (
    <Loaded query={found} what="conversations">
      {() => (
        <>
          <p className="only-read-aloud" role="status">
            {spoken(rows.length, isGoingOn, hasNextPage)}
          </p>
          <Table
            label="Conversations that have ended"
            columns={columns(zone)}
            rows={rows}
            rowId={({ interaction_id }) => interaction_id}
            onOpen={(id) => go(`/history/${id}`)}
            empty={back === null ? <Nothing searched={searched} /> : <NothingYet />}
          />
          <ProblemNotice problem={isFetchNextPageError ? asProblem(found.error) : null} />
          {back !== null && (
            <Looking
              back={formatMoment(back, zone)}
              isGoingOn={isGoingOn}
              isPending={found.isFetchingNextPage}
              onStop={() => setWanted(0)}
              onGoOn={goOn}
            />
          )}
          {back === null && hasNextPage && (
            <Button isPending={found.isFetchingNextPage} onPress={goOn}>
              Show more
            </Button>
          )}
        </>
      )}
    </Loaded>
  );
}

function Nothing({ searched }: { readonly searched: boolean }) {
  return (
    <Empty
      icon={<Archive aria-hidden />}
      title={searched ? 'No conversation fits all of that' : 'No conversation has ended yet'}
    >
      {searched
        ? 'Take something away, or spell it differently. What is older than the business keeps is gone.'
        : 'When a conversation with one of your agents ends, it appears here with its summary.'}
    </Empty>
  );
}

function NothingYet() {
  return (
    <Empty icon={<Archive aria-hidden />} title="Nothing found yet">
      Older conversations may still fit. Dates, an agent or a rarer word make a search quicker.
    </Empty>
  );
}
