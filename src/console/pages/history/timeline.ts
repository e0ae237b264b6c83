import type { Schemas } from '../../client/api.ts';

type Replay = Schemas['Replay'];
export type Call = Replay['tool_calls'][number];
export type Step = Replay['steps'][number];
export type Message = Replay['messages'][number];

/** One thing that happened, at so many milliseconds after the beginning. */
export type Moment =
  | { readonly kind: 'said'; readonly key: string; readonly atMs: number; readonly message: Message }
  | { readonly kind: 'call'; readonly key: string; readonly atMs: number; readonly call: Call }
  | { readonly kind: 'step'; readonly key: string; readonly atMs: number; readonly step: Step };

/** Steps that say the same as a message or a call that stands there already. */
const TOLD_ELSEWHERE = new Set(['tool_call', 'tool_result', 'awaiting_permission', 'decision', 'turn']);

export interface Timeline {
  readonly startMs: number;
  readonly durationMs: number;
  readonly moments: readonly Moment[];
}

/** Words, tool calls and trace in the order in which they happened. */
export function makeTimeline(
  replay: Pick<Replay, 'started_at' | 'ended_at' | 'messages' | 'steps' | 'tool_calls'>,
): Timeline {
  const startMs = Date.parse(replay.started_at);
  const since = (at: string): number => Math.max(0, Date.parse(at) - startMs);
  const moments: Moment[] = [
    ...replay.messages.map((message): Moment => {
      return {
        kind: 'said',
        key: message.item_id,
        atMs: since(message.spoken_at ?? message.created_at),
        message,
      };
    }),
    ...replay.tool_calls.map((call): Moment => {
      return { kind: 'call', key: `call ${call.call_id}`, atMs: since(call.requested_at), call };
    }),
    ...replay.steps
      .filter(({ step_type }) => !TOLD_ELSEWHERE.has(step_type))
      .map((step): Moment => ({ kind: 'step', key: `step ${step.id}`, atMs: since(step.happened_at), step })),
  ];
  moments.sort((a, b) => a.atMs - b.atMs);
  const last = moments.at(-1)?.atMs ?? 0;
  const ended = replay.ended_at === null ? 0 : since(replay.ended_at);
  return { startMs, durationMs: Math.max(last, ended, 1), moments };
}

/** How many of the moments have happened by then. */
export function happenedBy(moments: readonly Moment[], atMs: number): number {
  let [low, high] = [0, moments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((moments[middle]?.atMs ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
