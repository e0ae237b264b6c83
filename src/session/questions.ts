import type { InputSchemas } from '../tools/input-schema.ts';
import type { JsonObject, ToolAnswer, ToolQuestion } from '../tools/types.ts';
import type { Clock } from './clock.ts';

export const ANSWER_QUESTION = 'answer_question';
export const DECLINE_QUESTION = 'decline_question';

/** A customer who says nothing to it in this time has not answered, and the tool is told so. */
const ANSWER_LIMIT_MS = 120_000;

/** A tool's own time stands still while it asks: one that asks without end is told that nobody answers any more. */
const MOST_QUESTIONS_A_CALL = 20;

export interface QuestionsDeps {
  readonly schemas: InputSchemas;
  /** A question is open: the agent should put it to the customer. */
  onOpened(callId: string, question: ToolQuestion): void;
  onClosed(callId: string, answer: ToolAnswer): void;
  readonly clock: Clock;
}

interface OpenQuestion {
  readonly callId: string;
  readonly question: ToolQuestion;
  settle(answer: ToolAnswer): void;
}

/**
 * What a tool's server wants to know from the customer while it runs. The agent asks in the conversation and hands
 * the answer in with a built-in tool; one question at a time, the others wait.
 */
export class Questions {
  readonly #deps: QuestionsDeps;
  #open: OpenQuestion | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #asked = new Map<string, number>();

  constructor(deps: QuestionsDeps) {
    this.#deps = deps;
  }

  get open(): ToolQuestion | undefined {
    return this.#open?.question;
  }

  ask(callId: string, question: ToolQuestion, signal: AbortSignal): Promise<ToolAnswer> {
    const asked = (this.#asked.get(callId) ?? 0) + 1;
    this.#asked.set(callId, asked);
    if (asked > MOST_QUESTIONS_A_CALL) return Promise.resolve({ action: 'cancel' });
    const answer = this.#last.then(() => this.#askNow(callId, question, signal));
    this.#last = answer;
    return answer;
  }

  /** @throws Error in words for the model, when the answer does not fit what was asked */
  answer(answers: JsonObject): string {
    const open = this.#opened();
    const compiled = this.#deps.schemas.compile(open.question.schema);
    const problem = compiled.ok ? compiled.check(answers) : undefined;
    if (problem !== undefined)
      throw new Error(`${problem} Ask the customer again for what is missing or wrong.`);
    open.settle({ action: 'accept', content: answers });
    return 'Handed in. The tool goes on; its result comes by itself.';
  }

  /** @throws Error when nothing is open */
  decline(): string {
    this.#opened().settle({ action: 'decline' });
    return 'The tool was told that the customer does not want to say.';
  }

  #opened(): OpenQuestion {
    if (this.#open === undefined) throw new Error('No question is open any more.');
    return this.#open;
  }

  async #askNow(callId: string, question: ToolQuestion, signal: AbortSignal): Promise<ToolAnswer> {
    if (signal.aborted) return { action: 'cancel' };
    const { promise, resolve } = Promise.withResolvers<ToolAnswer>();
    const cancel = (): void => resolve({ action: 'cancel' });
    const stopWaiting = this.#deps.clock.after(ANSWER_LIMIT_MS, cancel);
    signal.addEventListener('abort', cancel, { once: true });
    this.#open = { callId, question, settle: resolve };
    this.#deps.onOpened(callId, question);
    const answer = await promise;
    stopWaiting();
    signal.removeEventListener('abort', cancel);
    this.#open = undefined;
    this.#deps.onClosed(callId, answer);
    return answer;
  }
}
