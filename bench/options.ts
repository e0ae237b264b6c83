import { parseArgs } from 'node:util';
import { SCENE_KINDS, type SceneKind } from './speech/scenes.ts';

/** What can be measured alone, in the order of a full run. */
export const PARTS = [
  'start',
  'memory',
  'chat',
  'permission',
  'voice',
  'pauses',
  'takeover',
  'recovery',
  'handover',
  'console',
  'events',
  'mcp',
  'density',
  'scale',
  'sizes',
  'queries',
] as const;
export type PartName = (typeof PARTS)[number];

export interface BenchOptions {
  readonly parts: readonly PartName[];
  readonly chats: number;
  readonly turns: number;
  readonly decisions: number;
  readonly calls: number;
  readonly questions: number;
  /** Pairs of callers who hang up when they hear the greeting. */
  readonly greetings: number;
  readonly starts: number;
  readonly samples: number;
  readonly changes: number;
  readonly takeovers: number;
  /** Conversations whose process is killed. */
  readonly kills: number;
  /** Workers that are drained while customers talk. */
  readonly drains: number;
  /** Chats with and without guarantees. */
  readonly comparisons: number;
  readonly pauses: number;
  /** How long the model takes until its first word. */
  readonly modelMs: number;
  /** How long the speech service takes for a sentence. */
  readonly speechMs: number;
  /** Whose voices pause; all that can be had by default. */
  readonly voices: readonly SceneKind[];
  /** The recogniser puts a full stop wherever somebody stops to think. */
  readonly fullStops: boolean;
  /** Chats that begin at once, and how often. */
  readonly burst: number;
  readonly bursts: number;
  /** Seconds for which the console is watched with 100 conversations. */
  readonly watch: number;
  /** Open chats at most, and for how many seconds each number of them is looked at. */
  readonly scale: number;
  readonly window: number;
  /** Calls that are open at once, at most. */
  readonly together: number;
  /** How much the business has behind it, rows of metrics of its open chats, and queries of each kind. */
  readonly interactions: number;
  readonly metrics: number;
  readonly queries: number;
  /** Keeps the database, with what `queries` has made, for the next run. */
  readonly data: string | undefined;
  /** Where the JSON goes; by default a new file in `bench/results`. */
  readonly json: string | undefined;
}

export const USAGE = `npm run bench -- [NAME…] [options]

  start        a worker: from its start to its registration with LiveKit
  memory       API, worker, idle and busy job processes
  chat         joining a chat, and a turn of it
  permission   from a decision's commit to the tool's arrival, with and without the doorbell
  voice        joining a call, and from the caller's last word to the first sound of the answer
  events       from a commit to 1, 100 and 1,000 listeners of the event stream, and what they cost the API
  console      the supervisor's page: weight, start, from a click to the tool, 100 conversations at once
  pauses       callers who pause in mid-sentence, beside the bare framework: who is talked into, how quick it is
  takeover     from a takeover's commit to the agent's last word, in chats and calls, and back
  recovery     from a SIGKILL to the next answer; a turn beside the same build with a store that forgets
  handover     for how long a conversation has nobody while its worker is drained
  mcp          tool servers: a call beside the bare SDK's, 50 servers for 100 conversations, 10 of them down
  density      many chats that begin at once, beside the bare framework: first replies, memory per idle chat
  scale        what a chat costs at 1, 10, 50, 100 and 200 of them, and whether five-second rows come in time
  sizes        calls that share a process beside as many with one each: how late answers are, what a call costs
  queries      what the console asks of a business with much behind it; making it takes the most time

  --chats N      chats that are joined (15)           --turns N      turns of each chat (3)
  --decisions N  decisions, with doorbell and without (15)
  --calls N      calls (5)                            --questions N  questions in each call (2)
  --greetings N  calls that are left when the greeting begins, in pairs (5)
  --starts N     starts of a worker, and of the console (5)
  --samples N    chats and calls whose memory is read (3)
  --watch N      seconds with 100 conversations on the console (30)
  --takeovers N  takeovers of each channel (100)
  --kills N      conversations that lose what carries them; one process holds several (10)
  --drains N     workers that are drained, each with five chats and a call (5)
  --comparisons N  chats with the guarantees and without (3)
  --changes N    changes told to each crowd of listeners (50)
  --pauses N     sentences with a pause, of each kind of voice (12)
  --model-ms N   how long the model takes until its first word (0)
  --speech-ms N  how long the speech service takes for a sentence (0)
  --voices LIST  kinds of voices that pause: people,espeak,rehearsal (all of them)
  --full-stops   the recogniser puts a full stop wherever a caller stops to think
  --burst N      chats that begin at once (30)        --bursts N     how often (3)
  --scale N      chats that are open at once, at most (50; the goal is stated for 200)
  --window N     seconds in which each size is looked at (20)
  --together N   calls that are open at once, at most (5)
  --interactions N  ended interactions behind the queries (100000; the goal is stated for 1000000)
  --metrics N    rows of metrics of open chats beside them (1000000; the goal is stated for 10000000)
  --queries N    queries of each kind (20)
  --data DIR     keeps the database there, so that the next run of \`queries\` need not make it; metrics last for an hour
  --json FILE    where the JSON goes (bench/results/<time>.json)
`;

/** @throws Error that names what is wrong, for a person. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const number = (fallback: number) => ({ type: 'string', default: String(fallback) }) as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      json: { type: 'string' },
      data: { type: 'string' },
      voices: { type: 'string', default: SCENE_KINDS.join(',') },
      'full-stops': { type: 'boolean', default: false },
      chats: number(15),
      turns: number(3),
      decisions: number(15),
      calls: number(5),
      questions: number(2),
      greetings: number(5),
      starts: number(5),
      samples: number(3),
      changes: number(50),
      takeovers: number(100),
      kills: number(10),
      drains: number(5),
      comparisons: number(3),
      pauses: number(12),
      'model-ms': number(0),
      'speech-ms': number(0),
      burst: number(30),
      bursts: number(3),
      watch: number(30),
      scale: number(50),
      window: number(20),
      together: number(5),
      interactions: number(100_000),
      metrics: number(1_000_000),
      queries: number(20),
    },
  });
  if (values.help) return 'help';
  const names = positionals.map((name) => {
    const part = PARTS.find((known) => known === name);
    if (part === undefined)
      throw new Error(`There is no "${name}" to measure; there are ${PARTS.join(', ')}.`);
    return part;
  });
  const count = (name: string, text: string, most = 1_000, least = 1): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Error(`--${name} is "${text}" and not a whole number from ${least} to ${most}.`);
  };
  return {
    parts: names.length === 0 ? PARTS : PARTS.filter((part) => names.includes(part)),
    chats: count('chats', values.chats),
    turns: count('turns', values.turns),
    decisions: count('decisions', values.decisions),
    calls: count('calls', values.calls),
    questions: count('questions', values.questions),
    greetings: count('greetings', values.greetings, 1_000, 0),
    starts: count('starts', values.starts),
    samples: count('samples', values.samples),
    changes: count('changes', values.changes),
    takeovers: count('takeovers', values.takeovers),
    kills: count('kills', values.kills),
    drains: count('drains', values.drains),
    comparisons: count('comparisons', values.comparisons),
    pauses: count('pauses', values.pauses),
    modelMs: count('model-ms', values['model-ms'], 60_000, 0),
    speechMs: count('speech-ms', values['speech-ms'], 60_000, 0),
    voices: values.voices.split(',').map((name) => {
      const kind = SCENE_KINDS.find((known) => known === name);
      if (kind === undefined)
        throw new Error(`There are no voices "${name}"; there are ${SCENE_KINDS.join(', ')}.`);
      return kind;
    }),
    fullStops: values['full-stops'],
    burst: count('burst', values.burst),
    bursts: count('bursts', values.bursts),
    watch: count('watch', values.watch),
    scale: count('scale', values.scale),
    window: count('window', values.window),
    together: count('together', values.together, 100),
    interactions: count('interactions', values.interactions, 10_000_000),
    metrics: count('metrics', values.metrics, 100_000_000),
    queries: count('queries', values.queries),
    data: values.data,
    json: values.json,
  };
}
