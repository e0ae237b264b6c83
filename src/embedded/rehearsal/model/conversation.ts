import type { ChatMessage, ChatRequest } from './request.ts';

/** One tool call as the request shows it, with its result if that is there. */
export interface PastCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly at: number;
  /** Undefined while the call still waits or runs. */
  readonly output: string | undefined;
}

export interface Said {
  readonly role: 'customer' | 'agent';
  readonly text: string;
  readonly at: number;
}

/** A chat request read as a conversation. `at` is the position in the list of messages. */
export interface Conversation {
  readonly system: string;
  readonly said: readonly Said[];
  readonly calls: readonly PastCall[];
  /** What the customer said since the agent last said or did anything, in one text; '' if nothing. */
  readonly unanswered: string;
}

export function readConversation(request: ChatRequest): Conversation {
  const said: Said[] = [];
  const calls: PastCall[] = [];
  const system: string[] = [];
  const outputs = outputsOf(request.messages);
  for (const [at, message] of request.messages.entries()) {
    const text = message.content.trim();
    if (message.role === 'system' || message.role === 'developer') system.push(text);
    if (message.role === 'user' && text !== '') said.push({ role: 'customer', text, at });
    if (message.role !== 'assistant') continue;
    if (text !== '') said.push({ role: 'agent', text, at });
    for (const call of message.tool_calls ?? []) {
      const output = outputs.get(call.id);
      const waits = output === undefined || /^Not done yet\b/.test(output);
      calls.push({
        name: call.function.name,
        args: parseArguments(call.function.arguments),
        at,
        output: waits ? undefined : output,
      });
    }
  }
  return { system: system.join('\n'), said, calls, unanswered: unansweredText(said, calls) };
}

function outputsOf(messages: readonly ChatMessage[]): Map<string, string> {
  return new Map(
    messages.flatMap((message) =>
      message.role === 'tool' && message.tool_call_id !== undefined
        ? [[message.tool_call_id, message.content] as const]
        : [],
    ),
  );
}

function unansweredText(said: readonly Said[], calls: readonly PastCall[]): string {
  const lastAct = Math.max(
    -1,
    ...said.filter(({ role }) => role === 'agent').map(({ at }) => at),
    ...calls.map(({ at }) => at),
  );
  return said
    .filter(({ role, at }) => role === 'customer' && at > lastAct)
    .map(({ text }) => text)
    .join(' ');
}

function parseArguments(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}
