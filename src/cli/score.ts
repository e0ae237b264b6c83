import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { scorerSettings } from '../config.ts';
import { loadPrompts, PROMPTS_DIRECTORY } from '../definitions/prompts.ts';
import { scorerPrompt } from '../definitions/scorer-prompt.ts';
import { FloorwalkerError } from '../errors.ts';
import { createDeviceScorer } from '../scoring/device-scorer.ts';
import { createModelScorer } from '../scoring/model-scorer.ts';
import { type ConversationScorer, INITIAL_SATISFACTION, type Turn } from '../scoring/types.ts';

export type ScorerKind = ConversationScorer['kind'];

export interface ScoreDeps {
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: { write(text: string): unknown };
  createScorer(kind: ScorerKind, onFallback: (reason: string) => void): Promise<ConversationScorer>;
}

export interface ScoreArguments {
  /** Path of a file with JSON lines; `-` is standard input. */
  file: string;
  scorer: ScorerKind;
}

export const SCORE_USAGE = 'floorwalker score FILE|- [--scorer device|model]';
/** A person waits here, not a tick: the model may take its time for a whole conversation. */
const MODEL_TIMEOUT_MS = 60_000;
const MODEL_CONVERSATIONS_AT_ONCE = 4;

const conversationSchema = z.object({
  id: z.union([z.string(), z.number()]),
  turns: z.array(z.object({ role: z.enum(['customer', 'agent']), text: z.string() })),
});

/** @throws FloorwalkerError `score_input_invalid` that says which argument is wrong. */
export function parseScoreArguments(args: readonly string[]): ScoreArguments {
  let file: string | undefined;
  let scorer: string = 'device';
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? '';
    if (argument === '--scorer') {
      scorer = args[++at] ?? '';
    } else if (argument.startsWith('--scorer=')) {
      scorer = argument.slice('--scorer='.length);
    } else if (argument !== '-' && argument.startsWith('-')) {
      throw refuse(`There is no option ${argument}`, `Use ${SCORE_USAGE}.`);
    } else if (file === undefined) {
      file = argument;
    } else {
      throw refuse(`One file at a time; ${argument} is a second one`, `Use ${SCORE_USAGE}.`);
    }
  }
  if (file === undefined) throw refuse('No file is named', `Use ${SCORE_USAGE}.`);
  if (scorer !== 'device' && scorer !== 'model') {
    throw refuse(`There is no scorer "${scorer}"`, 'Use --scorer device or --scorer model.');
  }
  return { file, scorer };
}

/**
 * Scores conversations given as JSON lines `{"id", "turns": [{"role": "customer"|"agent", "text"}]}` and prints a
 * line for each, in order: sentiment and satisfaction after each customer turn (`turn` is its index in `turns`)
 * and the final satisfaction. Reads line by line, so that a file may be larger than memory.
 *
 * @throws FloorwalkerError `score_input_invalid` with the number of the line that can't be used.
 */
export async function runScore(args: readonly string[], deps: ScoreDeps = processDeps()): Promise<number> {
  const { file, scorer: kind } = parseScoreArguments(args);
  const fallbacks = new Map<string, number>();
  const scorer = await deps.createScorer(kind, (reason) => {
    fallbacks.set(reason, (fallbacks.get(reason) ?? 0) + 1);
  });
  const input = file === '-' ? deps.stdin : createReadStream(file, 'utf8');
  const source = file === '-' ? 'standard input' : file;
  const closed = watchForClosedOutput(deps.stdout);
  const underWay: Promise<string>[] = [];
  const atOnce = kind === 'model' ? MODEL_CONVERSATIONS_AT_ONCE : 1;
  const printOldest = async () => {
    const line = await underWay.shift();
    if (line !== undefined) await write(deps.stdout, line);
  };
  try {
    let lineNumber = 0;
    for await (const line of readLines(input, source)) {
      lineNumber += 1;
      if (line.trim() === '') continue;
      const conversation = parseLine(line, source, lineNumber);
      const scored = scoreLine(scorer, conversation);
      // Handled where it is awaited; marked so that an error of a later one is no unhandled rejection.
      scored.catch(() => undefined);
      underWay.push(scored);
      if (underWay.length >= atOnce) await printOldest();
      if (closed()) break;
    }
    while (underWay.length > 0 && !closed()) await printOldest();
  } finally {
    // What was finished before a bad line is printed before the error is.
    for (const scored of await Promise.allSettled(underWay)) {
      if (scored.status === 'fulfilled' && !closed()) await write(deps.stdout, scored.value);
    }
  }
  for (const [reason, times] of fallbacks) {
    deps.stderr.write(
      `floorwalker: the device scorer stood in for the model in ${times} conversations (${reason})\n`,
    );
  }
  return 0;
}

type Conversation = z.infer<typeof conversationSchema>;

async function scoreLine(scorer: ConversationScorer, { id, turns }: Conversation): Promise<string> {
  const scores = await scorer.score(turns);
  const customerTurns = turns.flatMap(({ role }: Turn, turn) => (role === 'customer' ? [turn] : []));
  const rows = scores.map((score, at) => ({ turn: customerTurns[at] ?? at, ...score }));
  const satisfaction = scores.at(-1)?.satisfaction ?? INITIAL_SATISFACTION;
  return `${JSON.stringify({ id, scores: rows, satisfaction })}\n`;
}

function parseLine(line: string, source: string, lineNumber: number): Conversation {
  let value: unknown;
  try {
    value = JSON.parse(lineNumber === 1 ? line.replace(/^\uFEFF/, '') : line);
  } catch {
    throw refuse(
      `Line ${lineNumber} of ${source} is not JSON`,
      'Put one conversation on each line: {"id": "1", "turns": [{"role": "customer", "text": "…"}]}.',
      { line: lineNumber },
    );
  }
  const parsed = conversationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refuse(
    `Line ${lineNumber} of ${source} is not a conversation: ${issue?.path.join('.') || 'the line'}: ${issue?.message}`,
    'A conversation is {"id", "turns": [{"role": "customer" or "agent", "text"}]}.',
    { line: lineNumber },
  );
}

async function* readLines(input: NodeJS.ReadableStream, source: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refuse(`${source} can't be read: ${reason}`, 'Check the path and its permissions.', {}, cause);
  }
}

async function write(stdout: NodeJS.WritableStream, text: string): Promise<void> {
  if (stdout.write(text)) return;
  await new Promise<void>((resolve) => {
    stdout.once('drain', resolve);
    stdout.once('close', resolve);
    stdout.once('error', () => resolve());
  });
}

/** A reader such as `head` that has seen enough is no error. */
function watchForClosedOutput(stdout: NodeJS.WritableStream): () => boolean {
  let closed = false;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed = true;
  });
  return () => closed;
}

function refuse(message: string, remedy: string, details: Record<string, unknown> = {}, cause?: unknown) {
  return new FloorwalkerError('score_input_invalid', message, { remedy, details, cause });
}

function processDeps(): ScoreDeps {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    async createScorer(kind, onFallback) {
      const device = await createDeviceScorer();
      if (kind === 'device') return device;
      const settings = scorerSettings();
      return createModelScorer({
        ...settings.llm,
        model: settings.scoring.model,
        prompt: scorerPrompt(loadPrompts(PROMPTS_DIRECTORY, 'en')),
        fallback: device,
        timeoutMs: MODEL_TIMEOUT_MS,
        requestTimeoutMs: MODEL_TIMEOUT_MS,
        onFallback,
      });
    },
  };
}
