import { setTimeout as delay } from 'node:timers/promises';
import { maskCardNumbers } from '../domain/card-numbers.ts';
import type { Log } from '../log.ts';
import { type CallFailure, readFailure } from './call-failure.ts';
import type { CatalogueEntry } from './catalogue-entries.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import * as text from './outcome-text.ts';
import { callRest } from './rest-tool.ts';
import { boundedFull, boundedText, mapStrings, resultText } from './result-text.ts';
import type { Secrets } from './secrets.ts';
import { storableText } from './stored-json.ts';
import type { JsonObject, ToolCallContext, ToolCallResult } from './types.ts';

const FIRST_RETRY_PAUSE_MS = 200;

export interface ToolRunDeps {
  readonly secrets: Secrets;
  readonly http: GuardedFetch;
  readonly log: Log;
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
  const signal = AbortSignal.any([context.signal, deps.closing, AbortSignal.timeout(definition.timeoutMs)]);
  const retries =
    definition.idempotent && source.kind !== 'broken' ? (source.config.params?.retry_count ?? 0) : 0;
  let attempt = await tryOnce(entry, args, context, { ...deps, signal });
  for (
    let retry = 1;
    retry <= retries && !attempt.ok && mayRetry(attempt.failure) && !signal.aborted;
    retry += 1
  ) {
    await delay(FIRST_RETRY_PAUSE_MS * 2 ** (retry - 1), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    attempt = await tryOnce(entry, args, context, { ...deps, signal });
  }
  return toResult(entry, attempt, deps);
}

function mayRetry(failure: CallFailure): boolean {
  return failure.kind === 'not_sent' || failure.kind === 'no_answer' || failure.isBusy === true;
}

async function tryOnce(
  entry: CatalogueEntry,
  args: JsonObject,
  context: ToolCallContext,
  deps: ToolRunDeps & { signal: AbortSignal },
): Promise<Attempt> {
  const { source } = entry;
  const { signal } = deps;
  const { idempotencyKey } = context;
  try {
    if (source.kind === 'rest') {
      const { row, config } = source;
      const answer = await callRest(row.tool_name, config, args, { ...deps, idempotencyKey });
      return answer.ok ? { ...answer, isError: false } : answer;
    }
    if (source.kind === 'mcp') {
      const result = await source.connection.callTool(entry.serverName, args, { idempotencyKey, signal });
      return { ok: true, isError: result.isError === true, text: resultText(result), full: result };
    }
    return { ok: false, failure: { kind: 'not_sent', message: 'it is not set up correctly' } };
  } catch (error) {
    const failure = readFailure(error, signal);
    const reason = error instanceof Error ? deps.secrets.scrub(error.message).slice(0, 300) : 'unknown';
    deps.log.warn({ tool: entry.definition.name, kind: failure.kind, reason }, 'A tool call failed');
    return { ok: false, failure };
  }
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
