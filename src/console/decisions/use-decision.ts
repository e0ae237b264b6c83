import { useCallback, useState } from 'react';
import { answer } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import type { Permission } from '../live/events.ts';
import { useLive } from '../live/live-context.tsx';
import { useApp } from '../session/app-context.ts';
import { useTell } from '../shell/notices.tsx';

export interface Decided {
  readonly decision: 'allowed' | 'denied';
  readonly note?: string;
  readonly arguments?: Record<string, unknown>;
  /** The very same call needs no decision again while this conversation lasts. */
  readonly again?: boolean;
}

export interface Deciding {
  readonly busy: Decided['decision'] | null;
  readonly problem: Problem | null;
  readonly decide: (decided: Decided) => Promise<boolean>;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  allowed: 'allowed',
  denied: 'denied',
  timeout: 'nobody decided in time, which counts as a no',
  withdrawn: 'the customer no longer wants it',
};

/** What won, when somebody or something was faster. */
function describeConflict({ facts }: Problem): string {
  const outcome = OUTCOMES[String(facts.permission_status)] ?? 'settled';
  const name = typeof facts.decided_by_name === 'string' ? facts.decided_by_name : undefined;
  return name ? `Already decided by ${name}: ${outcome}.` : `Already settled: ${outcome}.`;
}

function isConflict(problem: Problem): boolean {
  return problem.code === 'permission_already_decided';
}

/** Allows or denies. Whoever was late is told who was faster, also after the request has left the page. */
export function useDecision(permission: Permission): Deciding {
  const { api } = useApp();
  const live = useLive();
  const tell = useTell();
  const [busy, setBusy] = useState<Decided['decision'] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { id } = permission;
  const decide = useCallback(
    async (decided: Decided): Promise<boolean> => {
      setBusy(decided.decision);
      setProblem(null);
      try {
        const body = {
          decision: decided.decision,
          ...(decided.note ? { note: decided.note } : {}),
          ...(decided.arguments ? { arguments: decided.arguments } : {}),
          ...(decided.again ? { scope: { kind: 'interaction' as const, arguments: {} } } : {}),
        };
        const settled = await answer(
          api.POST('/v1/permissions/{id}/decision', { params: { path: { id } }, body }),
        );
        live.settle({ kind: 'permission', permission: settled });
        return true;
      } catch (error) {
        const failed = asProblem(error);
        if (isConflict(failed)) tell(describeConflict(failed));
        else setProblem(failed);
        return false;
      } finally {
        setBusy(null);
      }
    },
    [api, live, tell, id],
  );
  return { busy, problem, decide };
}
