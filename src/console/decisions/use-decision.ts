import { useCallback, useState } from 'react';
import { answer } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import type { Permission } from '../live/events.ts';
import { useLive } from '../live/live-context.tsx';
import { useApp } from '../session/app-context.ts';

export interface Decided {
  readonly decision: 'allowed' | 'denied';
  readonly note?: string;
  readonly arguments?: Record<string, unknown>;
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
export function describeConflict({ facts }: Problem): string {
  const outcome = OUTCOMES[String(facts.permission_status)] ?? 'settled';
  const name = typeof facts.decided_by_name === 'string' ? facts.decided_by_name : undefined;
  return name ? `Already decided by ${name}: ${outcome}.` : `Already settled: ${outcome}.`;
}

export function isConflict(problem: Problem | null): problem is Problem {
  return problem?.code === 'permission_already_decided';
}

/** Allows or denies. A conflict leaves the request where it is, so that whoever was late can read who was faster. */
export function useDecision(permission: Permission): Deciding {
  const { api } = useApp();
  const live = useLive();
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
        };
        const settled = await answer(
          api.POST('/v1/permissions/{id}/decision', { params: { path: { id } }, body }),
        );
        live.settle({ kind: 'permission', permission: settled });
        return true;
      } catch (error) {
        setProblem(asProblem(error));
        return false;
      } finally {
        setBusy(null);
      }
    },
    [api, live, id],
  );
  return { busy, problem, decide };
}
