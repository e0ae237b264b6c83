import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { RawArguments } from '../decisions/raw-arguments.tsx';
import type { Permission } from '../live/events.ts';
import { allPages } from '../live/load-floor.ts';
import { useApp } from '../session/app-context.ts';

function Standing({ permission, onDone }: { readonly permission: Permission; readonly onDone: () => void }) {
  const { api } = useApp();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { id, tool_name, scope } = permission;
  const takeBack = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await answer(api.POST('/v1/permissions/{id}/revocation', { params: { path: { id } } }));
      onDone();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const range = scope?.arguments ?? {};
  return (
    <fieldset className="decision" aria-label={`Allowed without asking: ${tool_name}`}>
      <h2>
        <code className="tool-name">{tool_name}</code> runs without asking here
      </h2>
      <RawArguments
        label="With these arguments"
        value={permission.edited_arguments ?? permission.arguments}
      />
      {Object.keys(range).length > 0 && <RawArguments label="Which may differ within" value={range} />}
      <ProblemNotice problem={problem} />
      <div className="card-actions">
        <Button isPending={busy} onPress={() => void takeBack()}>
          Ask again from now on
        </Button>
      </div>
    </fieldset>
  );
}

/** What was allowed for the rest of this conversation, to be taken back. */
export function StandingPermissions({ id, happened }: { readonly id: string; readonly happened: number }) {
  const { api } = useApp();
  const queries = useQueryClient();
  const standing = useQuery({
    queryKey: ['standing-permissions', id, happened],
    queryFn: ({ signal }) =>
      allPages((cursor) => {
        const filter = { status: 'allowed' as const, interaction_id: id, limit: 200 };
        const query = { ...filter, ...(cursor ? { cursor } : {}) };
        return answer(api.GET('/v1/permissions', { params: { query }, signal }));
      }),
    select: (allowed) => allowed.filter((one) => one.scope && !one.scope_revoked_at),
    placeholderData: (before) => before,
    gcTime: 5_000,
  });
  const again = (): void => void queries.invalidateQueries({ queryKey: ['standing-permissions', id] });
  return standing.data?.map((permission) => (
    <Standing key={permission.id} permission={permission} onDone={again} />
  ));
}
