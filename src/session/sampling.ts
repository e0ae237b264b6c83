import { llm } from '@livekit/agents';
import type { SampleRequest } from '../tools/types.ts';
import { type Clock, within } from './clock.ts';

/** No token of a usual language is longer on average; a model that ignores its limit is cut here. */
const CHARS_A_TOKEN = 6;

/**
 * Asks the agent's own model for a tool's server, where the tool's row allows it. Nothing of the conversation is in
 * the request: the server gets an answer to its own words only.
 */
export async function sample(
  request: SampleRequest,
  deps: { model: llm.LLM; timeoutMs: number; clock: Clock; signal: AbortSignal },
): Promise<{ text: string; model: string }> {
  const items = request.messages.map(({ role, text }) => llm.ChatMessage.create({ role, content: text }));
  const system =
    request.system === undefined ? [] : [llm.ChatMessage.create({ role: 'system', content: request.system })];
  const stream = deps.model.chat({
    chatCtx: new llm.ChatContext([...system, ...items]),
    connOptions: { maxRetry: 0, retryIntervalMs: 500, timeoutMs: deps.timeoutMs },
    extraKwargs: { max_completion_tokens: request.maxTokens },
  });
  const limit = request.maxTokens * CHARS_A_TOKEN;
  const collect = async (): Promise<string> => {
    let text = '';
    for await (const chunk of stream) {
      text += chunk.delta?.content ?? '';
      if (text.length > limit || deps.signal.aborted) break;
    }
    return text.slice(0, limit);
  };
  try {
    const text = await within(deps.clock, deps.timeoutMs, collect());
    if (!text) throw new Error('The model gave no answer');
    return { text, model: deps.model.model };
  } finally {
    stream.close();
  }
}
