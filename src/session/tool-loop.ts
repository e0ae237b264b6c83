import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import type { ToolLedger } from '../tools/ledger.ts';
import type { ToolOutcome } from '../tools/ledger-types.ts';
import type { ToolCatalogue } from '../tools/types.ts';
import { WITHDRAW_REQUEST } from './built-in-tools.ts';
import type { Clock } from './clock.ts';
import type { CallItem, Conversation } from './conversation.ts';
import { ANSWER_QUESTION, DECLINE_QUESTION, type Questions } from './questions.ts';
import { RepeatedCalls } from './repeated-calls.ts';
import type { OfferedTool, RequestedCall } from './speaking-agent.ts';

export interface ToolLoopDeps {
  readonly ledger: ToolLedger;
  readonly catalogue: ToolCatalogue;
  readonly conversation: Conversation;
  readonly prompts: PromptBook;
  /** What a running tool wants to know from the customer. */
  readonly questions: Pick<Questions, 'open'>;
  /** A tool runs that the customer may have stopped. */
  canBeStopped(): boolean;
  /** All calls of a step have their output: the model may go on. */
  onStepSettled(outcome?: ToolOutcome): void;
  /** The model has called as many tools as it may on one turn of the customer. */
  onLimited(why: 'steps' | 'calls'): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** A model that calls tools without end is made to speak after so many steps on one turn of the customer. */
const MAX_STEPS_A_TURN = 8;
/** And so many calls altogether; what it calls beyond them is not run. */
const MAX_CALLS_A_TURN = 40;
const TOO_MANY_CALLS = `Not run: no more than ${MAX_CALLS_A_TURN} tools may be called on one message of the customer.`;
/** Calls that belong to another call which is open. */
const ALWAYS_RUN: ReadonlySet<string> = new Set([WITHDRAW_REQUEST, ANSWER_QUESTION, DECLINE_QUESTION]);
const NOT_WHILE_WAITING =
  'Not run: no other tool may start while a decision is awaited. Ask again when it has come, if it is still needed.';

/**
 * Brings the model's calls to the ledger and their outputs back into the conversation. The ledger runs them;
 * nothing here waits for the framework, so that neither an interruption nor a long decision can lose one.
 */
export class ToolLoop {
  readonly #deps: ToolLoopDeps;
  readonly #repeated: RepeatedCalls;
  /** The customer's message on which a limit was told. */
  #limitedOn: string | undefined;

  constructor(deps: ToolLoopDeps) {
    this.#deps = deps;
    this.#repeated = new RepeatedCalls(() => deps.conversation.lastSaid('customer')?.id);
  }

  request(call: RequestedCall): void {
    const { conversation, ledger, clock, log } = this.#deps;
    conversation.call({ ...call, at: clock.now() });
    if (conversation.toolCallsInTurn() > MAX_CALLS_A_TURN && !ALWAYS_RUN.has(call.toolName)) {
      this.#limited('calls');
      conversation.settle(call.callId, TOO_MANY_CALLS, true, clock.now());
      if (!this.#somethingRuns()) this.#deps.onStepSettled();
      return;
    }
    if (this.#mustWait(call)) {
      log.info(
        { tool: call.toolName },
        'a tool was called while another waits for a decision; it was not run',
      );
      conversation.settle(call.callId, NOT_WHILE_WAITING, true, clock.now());
      if (!this.#somethingRuns()) this.#deps.onStepSettled();
      return;
    }
    const first = ALWAYS_RUN.has(call.toolName) ? undefined : this.#repeated.first(call);
    if (first !== undefined) {
      log.info({ tool: call.toolName }, 'a call was made twice in one turn; it is answered from the first');
      void first.then((outcome) => this.#settle({ ...outcome, callId: call.callId }));
      return;
    }
    const { outcome } = ledger.request(call);
    this.#repeated.remember(call, outcome);
    void outcome.then((settled) => this.#settle(settled));
  }

  /** Models name tools that they were not offered; calls of the step that asked for the decision are not meant. */
  #mustWait(call: RequestedCall): boolean {
    if (ALWAYS_RUN.has(call.toolName)) return false;
    const waiting = new Set(this.#deps.ledger.pending().map((pending) => pending.callId));
    return this.#deps.conversation
      .openCalls()
      .some((open) => waiting.has(open.callId) && open.stepId !== call.stepId);
  }

  /** Takes up a call that an earlier generation of the interaction began. */
  resume(call: RequestedCall & { at: number }): void {
    this.#deps.conversation.call(call);
    void this.#deps.ledger.request(call).outcome.then((outcome) => this.#settle(outcome));
  }

  /**
   * The tools of the next request. While calls are open no new one starts; the customer may only take back
   * what they asked for.
   */
  offered(): { tools: OfferedTool[]; toolChoice: 'auto' | 'none' } {
    const { catalogue, conversation, ledger } = this.#deps;
    const all = catalogue.definitions.map(({ name, description, inputSchema, unavailable }) => ({
      name,
      description: unavailable ? `${description}\n(Unavailable at the moment: ${unavailable})` : description,
      inputSchema,
    }));
    const asked = this.#deps.questions.open !== undefined;
    const waits = ledger.pending().length > 0 || this.#deps.canBeStopped();
    if (asked || waits) {
      const offered = new Set<string>([
        ...(asked ? [ANSWER_QUESTION, DECLINE_QUESTION] : []),
        ...(waits ? [WITHDRAW_REQUEST] : []),
      ]);
      return { tools: all.filter((tool) => offered.has(tool.name)), toolChoice: 'auto' };
    }
    const tools = all.filter((tool) => !ALWAYS_RUN.has(tool.name));
    const isLimited = this.#isLimited;
    if (isLimited) this.#limited('steps');
    const mustSpeak = conversation.openCalls().length > 0 || isLimited;
    return { tools, toolChoice: mustSpeak ? 'none' : 'auto' };
  }

  /** What the model is told in place of an output that is still to come. */
  pendingText(call: CallItem): string {
    const waits = this.#deps.ledger.pending().some((pending) => pending.callId === call.callId);
    return waits
      ? 'Not done yet: waiting for a supervisor to decide. Its result comes by itself.'
      : 'Not done yet: still running. Its result comes by itself.';
  }

  get #isLimited(): boolean {
    const { conversation } = this.#deps;
    return (
      conversation.toolStepsInTurn() >= MAX_STEPS_A_TURN || conversation.toolCallsInTurn() >= MAX_CALLS_A_TURN
    );
  }

  /** Once a turn, or the operator's log would have no end either. */
  #limited(why: 'steps' | 'calls'): void {
    const turn = this.#deps.conversation.lastSaid('customer')?.id ?? '';
    if (turn === this.#limitedOn) return;
    this.#limitedOn = turn;
    this.#deps.onLimited(why);
  }

  /** The reminder that goes with a request made while a decision is awaited, or after which no tool may be called. */
  waitingNote(): string | undefined {
    const { ledger, prompts, questions } = this.#deps;
    const names = [...new Set(ledger.pending().map((call) => call.toolName))];
    const notes = names.length > 0 ? [prompts.render('tool_waits', { tools: names.join(', ') })] : [];
    if (questions.open !== undefined) {
      const { message, schema } = questions.open;
      const values = { message: JSON.stringify(message), fields: JSON.stringify(schema) };
      notes.push(prompts.render('customer_question', values));
    }
    if (this.#isLimited) notes.push(prompts.render('turn_limited', {}));
    return notes.length > 0 ? notes.join('\n\n') : undefined;
  }

  #settle(outcome: ToolOutcome): void {
    const { conversation, clock, log } = this.#deps;
    if (!conversation.settle(outcome.callId, outcome.output, outcome.isError, clock.now())) {
      log.warn({ callId: outcome.callId }, 'a second outcome of a tool call was dropped');
      return;
    }
    // The tool that asked still waits; the customer has to be asked again.
    const mustAskAgain = outcome.toolName === ANSWER_QUESTION && outcome.isError;
    // One answer for everything that is settled by then, also where a second step runs beside the first.
    const isSettled = !conversation.stepIsOpen(outcome.callId) && !this.#somethingRuns();
    if (mustAskAgain || isSettled) this.#deps.onStepSettled(outcome);
  }

  #somethingRuns(): boolean {
    const waiting = new Set(this.#deps.ledger.pending().map((call) => call.callId));
    return this.#deps.conversation.openCalls().some((call) => !waiting.has(call.callId));
  }
}
