import '../pages.css';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Archive, Download } from 'lucide-react';
import { useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { answer, type Schemas } from '../../client/api.ts';
import { asProblem, type Problem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { formatDuration } from '../../live/clock.ts';
import { SENTIMENT_WORDS } from '../../live/words.ts';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { useTitle } from '../../shell/title.tsx';
import { download } from '../shared/download.ts';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';
import { asQuery, readSearch, type Search, writeSearch } from './search.ts';
import { SearchForm } from './search-form.tsx';
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

function Results({ search, zone }: { readonly search: Search; readonly zone: string }) {
  const { api } = useApp();
  const [, go] = useLocation();
  const query = asQuery(search, zone);
  const found = useInfiniteQuery({
    queryKey: ['archives', query],
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/v1/archives', {
          params: { query: { ...query, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: ({ next_cursor }) => next_cursor,
  });
  const searched = Object.keys(query).length > 0;
  return (
    <Loaded query={found} what="conversations">
      {({ pages }) => {
        const rows = pages.flatMap(({ data }) => data);
        return (
          <>
            <p className="only-read-aloud" role="status">
              {rows.length === 0
                ? 'Nothing found'
                : `${rows.length}${found.hasNextPage ? ' or more' : ''} found`}
            </p>
            <Table
              label="Conversations that have ended"
              columns={columns(zone)}
              rows={rows}
              rowId={({ interaction_id }) => interaction_id}
              onOpen={(id) => go(`/history/${id}`)}
              empty={
                <Empty
                  icon={<Archive aria-hidden />}
                  title={searched ? 'No conversation fits all of that' : 'No conversation has ended yet'}
                >
                  {searched
                    ? 'Take something away, or spell it differently. What is older than the business keeps is gone.'
                    : 'When a conversation with one of your agents ends, it appears here with its summary.'}
                </Empty>
              }
            />
            {found.hasNextPage && (
              <Button isPending={found.isFetchingNextPage} onPress={() => void found.fetchNextPage()}>
                Show more
              </Button>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function ExportButton({ search, zone }: { readonly search: Search; readonly zone: string }) {
  const { session } = useApp();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const save = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const query = new URLSearchParams({ ...asQuery(search, zone) });
      await download(`/v1/archives/export?${query}`, session.accessToken, 'interactions.csv');
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button isPending={busy} onPress={() => void save()}>
        <Download aria-hidden />
        Export what is found (CSV)
      </Button>
      <ProblemNotice problem={problem} />
    </>
  );
}

export default function HistoryPage() {
  useTitle('History');
  const { api } = useApp();
  const me = useMe();
  const [parameters, setParameters] = useSearchParams();
  const agents = useQuery({ queryKey: ['agents'], queryFn: () => answer(api.GET('/v1/agents')) });
  const search = readSearch(parameters);
  const key = parameters.toString();
  if (!me) return null;
  const zone = me.business.time_zone;
  return (
    <div className="stack">
      <SearchForm
        key={key}
        search={search}
        agents={agents.data?.data ?? []}
        onSearch={(next) => setParameters(writeSearch(next))}
      />
      <div className="row-end">
        <span className="quiet">Times in {zone}. Exports are written to the audit log.</span>
        <ExportButton search={search} zone={zone} />
      </div>
      <Results search={search} zone={zone} />
    </div>
  );
}
