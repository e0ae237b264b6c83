import { setTimeout as delay } from 'node:timers/promises';
import { maskCardNumbers } from '../domain/card-numbers.ts';
import { type CallFailure, readFailure } from './call-failure.ts';
import { CallTimer } from './call-timer.ts';
import type { CatalogueEntry } from './catalogue-entries.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import * as text from './outcome-text.ts';
import type { RepeatedLines } from './repeated-lines.ts';
import { callRest } from './rest-tool.ts';
import { boundedFull, boundedText, mapStrings, resultText } from './result-text.ts';
import type { Secrets } from './secrets.ts';
import { storableText } from './stored-json.ts';
import type { CallHost, CallPeer, JsonObject, ToolCallContext, ToolCallResult } from './types.ts';

const FIRST_RETRY_PAUSE_MS = 200;

export interface ToolRunDeps {
  readonly secrets: Secrets;
  readonly http: GuardedFetch;
  readonly lines: RepeatedLines;
  readonly interactionId: string;
  readonly host?: CallHost | undefined;
  readonly maxResultChars: number;
  readonly closing: AbortSignal;
}

type Attempt =
  | { readonly ok: true; readonly isError: boolean; readonly text: string; readonly full: unknown }
  | { readonly ok: false; readonly failure: CallFailure; readonly text?: string; readonly full?: unknown };

/** Runs one call within the tool's own time, which begins here: after any decision. Never throws. */
export async function runTool(
  entry: CatalogueEntry,
  args: JsonObject,
  context: ToolCallContext,
  deps: ToolRunDeps,
): Promise<ToolCallResult> {
  const { definition, source } = entry;
  const timer = new CallTimer(definition.timeoutMs);
  const signal = AbortSignal.any([context.signal, deps.closing, timer.signal]);
  const peer = peerOf(context.callId, timer, deps);
  const tried = { ...deps, signal, peer };
  const retries =
    definition.idempotent && source.kind !== 'broken' ? (source.config.params?.retry_count ?? 0) : 0;
  let attempt = await tryOnce(entry, args, context, tried);
  for (
    let retry = 1;
    retry <= retries && !attempt.ok && mayRetry(attempt.failure) && !signal.aborted;
    retry += 1
  ) {
    await delay(FIRST_RETRY_PAUSE_MS * 2 ** (retry - 1), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    attempt = await tryOnce(entry, args, context, tried);
  }
  timer.stop();
  return toResult(entry, attempt, deps);
}

/** What the conversation does for the server of this one call; the tool's time stands still while people answer. */
function peerOf(callId: string, timer: CallTimer, { host, interactionId }: ToolRunDeps): CallPeer {
  const peer: CallPeer = { interactionId, questions: 0, samples: 0 };
  if (host?.ask) {
    const ask = host.ask.bind(host);
    peer.ask = (question, signal) => timer.paused(() => ask(callId, question, signal));
  }
  if (host?.sample) {
    const sample = host.sample.bind(host);
    peer.sample = (request, signal) => sample(callId, request, signal);
  }
  if (host?.progress) {
    const progress = host.progress.bind(host);
    peer.progress = (value) => progress(callId, value);
  }
  return peer;
}

function mayRetry(failure: CallFailure): boolean {
  return failure.kind === 'not_sent' || failure.kind === 'no_answer' || failure.isBusy === true;
}

async function tryOnce(
  entry: CatalogueEntry,
  args: JsonObject,
  context: ToolCallContext,
  deps: ToolRunDeps & { signal: AbortSignal; peer: CallPeer },
): Promise<Attempt> {
  const { source } = entry;
  const { signal, peer } = deps;
  const { idempotencyKey } = context;
  try {
    if (source.kind === 'rest') {
      const { row, config } = source;
      const answer = await callRest(row.tool_name, config, args, { ...deps, idempotencyKey });
      return answer.ok ? { ...answer, isError: false } : answer;
    }
    if (source.kind === 'mcp') {
      const result = await source.connection.callTool(entry.serverName, args, {
        idempotencyKey,
        signal,
        peer,
      });
      return { ok: true, isError: result.isError === true, text: resultText(result), full: result };
    }
    return { ok: false, failure: { kind: 'not_sent', message: 'it is not set up correctly' } };
  } catch (error) {
    const failure = readFailure(error, signal);
    const reason = error instanceof Error ? deps.secrets.scrub(error.message).slice(0, 300) : 'unknown';
    tellFailure(entry, failure, reason, deps.lines);
    return { ok: false, failure };
  }
}

/** While a server is down, its connection says so; that no call gets through needs no line of its own. */
function tellFailure(
  { source, definition }: CatalogueEntry,
  { kind }: CallFailure,
  reason: string,
  lines: RepeatedLines,
) {
  if (kind === 'not_sent' && source.kind === 'mcp' && source.connection.isDown) return;
  const tool = definition.name;
  // A server that goes breaks off what runs and takes nothing new: one trouble.
  const trouble = kind === 'no_answer' || kind === 'not_sent' ? 'unreachable' : kind;
  lines.write('warn', `${tool} ${trouble}`, { tool, kind, reason }, 'A tool call failed');
}

function toResult(entry: CatalogueEntry, attempt: Attempt, deps: ToolRunDeps): ToolCallResult {
  const clean = (value: string) => maskCardNumbers(storableText(deps.secrets.scrub(value)));
  const bounded = (value: string) => boundedText(clean(value), deps.maxResultChars);
  const full = boundedFull(mapStrings(attempt.full ?? null, clean));
  if (attempt.ok) {
    const said = bounded(attempt.text);
    if (attempt.isError) return { status: 'failed', output: text.toolErrorText(said), isError: true, full };
    return {
      status: 'succeeded',
      output: said === '' ? 'Done; the tool returned nothing.' : said,
      isError: false,
      full,
    };
  }
  const { failure } = attempt;
  const detail = { failure: failure.kind, message: clean(failure.message), result: full };
  // Reading twice does no harm, so a read without an answer has simply failed.
  if ((failure.kind === 'no_answer' || failure.kind === 'timeout') && !entry.readOnly) {
    return { status: 'unknown', output: text.unknownOutcomeText(), isError: true, full: detail };
  }
  const output =
    failure.kind === 'answered'
      ? text.toolErrorText([clean(failure.message), bounded(attempt.text ?? '')].filter(Boolean).join('\n'))
      : text.unavailableText(clean(failure.message));
  return { status: 'failed', output, isError: true, full: detail };
}
