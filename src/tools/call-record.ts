import { setTimeout as delay } from 'node:timers/promises';
import type { CallRun } from './call-run.ts';
import type { GatedRequest } from './gate.ts';
import type { LedgerDeps, RefusalReason, ToolCallStore, ToolOutcome } from './ledger-types.ts';
import { isFenced, untilWritten } from './recorded-write.ts';
import type { ToolDefinition } from './types.ts';

/** How long an outcome waits for its row before the model is told; the row is written on in the background. */
const OUTCOME_WRITE_WAIT_MS = 2_000;

export interface RecordHooks {
  readonly onDelayed: (run: CallRun, attempts: number) => void;
  readonly onFenced: () => void;
}

/** The rows of one interaction's calls: each write is repeated until the database took it. */
export class CallRecord {
  readonly #deps: LedgerDeps;
  readonly #signal: AbortSignal;
  readonly #hooks: RecordHooks;

  constructor(deps: LedgerDeps, signal: AbortSignal, hooks: RecordHooks) {
    this.#deps = deps;
    this.#signal = signal;
    this.#hooks = hooks;
  }

  get #key() {
    return { interactionId: this.#deps.interactionId, generation: this.#deps.generation };
  }

  idempotencyKey(callId: string): string {
    return `${this.#deps.interactionId}:${callId}`;
  }

  async request(
    run: CallRun,
    request: GatedRequest,
    definition: ToolDefinition | undefined,
    refusedReason?: RefusalReason,
  ): ReturnType<ToolCallStore['request']> {
    const stored = await this.#write(run, () =>
      this.#deps.store.request({
        ...this.#key,
        callId: run.callId,
        // A model may make a name up, of any length; the row takes a name.
        toolName: run.toolName.slice(0, 200) || '(none)',
        toolDescription: definition?.description ?? null,
        arguments: request.arguments,
        argumentsHash: request.argumentsHash,
        definitionHash: request.definitionHash || null,
        requiresPermission: refusedReason === undefined && (definition?.requiresPermission ?? false),
        rowName: definition?.rowName,
        mustAsk: definition?.mustAsk,
        permissionTimeoutSeconds: this.#deps.permissionTimeoutSeconds,
        idempotencyKey: this.idempotencyKey(run.callId),
        refusedReason,
      }),
    );
    run.hasRow = true;
    return stored;
  }

  start(run: CallRun, argumentsHash: string, allowRestart: boolean): ReturnType<ToolCallStore['start']> {
    return this.#write(run, () =>
      this.#deps.store.start({ ...this.#key, callId: run.callId, argumentsHash, allowRestart }),
    );
  }

  withdraw(run: CallRun, reason: string): Promise<number> {
    return this.#write(run, () => this.#deps.store.withdraw({ ...this.#key, callId: run.callId, reason }));
  }

  /** Resolves when the row has the outcome, or after a short wait; `written` goes on by itself. */
  async finish(run: CallRun, outcome: ToolOutcome): Promise<{ written: Promise<void> }> {
    if (!run.hasRow) return { written: Promise.resolve() };
    const written = this.#write(run, () =>
      this.#deps.store.finish({
        ...this.#key,
        callId: run.callId,
        state: outcome.status,
        output: outcome.output,
        error: outcome.isError ? { message: outcome.output.slice(0, 500) } : null,
        durationMs: outcome.durationMs,
        refusalReason: outcome.reason ?? null,
      }),
    ).catch((error: unknown) => {
      if (isFenced(error)) this.#hooks.onFenced();
      else if (!this.#signal.aborted) {
        this.#deps.log.error(
          { err: error, tool: run.toolName },
          'The outcome of a tool call could not be recorded',
        );
      }
    });
    await Promise.race([written, delay(OUTCOME_WRITE_WAIT_MS, undefined, { ref: false })]);
    return { written };
  }

  #write<T>(run: CallRun, write: () => Promise<T>): Promise<T> {
    return untilWritten(write, {
      signal: this.#signal,
      onRetry: (attempts) => {
        if (attempts === 1) {
          this.#deps.log.warn({ tool: run.toolName }, 'The database is not reachable; the tool call waits');
        }
        this.#hooks.onDelayed(run, attempts);
      },
    });
  }
}
