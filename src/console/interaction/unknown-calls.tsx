import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, type Schemas } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { TextInput } from '../components/field.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { RawArguments } from '../decisions/raw-arguments.tsx';
import { formatTime } from '../live/clock.ts';
import { allPages } from '../live/load-floor.ts';
import { useApp } from '../session/app-context.ts';

type Resolution = Schemas['ToolCallResolution']['resolution'];
type UnknownCall = Schemas['UnknownToolCallPage']['data'][number];

const ANSWERS: readonly { readonly id: Resolution; readonly label: string }[] = [
  { id: 'happened', label: 'It happened' },
  { id: 'did_not_happen', label: 'It did not happen' },
  { id: 'run_again', label: 'Run it again' },
];

function Question({ call, onDone }: { readonly call: UnknownCall; readonly onDone: () => void }) {
  const { api } = useApp();
  const [note, setNote] = useState('');
  const [busy, setBusy] = useState<Resolution | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const resolve = async (resolution: Resolution): Promise<void> => {
    setBusy(resolution);
    setProblem(null);
    try {
      const body = { resolution, ...(note.trim() ? { note: note.trim() } : {}) };
      await answer(api.POST('/v1/tool-calls/{id}/resolution', { params: { path: { id: call.id } }, body }));
      onDone();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(null);
    }
  };
  return (
    <fieldset className="decision" aria-label={`Outcome unknown: ${call.tool_name}`}>
      <h2>
        Did <code className="tool-name">{call.tool_name}</code> take effect?
      </h2>
      <p>
        Its outcome is unknown: the worker that ran it at {formatTime(call.started_at ?? call.requested_at)}{' '}
        died, or the answer never came. Look where it would have left a trace; the agent is told what you say.
      </p>
      <RawArguments label="What ran" value={call.arguments} />
      <TextInput label="Note" value={note} onChange={setNote} maxLength={2_000} />
      <ProblemNotice problem={problem} />
      <div className="card-actions">
        {ANSWERS.map(({ id, label }) => (
          <Button
            key={id}
            isPending={busy === id}
            isDisabled={busy !== null && busy !== id}
            onPress={() => void resolve(id)}
          >
            {label}
          </Button>
        ))}
      </div>
    </fieldset>
  );
}

/** Calls of which nobody knows whether they took effect: never run again without a person's word. */
export function UnknownCalls({ id, happened }: { readonly id: string; readonly happened: number }) {
  const { api } = useApp();
  const queries = useQueryClient();
  const unknown = useQuery({
    queryKey: ['unknown-calls', id, happened],
    queryFn: ({ signal }) =>
      allPages((cursor) => {
        const query = { limit: 200, ...(cursor ? { cursor } : {}) };
        return answer(api.GET('/v1/tool-calls', { params: { query }, signal }));
      }),
    select: (calls) => calls.filter(({ interaction_id }) => interaction_id === id),
    placeholderData: (before) => before,
    gcTime: 5_000,
  });
  const again = (): void => void queries.invalidateQueries({ queryKey: ['unknown-calls', id] });
  return unknown.data?.map((call) => <Question key={call.id} call={call} onDone={again} />);
}
