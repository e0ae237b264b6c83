import type { ToolRow } from '../../support/fixtures.ts';
import { type ModelRequest, type ScriptedReply, wantsJson } from '../../support/model.ts';

/** What the customer of these tests says, and the tool that it leads to. */
const TOOLS = {
  charge: { gated: false, idempotent: false },
  look_up: { gated: false, idempotent: true },
  refund: { gated: true, idempotent: false },
} as const;
export type ShopTool = keyof typeof TOOLS;

export function shopTools(url: string): ToolRow[] {
  return Object.entries(TOOLS).map(([toolName, { gated, idempotent }]) => ({
    toolName,
    requiresPermission: gated,
    toolConfig: {
      endpoint: `${url}/${toolName}`,
      method: 'POST',
      description: `The tool ${toolName}.`,
      idempotent,
      input_schema: {
        type: 'object',
        properties: { order: { type: 'string' } },
        required: ['order'],
        additionalProperties: false,
      },
    },
  }));
}

/**
 * A model that calls the tool which a message names, unless it was called since, and then answers every message that
 * has no answer yet, a line each. What it says depends on the request alone, so that a second worker that asks the
 * same gets the same.
 */
export function shopModel(request: ModelRequest): ScriptedReply | string {
  if (wantsJson(request)) return '{}';
  const { messages } = request.body;
  const spoken = messages.flatMap(({ role, content }) =>
    role === 'assistant' && content && !APOLOGY.test(content) ? [content] : [],
  );
  const said = runsOf(spoken);
  const open = messages.flatMap(({ role, content }) =>
    role === 'user' && !said.some((text) => isAnswer(text, content)) ? [content] : [],
  );
  const lines: { text?: string; call?: { name: string; arguments: object } }[] = open.map((words) => {
    const [, name, order] = /^(charge|look_up|refund) (\S+)$/.exec(words) ?? [];
    if (!name || !order) return { text: `Heard: ${words}` };
    const result = request.toolResults.findLast(({ callId }) =>
      messages.some(({ tool_calls }) =>
        (tool_calls ?? []).some(
          (call) => call.id === callId && call.function.arguments.includes(`"${order}"`),
        ),
      ),
    );
    if (result?.output.startsWith('Not done yet')) return { text: `Waiting for ${words}` };
    if (result) return { text: `Result of ${words}: ${result.output}` };
    if (request.toolNames.includes(name)) return { call: { name, arguments: { order } } };
    return { text: `Waiting for ${words}` };
  });
  lines.push(...toldByPeople(request, said));
  const calls = lines.flatMap(({ call }) => (call ? [call] : []));
  if (calls.length > 0) return { toolCalls: calls };
  const piece = cutOffPiece(messages);
  if (lines.length === 0) return piece === undefined ? NOTHING_OPEN : `\n${ALL_SAID}`;
  const all = lines.map((line) => line.text).join('\n');
  const begun = piece?.split('\n').at(-1) ?? '';
  const text = piece === undefined ? all : all.startsWith(begun) ? all.slice(begun.length) : `\n${all}`;
  return { text, tokenMs: open.some((words) => words.startsWith('slowly')) ? 120 : 0 };
}

/** What a person said of calls whose outcome was unknown, and what came of those that they had run again. */
function toldByPeople({ body, toolResults }: ModelRequest, said: readonly string[]): { text: string }[] {
  const news = body.messages.flatMap(({ role, content }) => {
    const note = /what became of (\w+) \{"order":"(\w+)"\}.*?\. It (did|did not) take effect/.exec(content);
    return role !== 'user' && note ? [`Settled ${note[1]} ${note[2]}: it ${note[3]}.`] : [];
  });
  const again = toolResults.flatMap(({ callId, output }) => {
    const order = /"order":"(\w+)"/.exec(JSON.stringify(argumentsOf(body, callId)))?.[1];
    const open = !callId.endsWith(':again') || output.startsWith('Not done yet');
    return open || !order ? [] : [`Again ${order}: ${output}`];
  });
  return [...news, ...again].filter((line) => !said.join('\n').includes(line)).map((text) => ({ text }));
}

function argumentsOf(body: ModelRequest['body'], callId: string): unknown {
  const calls = body.messages.flatMap(({ tool_calls }) => tool_calls ?? []);
  return JSON.parse(calls.find(({ id }) => id === callId)?.function.arguments ?? '{}');
}

/** Up to four texts that follow one another, as one: an answer that broke off is there in pieces. */
export function runsOf(texts: readonly string[]): string[] {
  return texts.flatMap((_, from) => [1, 2, 3, 4].map((count) => texts.slice(from, from + count).join('')));
}

/** All that was said of an answer whose rest the model is asked for now. */
function cutOffPiece(messages: ModelRequest['body']['messages']): string | undefined {
  const asked = messages.findLastIndex(({ content }) => content?.startsWith('The connection was lost while'));
  if (asked < 0) return undefined;
  const said = messages.flatMap(({ role, content }, index) =>
    role === 'assistant' && content && !APOLOGY.test(content) ? [{ content, index }] : [],
  );
  if (said.some(({ index }) => index > asked)) return undefined;
  return said.map(({ content }) => content).join('');
}

export const APOLOGY = /I lost the connection for a moment/;
/** Said in place of the rest of an answer that had none. */
export const ALL_SAID = 'That was all.';

/** Said when the agent speaks without a reason. */
export const NOTHING_OPEN = 'There is nothing left to answer.';

/** Whether this text of the agent answers these words of the customer. */
export function isAnswer(text: string, words: string): boolean {
  return text
    .split('\n')
    .some((line) => line.trim() === `Heard: ${words}` || line.startsWith(`Result of ${words}: `));
}
