import type { llm } from '@livekit/agents';
import type { InputSchemas } from '../tools/input-schema.ts';
import type { CallHost } from '../tools/types.ts';
import type { Clock } from './clock.ts';
import type { Filler } from './filler.ts';
import { Questions } from './questions.ts';
import type { Recorder } from './recorder.ts';
import { sample } from './sampling.ts';

export interface ToolHostDeps {
  readonly schemas: InputSchemas;
  readonly recorder: Recorder;
  readonly model: llm.LLM;
  readonly modelTimeoutMs: number;
  filler(): Filler;
  /** The agent should speak: there is something to ask. */
  speak(): void;
  toolOf(callId: string): string | undefined;
  readonly clock: Clock;
}

/** What this conversation does for the servers of its calls: asks the customer, the model, and tells how far they are. */
export class ToolHost implements Required<CallHost> {
  readonly questions: Questions;
  readonly #deps: ToolHostDeps;
  readonly #percent = new Map<string, number>();

  constructor(deps: ToolHostDeps) {
    this.#deps = deps;
    const { recorder, schemas, clock } = deps;
    this.questions = new Questions({
      schemas,
      onOpened: (callId, question) => {
        recorder.step('question_asked', { name: deps.toolOf(callId) ?? 'unknown', input: question });
        // The customer is busy with an answer, not with waiting.
        deps.filler().finished(callId);
        deps.speak();
      },
      onClosed: (callId, { action }) => {
        recorder.step('question_closed', { name: deps.toolOf(callId) ?? 'unknown', output: { action } });
        if (deps.toolOf(callId) !== undefined) deps.filler().started(callId);
      },
      clock,
    });
  }

  readonly ask: Required<CallHost>['ask'] = (callId, question, signal) =>
    this.questions.ask(callId, question, signal);

  readonly sample: Required<CallHost>['sample'] = (callId, request, signal) => {
    const { model, modelTimeoutMs: timeoutMs, recorder, clock, toolOf } = this.#deps;
    recorder.step('sampling', {
      name: toolOf(callId) ?? 'unknown',
      input: { messages: request.messages.length },
    });
    return sample(request, { model, timeoutMs, clock, signal });
  };

  readonly progress: Required<CallHost>['progress'] = (callId, { progress, total }) => {
    if (total === undefined || !(total > 0)) return;
    const percent = Math.max(0, Math.min(100, Math.round((progress / total) * 100)));
    this.#percent.set(callId, percent);
    this.#deps.filler().progressed(percent);
  };

  /** How far the call is, in percent, where its server said so. */
  percentOf(callId: string): number | undefined {
    return this.#percent.get(callId);
  }

  finished(callId: string): void {
    this.#percent.delete(callId);
  }
}
