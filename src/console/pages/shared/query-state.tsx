import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { ProblemNotice } from '../../components/notice.tsx';

/** What was asked for, or that it is on its way, or why it is not there and how to ask again. */
export function Loaded<T>({
  query,
  what,
  children,
}: {
  readonly query: Pick<UseQueryResult<T>, 'data' | 'error' | 'refetch' | 'isFetching'>;
  /** In a sentence: “Loading {what}…” */
  readonly what: string;
  readonly children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error === null) {
    return (
      <p className="loading" role="status">
        Loading {what}…
      </p>
    );
  }
  return (
    <div className="stack">
      <ProblemNotice problem={asProblem(query.error)} />
      <div>
        <Button isPending={query.isFetching} onPress={() => void query.refetch()}>
          Try again
        </Button>
      </div>
    </div>
  );
}
