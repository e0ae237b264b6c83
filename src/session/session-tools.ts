import type { llm } from '@livekit/agents';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import { openCatalogue } from '../tools/catalogue.ts';
import { ToolLedger } from '../tools/ledger.ts';
import type { PendingCall, PolledPermission, ToolOutcome } from '../tools/ledger-types.ts';
import { BUILT_IN_NAMES, type BuiltInActions, END_INTERACTION, withBuiltIns } from './built-in-tools.ts';
import type { Claim } from './claim.ts';
import type { CallItem, Conversation } from './conversation.ts';
import type { CustomerProfile } from './customer-profile.ts';
import { Filler } from './filler.ts';
import { lateCatalogue } from './late-catalogue.ts';
import { Pause } from './pause.ts';
import type { Recorder } from './recorder.ts';
import type { Replies } from './replies.ts';
import type { SessionServices } from './services.ts';
import type { RequestedCall } from './speaking-agent.ts';
import { ToolChanges } from './tool-changes.ts';
import { ToolHost } from './tool-host.ts';
import { ToolLoop } from './tool-loop.ts';

export interface SessionToolsDeps {
  readonly claim: Claim;
  readonly services: SessionServices;
  readonly prompts: PromptBook;
  readonly conversation: Conversation;
  readonly recorder: Recorder;
  readonly profile: CustomerProfile;
  readonly replies: Replies;
  /** The agent's model, for servers that may ask it. */
  readonly model: llm.LLM;
  isQuiet(): boolean;
  /** The model ends the conversation; `lastWords` where it did so without a goodbye. */
  onEndRequested(reason: string, lastWords?: string): void;
  onFenced(): void;
  readonly log: Log;
}

const FINAL_STATES: ReadonlySet<string> = new Set(['succeeded', 'failed', 'refused', 'unknown']);

/** Everything of one session that has to do with tools: servers, ledger, the wait for a decision, the trace. */
export class SessionTools {
  readonly ready: Promise<void>;
  readonly #deps: SessionToolsDeps;
  readonly #ledger: ToolLedger;
  readonly #loop: ToolLoop;
  readonly #pause: Pause;
  readonly #filler: Filler;
  readonly #closeServers: () => Promise<void>;
  readonly #changes: ToolChanges;
  readonly #host: ToolHost;
  readonly #running = new Map<string, string>();
  #supervisorRequested = false;

  constructor(deps: SessionToolsDeps) {
    this.#deps = deps;
    const { claim, services, prompts, conversation, recorder, replies, log } = deps;
    const { clock, config } = services;
    this.#host = new ToolHost({
      schemas: services.toolServers.schemas,
      recorder,
      model: deps.model,
      modelTimeoutMs: config.figures.modelTimeoutMs,
      filler: () => this.#filler,
      speak: () => replies.request(),
      toolOf: (callId) => this.#running.get(callId),
      clock,
    });
    const opened = openCatalogue([...claim.tools], {
      config: config.tools,
      identity: deps.profile,
      log,
      pool: services.toolServers,
      host: this.#host,
      onStep: ({ name, input, error, durationMs }) =>
        recorder.step('tool_trouble', {
          name,
          input,
          error,
          ...(durationMs === undefined ? {} : { duration_ms: Math.round(durationMs) }),
        }),
    });
    const late = lateCatalogue(opened);
    const catalogue = withBuiltIns(late, this.#actions());
    this.ready = late.ready;
    this.#closeServers = () => late.close();
    this.#changes = new ToolChanges({
      rows: claim.tools,
      load: () => services.interactions.loadTools(claim),
      apply: (rows) => late.update(rows),
      onApplied: (rows) =>
        recorder.step('tools_changed', { output: { tools: rows.map(({ tool_name: name }) => name) } }),
      log,
    });
    this.#ledger = new ToolLedger({
      businessId: claim.business.id,
      interactionId: claim.interactionId,
      generation: claim.generation,
      catalogue,
      store: services.toolCalls,
      permissionTimeoutSeconds: config.figures.permissionTimeoutMs / 1000,
      holdsLease: () => services.leases.holds(claim.interactionId),
      log,
      clock,
    });
    this.#loop = new ToolLoop({
      ledger: this.#ledger,
      catalogue,
      conversation,
      prompts,
      questions: this.#host.questions,
      canBeStopped: () => [...this.#running.values()].some((name) => !BUILT_IN_NAMES.includes(name)),
      // After its goodbye the model has nothing to add.
      onStepSettled: (outcome) => {
        if (outcome?.toolName !== END_INTERACTION || outcome.isError) replies.request();
      },
      onLimited: (why) => {
        log.warn({ why }, 'the model calls tools without end on one message; it has to answer now');
        recorder.step('turn_limited', { output: { why } });
      },
      clock,
      log,
    });
    const channel = claim.channel;
    const isQuiet = deps.isQuiet;
    this.#pause = new Pause({
      replies,
      prompts,
      channel,
      reassuranceMs: config.figures.reassuranceMs,
      explained: claim.calls.some(({ state }) => state === 'awaiting_permission'),
      isQuiet,
      clock,
    });
    this.#filler = new Filler({
      replies,
      prompts,
      channel,
      afterMs: config.figures.fillerMs,
      progressMs: config.figures.progressMs,
      isQuiet,
      clock,
    });
    this.#trace();
  }

  get pending(): PendingCall[] {
    return this.#ledger.pending();
  }

  get runningTool(): string | undefined {
    return [...this.#running.values()].at(-1);
  }

  /** How far the running tool is, where its server says so. */
  get runningPercent(): number | undefined {
    const callId = [...this.#running.keys()].at(-1);
    return callId === undefined ? undefined : this.#host.percentOf(callId);
  }

  get supervisorRequested(): boolean {
    return this.#supervisorRequested;
  }

  request(call: RequestedCall): void {
    this.#loop.request(call);
  }

  /** Takes up the calls that an earlier generation left open; finished ones only enter the conversation. */
  resumeOpenCalls(): void {
    for (const call of this.#deps.claim.calls) {
      const item = {
        callId: call.call_id,
        toolName: call.tool_name,
        rawArguments: JSON.stringify(call.arguments ?? {}),
        stepId: `recovered:${call.call_id}`,
        at: call.at,
      };
      if (!FINAL_STATES.has(call.state)) this.#loop.resume(item);
      else {
        const output = call.output ?? `Not done (${call.refusal_reason ?? call.state}).`;
        this.#deps.conversation.recall({ ...item, output, isError: call.state !== 'succeeded' });
      }
    }
  }

  /** A person wants a call whose outcome is unknown to be made once more: asked for like any other. */
  runAgain(call: RequestedCall & { at: number }): void {
    this.#loop.resume(call);
  }

  /** Starts nothing any more, for a successor to go on; resolves when what runs has come to its end and is stored. */
  suspend(): Promise<void> {
    return this.#ledger.suspend();
  }

  offered(): ReturnType<ToolLoop['offered']> {
    return this.#loop.offered();
  }

  pendingText(call: CallItem): string {
    return this.#loop.pendingText(call);
  }

  waitingNote(): string | undefined {
    return this.#loop.waitingNote();
  }

  permissionsChanged(rows: readonly PolledPermission[]): void {
    this.#ledger.permissionsChanged(rows);
  }

  /** The version of the agent's tools as the poll has it: an edit counts in this conversation too. */
  versionSeen(version: string): void {
    this.#changes.seen(version);
  }

  /** Somebody spoke while a decision is awaited: no word of comfort right after it. */
  touched(): void {
    this.#pause.touched();
  }

  /** Withdraws what waits and lets what runs come to its end. */
  async stop(reason: string): Promise<void> {
    this.#pause.close();
    this.#filler.close();
    await this.#ledger.close(reason);
  }

  async closeServers(): Promise<void> {
    await this.#closeServers().catch((err: unknown) =>
      this.#deps.log.warn({ err }, 'a tool server did not close'),
    );
  }

  #trace(): void {
    const { recorder } = this.#deps;
    this.#ledger.on('awaiting', (call) => {
      recorder.step('awaiting_permission', {
        id: `${call.callId}:awaiting`,
        name: call.toolName,
        input: call.arguments,
        output: { permission_id: call.permissionId, expires_at: call.expiresAt },
      });
      this.#pause.update(this.#ledger.pending().length);
    });
    this.#ledger.on('decided', (call, permission) => {
      recorder.step('decision', {
        id: `${call.callId}:decision`,
        name: call.toolName,
        output: {
          status: permission.status,
          note: permission.note ?? null,
          by: permission.decided_by_name ?? null,
        },
      });
      this.#pause.update(this.#ledger.pending().length);
    });
    this.#ledger.on('started', ({ callId, toolName, arguments: input, edited }) => {
      this.#running.set(callId, toolName);
      this.#filler.started(callId);
      recorder.step('tool_call', { id: `${callId}:call`, name: toolName, input, output: { edited } });
    });
    this.#ledger.on('finished', (outcome, { full }) => {
      this.#running.delete(outcome.callId);
      this.#filler.finished(outcome.callId);
      this.#host.finished(outcome.callId);
      this.#pause.update(this.#ledger.pending().length);
      recorder.step('tool_result', {
        id: `${outcome.callId}:result`,
        name: outcome.toolName,
        output: { status: outcome.status, reason: outcome.reason ?? null, result: full ?? outcome.output },
        duration_ms: outcome.durationMs,
      });
    });
    this.#ledger.on('fenced', () => this.#deps.onFenced());
  }

  /** Has what runs for the customer stop, and its servers told. @returns what becomes of each */
  #stopRunning(reason: string): Promise<ToolOutcome>[] {
    const ids = [...this.#running].filter(([, name]) => !BUILT_IN_NAMES.includes(name)).map(([id]) => id);
    return ids.flatMap((id) => this.#ledger.cancel(id, reason) ?? []);
  }

  #actions(): BuiltInActions {
    const { claim, services, profile, recorder, replies, conversation, prompts, onEndRequested } = this.#deps;
    return {
      async recordPhoneNumber(phoneNumber) {
        if (profile.phoneIsVouchedFor)
          return 'The number was known already and is verified; it stays as it is.';
        const { customerId } = await services.interactions.setPhoneNumber(claim, phoneNumber, 'claimed');
        profile.learn(phoneNumber, 'claimed', customerId);
        return 'Stored. The number is what the customer says; it does not prove who they are.';
      },
      requestSupervisor: async (reason) => {
        const { supervisorPresent } = await services.interactions.requestSupervisor(claim, reason);
        this.#supervisorRequested = true;
        recorder.step('handoff', {
          name: 'request_supervisor',
          input: { reason },
          output: { supervisorPresent },
        });
        return supervisorPresent
          ? 'A supervisor has been called. Tell the customer, and go on helping until one joins.'
          : 'No supervisor is there right now; they have been told. Say so honestly, and offer both: to wait here while you go on helping, or to be called back (request_callback).';
      },
      requestCallback: async ({ reason, phone_number: phoneNumber, preferred_time: preferredTime }) => {
        const wanted = { reason, phoneNumber, preferredTime };
        const { phoneNumber: called } = await services.interactions.requestCallback(claim, wanted);
        return `Recorded: a person calls ${called} back${preferredTime ? ` (${preferredTime})` : ''}. Tell the customer; promise no time of your own.`;
      },
      endInteraction: async (reason) => {
        const others = conversation.openCalls().filter((call) => call.toolName !== END_INTERACTION);
        if (others.length > 0) {
          throw new Error(
            `${others.map((call) => call.toolName).join(', ')} is not finished yet; wait for its result.`,
          );
        }
        const lastHeard = conversation.lastSaid('customer')?.id;
        // The model's goodbye belongs to the step that called this; the end waits until it has been said.
        void replies.idle().then(() => {
          // They went on talking: then it was not the end.
          if (conversation.lastSaid('customer')?.id !== lastHeard) return replies.request();
          const goodbyeSaid = conversation.turns().at(-1)?.role === 'agent';
          const values = { business_name: claim.business.name };
          const lastWords = prompts.render('goodbye', values, { channel: claim.channel });
          onEndRequested('agent_ended', goodbyeSaid ? undefined : lastWords);
        });
        return `The conversation ends now (${reason}). Say nothing more.`;
      },
      answerQuestion: (answers) => this.#host.questions.answer(answers),
      declineQuestion: () => this.#host.questions.decline(),
      withdrawRequest: async (reason) => {
        const waiting = this.#ledger.pending();
        // A request that waits is what they mean; what runs beside it goes on.
        const stopped = waiting.length > 0 ? [] : this.#stopRunning(reason);
        const count = await this.#ledger.withdraw(null, reason);
        // The model goes on when it can see that they are withdrawn; before, it would withdraw them once more.
        const calls = waiting.map((call) => this.#ledger.request({ ...call, rawArguments: '' }).outcome);
        if (count > 0) await Promise.all(calls);
        const outcomes = await Promise.all(stopped);
        if (count > 0) return 'The request was withdrawn. Nothing was done.';
        return outcomes.length > 0
          ? 'What was running has been told to stop. What became of it is in its own result: say no more than that.'
          : 'It was too late: the request had been decided.';
      },
    };
  }
}
