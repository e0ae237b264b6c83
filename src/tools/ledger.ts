import { setTimeout as delay } from 'node:timers/promises';
import { isFloorwalkerError } from '../errors.ts';
import { CallRecord } from './call-record.ts';
import { CallRun } from './call-run.ts';
import { hashToolCall } from './canonical-hash.ts';
import { type GatedRequest, readPermission } from './gate.ts';
import { LedgerListeners } from './ledger-events.ts';
import type {
  LedgerDeps,
  LedgerEvents,
  PendingCall,
  PolledPermission,
  StoredToolCall,
  ToolCallHandle,
  ToolOutcome,
} from './ledger-types.ts';
import * as text from './outcome-text.ts';
import { isFenced } from './recorded-write.ts';
import { readArguments, storableText } from './stored-json.ts';
import type { JsonObject, ToolDefinition } from './types.ts';
import {
  failed,
  forbidden,
  fromRefusedStart,
  fromRow,
  isFinal,
  refused,
  unknownOutcome,
  type Verdict,
} from './verdict.ts';

/** How long a call that is under way may still finish once the interaction is over. */
const CLOSE_GRACE_MS = 5_000;

type Approved = { readonly arguments: JsonObject; readonly hash: string; readonly edited: boolean };

/**
 * Every tool call of one interaction: a row before it runs, the gate where one is asked for, and exactly one
 * outcome each. The ledger runs the calls; the framework's tool functions only wait for `outcome`.
 */
export class ToolLedger {
  readonly #deps: LedgerDeps;
  readonly #listeners: LedgerListeners;
  readonly #record: CallRecord;
  readonly #runs = new Map<string, CallRun>();
  readonly #work = new Set<Promise<void>>();
  /** Aborted at the very end, or when another worker has the interaction: no write is tried any more. */
  readonly #stop = new AbortController();
  #closed = false;
  #suspended = false;

  constructor(deps: LedgerDeps) {
    this.#deps = deps;
    this.#listeners = new LedgerListeners(deps.log);
    this.#record = new CallRecord(deps, this.#stop.signal, {
      onDelayed: ({ callId, toolName }, attempts) =>
        this.#listeners.emit('delayed', { callId, toolName, attempts }),
      onFenced: () => this.#fence(),
    });
  }

  on<Name extends keyof LedgerEvents>(name: Name, listener: LedgerEvents[Name]): () => void {
    return this.#listeners.on(name, listener);
  }

  /**
   * Takes a call of the model. A call id that is known here gives the same handle; one that the table
   * already has (after a recovery) goes on from where its row is, and never runs twice.
   */
  request(call: { callId: string; toolName: string; rawArguments: string }): ToolCallHandle {
    const known = this.#runs.get(call.callId);
    if (known !== undefined) return known;
    const run = new CallRun(call);
    this.#runs.set(call.callId, run);
    this.#track(this.#live(run));
    return run;
  }

  /** Rows of the poll; rows of other calls, or seen before, do no harm. */
  permissionsChanged(rows: readonly PolledPermission[]): void {
    for (const permission of rows) {
      if (permission.status !== 'pending') {
        this.#runs.get(permission.call_id)?.decide({ kind: 'row', permission });
      }
    }
  }

  pending(): PendingCall[] {
    return [...this.#runs.values()].flatMap((run) => run.pending ?? []);
  }

  /** Takes back what nobody decided yet. @returns how many were withdrawn; what a person decided first stands. */
  async withdraw(callId: string | null, reason: string): Promise<number> {
    const open = [...this.#runs.values()].filter((run) => callId === null || run.callId === callId);
    const counts = await Promise.all(open.map((run) => this.#withdrawOne(run, reason)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Stops a call that runs; its server is told. @returns what becomes of it, which may be that it was done */
  cancel(callId: string, reason: string): Promise<ToolOutcome> | undefined {
    const run = this.#runs.get(callId);
    if (run?.state !== 'running') return undefined;
    run.running.abort(new Error(reason));
    return run.outcome;
  }

  /**
   * Another worker goes on with the interaction: nothing starts here any more, and what waits is left as it is.
   * Resolves when what runs has its outcome in the table.
   */
  async suspend(): Promise<void> {
    this.#suspended = true;
    await Promise.all([...this.#runs.values()].map((run) => run.underWay?.promise));
  }

  /** Ends with the interaction: pending requests are withdrawn, running calls get a moment, then are stopped. */
  async close(reason: string): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      await Promise.race([
        this.withdraw(null, reason).catch(() => 0),
        delay(CLOSE_GRACE_MS, undefined, { ref: false }),
      ]);
      // Whatever the row says by now: nothing starts any more, so nothing has to wait.
      for (const run of this.#runs.values()) run.decide({ kind: 'withdrawn' });
      await this.#idle(CLOSE_GRACE_MS);
      for (const run of this.#runs.values()) run.running.abort(new Error(reason));
      await this.#idle(CLOSE_GRACE_MS);
      this.#stop.abort(new Error('The tool ledger is closed'));
    }
    await Promise.allSettled(this.#work);
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error: unknown) => {
      this.#deps.log.error({ err: error }, 'A tool call ended in an unexpected way');
    });
    this.#work.add(tracked);
    void tracked.finally(() => this.#work.delete(tracked));
  }

  async #idle(graceMs: number): Promise<void> {
    const settled = Promise.allSettled(this.#work).then(() => undefined);
    await Promise.race([settled, delay(graceMs, undefined, { ref: false })]);
  }

  async #live(run: CallRun): Promise<void> {
    const startedAtMs = this.#deps.clock.now();
    const details: { arguments: unknown } = { arguments: null };
    let verdict: Verdict;
    try {
      verdict = await this.#decideAndRun(run, details);
    } catch (error) {
      if (isFenced(error)) this.#fence();
      else if (!this.#stop.signal.aborted && !isFloorwalkerError(error, 'interaction_ended'))
        this.#deps.log.error({ err: error, tool: run.toolName }, 'A tool call could not be recorded');
      // A row that says `running` may have had its effect; before that, nothing ran.
      verdict = run.state === 'running' ? unknownOutcome() : failed(text.unrecordedText());
    }
    const { full, ...result } = verdict;
    const outcome: ToolOutcome = {
      ...result,
      callId: run.callId,
      toolName: run.toolName,
      output: storableText(result.output),
      durationMs: Math.round(this.#deps.clock.now() - startedAtMs),
    };
    const { written } = await this.#record.finish(run, outcome);
    this.#track(written.finally(() => run.underWay?.resolve()));
    run.settle(outcome);
    this.#listeners.emit('finished', outcome, { arguments: details.arguments, full });
  }

  async #decideAndRun(run: CallRun, details: { arguments: unknown }): Promise<Verdict> {
    const read = readArguments(run.rawArguments);
    if (!read.ok)
      return this.#refuseRecorded(run, { unreadable: read.head }, text.unreadableArgumentsText(read.problem));
    details.arguments = read.value;
    const { catalogue } = this.#deps;
    const prepared = await catalogue.prepare(run.toolName, read.value, { signal: this.#stop.signal });
    if (!prepared.ok) return this.#refuseRecorded(run, read.value, prepared.message);
    details.arguments = prepared.arguments;
    const { definition } = prepared;
    if (this.#closed) return refused('withdrawn');

    const asked = this.#asked(run, definition.definitionHash, prepared.arguments);
    const stored = await this.#record.request(run, asked, definition);
    // After a recovery what counts is what the row says was asked and shown, not what the model says now.
    const request = stored.existing ? this.#askedBefore(run, stored.call) : asked;
    details.arguments = request.arguments;
    if (stored.existing && !this.#goesOn(stored.call, definition)) return this.#adopt(run, stored.call);
    if (!stored.existing && stored.call.state === 'refused') {
      // A rule of the tool forbids it; the row was written as refused, which is final.
      run.hasRow = false;
      return forbidden(stored.call);
    }
    if (stored.permission !== null) {
      return this.#awaitPermission(run, request, stored.permission, definition, details);
    }
    if (stored.call.state === 'awaiting_permission') return refused('policy');
    if (request.definitionHash !== definition.definitionHash) {
      return refused('policy', text.changedDefinitionText());
    }
    const { argumentsHash: hash, arguments: args } = request;
    return this.#run(run, definition, { arguments: args, hash, edited: false });
  }

  #askedBefore(run: CallRun, call: StoredToolCall): GatedRequest {
    return this.#asked(run, call.definition_hash ?? '', (call.arguments ?? {}) as JsonObject);
  }

  /** A call that had not begun goes on; one that was under way only where a second run does no harm. */
  #goesOn(call: StoredToolCall, definition: ToolDefinition): boolean {
    if (call.state === 'requested' || call.state === 'awaiting_permission') return true;
    return call.state === 'running' && definition.idempotent && call.generation < this.#deps.generation;
  }

  #asked(run: CallRun, definitionHash: string, args: JsonObject): GatedRequest {
    const { businessId, interactionId } = this.#deps;
    const { callId, toolName } = run;
    const call = { businessId, interactionId, callId, toolName, definitionHash, arguments: args };
    return { ...call, argumentsHash: hashToolCall(call) };
  }

  /** A final row has its outcome; one that another life left running is unknown and is recorded so. */
  #adopt(run: CallRun, call: StoredToolCall): Verdict {
    if (isFinal(call)) run.hasRow = false;
    return fromRow(call);
  }

  async #awaitPermission(
    run: CallRun,
    request: GatedRequest,
    permission: PolledPermission,
    definition: ToolDefinition,
    details: { arguments: unknown },
  ): Promise<Verdict> {
    const pending: PendingCall = {
      callId: run.callId,
      toolName: run.toolName,
      arguments: request.arguments,
      permissionId: permission.id,
      expiresAt: permission.expires_at,
      requestedAtMs: this.#deps.clock.now(),
    };
    run.state = 'awaiting_permission';
    run.pending = pending;
    let waiting = run.decision();
    if (permission.status === 'pending') this.#listeners.emit('awaiting', pending, definition);
    else run.decide({ kind: 'row', permission });
    if (run.withdrawnBecause !== undefined)
      this.#track(this.#withdrawOne(run, run.withdrawnBecause).then(() => undefined));
    for (;;) {
      const decision = await waiting;
      if (decision.kind === 'withdrawn') return refused('withdrawn');
      const step = readPermission(request, decision.permission);
      if (step.kind === 'wait') {
        waiting = run.decision();
        continue;
      }
      this.#listeners.emit('decided', pending, decision.permission);
      if (step.kind === 'refuse') return refused(step.reason, undefined, step.note);
      run.pending = undefined;
      details.arguments = step.arguments;
      return this.#runApproved(run, request, step);
    }
  }

  /** What runs is what was approved: same definition, and edited arguments pass the same checks as the model's. */
  async #runApproved(run: CallRun, request: GatedRequest, step: Approved): Promise<Verdict> {
    const prepared = await this.#deps.catalogue.prepare(run.toolName, step.arguments, {
      bound: request.arguments,
      signal: this.#stop.signal,
    });
    if (!prepared.ok) {
      return refused(
        'policy',
        step.edited ? `${text.refusedText('policy')} ${prepared.message}` : prepared.message,
      );
    }
    if (prepared.definition.definitionHash !== request.definitionHash) {
      return refused('policy', text.changedDefinitionText());
    }
    const verdict = await this.#run(run, prepared.definition, { ...step, arguments: prepared.arguments });
    if (!step.edited || verdict.status === 'refused') return verdict;
    return { ...verdict, output: text.editedArgumentsText(step.arguments, verdict.output) };
  }

  async #run(run: CallRun, definition: ToolDefinition, approved: Approved): Promise<Verdict> {
    if (this.#closed) return refused('withdrawn');
    // For whoever goes on with the interaction: there it starts, here it never does and its row stays as it is.
    if (this.#suspended) await aborted(this.#stop.signal);
    run.underWay = Promise.withResolvers();
    let start = await this.#record.start(run, approved.hash, definition.idempotent);
    // A process that was stopped right here must not run, minutes later, what its successor has dealt with.
    if (start.started && !this.#deps.holdsLease())
      start = await this.#record.start(run, approved.hash, definition.idempotent);
    if (start.reason === 'stale') this.#fence();
    const { state, generation } = start.call;
    // A start whose answer was lost leaves the row running under our own generation, and only we can have done it.
    const ranBefore = state === 'running' && generation === this.#deps.generation;
    const isOurs = start.started || (ranBefore && start.reason !== 'stale');
    if (!isOurs) return state === 'running' ? unknownOutcome() : fromRefusedStart(start.call, start.reason);
    run.state = 'running';
    this.#listeners.emit('started', {
      callId: run.callId,
      toolName: run.toolName,
      arguments: approved.arguments,
      edited: approved.edited,
    });
    const result = await this.#deps.catalogue.call(run.toolName, approved.arguments, {
      callId: run.callId,
      idempotencyKey: this.#record.idempotencyKey(run.callId),
      signal: run.running.signal,
    });
    return result.status === 'unknown' ? unknownOutcome(result.full) : result;
  }

  async #withdrawOne(run: CallRun, reason: string): Promise<number> {
    run.withdrawnBecause ??= reason;
    if (run.pending === undefined) return 0;
    const count = await this.#record.withdraw(run, reason).catch((error: unknown) => {
      if (isFenced(error)) this.#fence();
      throw error;
    });
    // With no row changed a person was faster; the poll says what they decided.
    if (count > 0) run.decide({ kind: 'withdrawn' });
    return count;
  }

  async #refuseRecorded(run: CallRun, args: JsonObject, output: string): Promise<Verdict> {
    const definition = this.#deps.catalogue.definition(run.toolName);
    const asked = this.#asked(run, definition?.definitionHash ?? '', args);
    const stored = await this.#record.request(run, asked, definition, 'policy');
    if (stored.existing)
      return isFinal(stored.call) ? this.#adopt(run, stored.call) : refused('policy', output);
    // The row was written as refused, which is final.
    run.hasRow = false;
    return refused('policy', output);
  }

  #fence(): void {
    if (this.#stop.signal.aborted) return;
    this.#closed = true;
    this.#stop.abort(new Error('Another worker holds the interaction'));
    for (const run of this.#runs.values()) {
      run.running.abort(new Error('Another worker holds the interaction'));
      run.decide({ kind: 'withdrawn' });
    }
    this.#listeners.emit('fenced');
  }
}

/** Rejects when the signal is aborted, and until then does nothing. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
