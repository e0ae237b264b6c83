import { llm } from '@livekit/agents';
import { type OpeningFacts, renderGreeting, renderSystemPrompt } from '../definitions/opening.ts';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import type { Claim } from './claim.ts';
import { type Clock, within } from './clock.ts';
import type { Conversation } from './conversation.ts';
import type { CustomerProfile } from './customer-profile.ts';
import type { SessionTools } from './session-tools.ts';
import type { ModelRequest } from './speaking-agent.ts';

export interface RequestsDeps {
  readonly claim: Claim;
  readonly profile: CustomerProfile;
  readonly prompts: PromptBook;
  readonly conversation: Conversation;
  readonly tools: SessionTools;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a request to the model waits for tool servers that have not listed their tools yet. */
const TOOLS_WAIT_MS = 3_000;

/** What the customer is greeted with and what the model is asked, from what is known at that moment. */
export class Requests {
  readonly #deps: RequestsDeps;
  /** The prompt says when the conversation began; it must not change from turn to turn. */
  readonly #openedAt: Date;

  constructor(deps: RequestsDeps) {
    this.#deps = deps;
    this.#openedAt = new Date(deps.clock.now());
  }

  greeting(): string {
    return renderGreeting(this.#deps.prompts, this.#facts()).text;
  }

  /** @param speculative the customer's turn, where it is not part of the conversation yet. */
  async build(speculative: llm.ChatMessage | undefined): Promise<ModelRequest> {
    const { clock, prompts, tools, log } = this.#deps;
    await within(clock, TOOLS_WAIT_MS, tools.ready);
    const { text, problems } = renderSystemPrompt(prompts, this.#facts());
    if (problems.length > 0) log.warn({ problems }, 'the agent’s prompt has parts that can not be filled');
    return this.#with(text, speculative);
  }

  /** What the model would be shown at this moment, as `shown` has it. */
  current(): string {
    return shown(this.#with(renderSystemPrompt(this.#deps.prompts, this.#facts()).text));
  }

  #with(systemPrompt: string, speculative?: llm.ChatMessage): ModelRequest {
    const { conversation, tools } = this.#deps;
    const chatCtx = conversation.toChatContext(systemPrompt, (call) => tools.pendingText(call), speculative);
    const note = tools.waitingNote();
    if (note) chatCtx.items.push(llm.ChatMessage.create({ role: 'system', content: note }));
    return { chatCtx, ...tools.offered() };
  }

  #facts(): OpeningFacts {
    const { agent, business, channel } = this.#deps.claim;
    const { name, phoneNumber, phoneSource } = this.#deps.profile;
    return { agent, business, channel, customer: { name, phoneNumber, phoneSource }, now: this.#openedAt };
  }
}

/** All that a model is shown of a request, as one text: two that differ in nothing else are the same request. */
export function shown({ chatCtx, tools, toolChoice }: ModelRequest): string {
  const items = chatCtx.items.map((item) => {
    switch (item.type) {
      case 'message':
        return [item.role, item.textContent];
      case 'function_call':
        return [item.callId, item.name, item.args];
      case 'function_call_output':
        return [item.callId, item.output, item.isError];
      default:
        return item;
    }
  });
  return JSON.stringify([items, tools, toolChoice]);
}
