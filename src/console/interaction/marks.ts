import type { Schemas } from '../client/api.ts';
import type { Mark } from '../components/plot.tsx';

type Step = Schemas['Step'];

/** What of the trace explains a turn in the mood; everything else would only hide the line. */
const MARKED: Readonly<Record<string, { readonly label: string; readonly tone: Mark['tone'] }>> = {
  awaiting_permission: { label: 'Asked for a decision', tone: 'wait' },
  decision: { label: 'Decided', tone: 'wait' },
  handoff: { label: 'Customer asked for a human', tone: 'human' },
  takeover: { label: 'Taken over', tone: 'human' },
  handback: { label: 'Handed back', tone: 'human' },
  resumed: { label: 'Agent resumed', tone: 'human' },
  whisper: { label: 'Whispered', tone: 'plain' },
  model_failure: { label: 'Model failed', tone: 'critical' },
  turn_limited: { label: 'Turn without end, stopped', tone: 'critical' },
  flood: { label: 'More messages than can be read', tone: 'critical' },
};

export function marksOf(steps: readonly Step[]): Mark[] {
  return steps.flatMap(({ step_type, happened_at, name }) => {
    const mark = MARKED[step_type];
    if (!mark) return [];
    const label = name && step_type !== 'resumed' ? `${mark.label}: ${name}` : mark.label;
    return [{ seconds: Date.parse(happened_at) / 1_000, label, tone: mark.tone }];
  });
}
