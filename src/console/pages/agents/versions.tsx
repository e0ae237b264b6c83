import { useInfiniteQuery } from '@tanstack/react-query';
import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { asProblem, type Problem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';
import { differenceOf } from './difference.ts';

type Detail = Schemas['AgentDetail'];
type Version = Schemas['AgentVersion'];

const SOURCE_WORDS: Readonly<Record<Version['source'], string>> = {
  first: 'The first one kept',
  apply: 'Applied from a file',
  console: 'Edited here',
  rollback: 'Rolled back',
  assignment: 'Supervisor or cover changed',
  other: 'Changed by other means',
};

function Difference({
  from,
  to,
  label,
}: {
  readonly from: Version;
  readonly to: Version;
  readonly label: string;
}) {
  const lines = differenceOf(from.definition, to.definition);
  if (lines.length === 0) return <p className="quiet">Nothing differs.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must take the focus
    <section className="difference" aria-label={label} tabIndex={0}>
      {lines.map(({ mark, text }, index) => {
        const key = `${index}${mark}`;
        if (mark === '+') return <ins key={key}>+ {text}</ins>;
        if (mark === '-') return <del key={key}>- {text}</del>;
        return <div key={key}>{`  ${text}`}</div>;
      })}
    </section>
  );
}

function Row({
  version,
  before,
  isNow,
  zone,
  onRollBack,
}: {
  readonly version: Version;
  readonly before: Version | undefined;
  readonly isNow: boolean;
  readonly zone: string;
  readonly onRollBack: () => Promise<void>;
}) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const number = version.version;
  return (
    <li className="tool">
      <div className="row-between">
        <span>
          <strong>Version {number}</strong>
          {isNow && <span className="tag tag-good">in use</span>}{' '}
          <span className="quiet">
            {formatMoment(version.created_at, zone)} · {SOURCE_WORDS[version.source]}
            {version.restored_version !== null && ` to version ${version.restored_version}`} by{' '}
            {version.changed_by_name ?? 'an operator'}
          </span>
        </span>
        <span className="row">
          {before && (
            <Button size="small" aria-expanded={open} onPress={() => setOpen(!open)}>
              What it changed<span className="only-read-aloud"> in version {number}</span>
            </Button>
          )}
          {!isNow && (
            <Button
              size="small"
              isPending={busy}
              onPress={() => {
                setBusy(true);
                void onRollBack().finally(() => setBusy(false));
              }}
            >
              <RotateCcw aria-hidden />
              Go back to it<span className="only-read-aloud"> (version {number})</span>
            </Button>
          )}
        </span>
      </div>
      {version.note && <q>{version.note}</q>}
      {open && before && <Difference from={before} to={version} label={`What version ${number} changed`} />}
    </li>
  );
}

/** Who changed the agent, when and how; and back to any of them, as a version of its own. */
export function Versions({
  agent,
  onRolledBack,
}: {
  readonly agent: Detail;
  readonly onRolledBack: (agent: Detail, from: number) => void;
}) {
  const { api } = useApp();
  const me = useMe();
  const [problem, setProblem] = useState<Problem | null>(null);
  const path = { id: agent.id };
  const versions = useInfiniteQuery({
    queryKey: ['agent-versions', agent.id],
    queryFn: ({ pageParam, signal }) => {
      const query = pageParam ? { cursor: pageParam } : {};
      return answer(api.GET('/v1/agents/{id}/versions', { params: { path, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: ({ next_cursor }) => next_cursor,
  });
  const rollBack = async (version: number): Promise<void> => {
    setProblem(null);
    try {
      const body = { version, expected_version: agent.version };
      onRolledBack(await answer(api.POST('/v1/agents/{id}/rollback', { params: { path }, body })), version);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <section className="panel stack" aria-label="Versions">
      <h2>Versions</h2>
      <ProblemNotice problem={problem} />
      <Loaded query={versions} what="the versions">
        {({ pages }) => {
          const rows = pages.flatMap(({ data }) => data);
          return (
            <ol className="stack">
              {rows.map((version, index) => (
                <Row
                  key={version.version}
                  version={version}
                  before={rows[index + 1]}
                  isNow={version.version === agent.version}
                  zone={me?.business.time_zone ?? 'UTC'}
                  onRollBack={() => rollBack(version.version)}
                />
              ))}
            </ol>
          );
        }}
      </Loaded>
      {versions.hasNextPage && (
        <Button isPending={versions.isFetchingNextPage} onPress={() => void versions.fetchNextPage()}>
          Older versions
        </Button>
      )}
    </section>
  );
}
