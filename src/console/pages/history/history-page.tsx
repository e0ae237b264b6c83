import '../pages.css';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import { answer } from '../../client/api.ts';
import { asProblem, type Problem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { useTitle } from '../../shell/title.tsx';
import { download } from '../shared/download.ts';
import { archivesKey, Results } from './results.tsx';
import { asQuery, readSearch, type Search, writeSearch } from './search.ts';
import { SearchForm } from './search-form.tsx';

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
  const queries = useQueryClient();
  const [times, setTimes] = useState(0);
  if (!me) return null;
  const zone = me.business.time_zone;
  /** Also of the same words: who searches again wants what has ended since. */
  const startSearch = (next: Search): void => {
    queries.removeQueries({ queryKey: archivesKey(asQuery(next, zone)) });
    setTimes(times + 1);
    setParameters(writeSearch(next));
  };
  return (
    <div className="stack">
      <SearchForm key={key} search={search} agents={agents.data?.data ?? []} onSearch={startSearch} />
      <div className="row-end">
        <span className="quiet">Times in {zone}. Exports are written to the audit log.</span>
        <ExportButton search={search} zone={zone} />
      </div>
      <Results key={`results ${times} ${key}`} search={search} zone={zone} />
    </div>
  );
}
