import { z } from 'zod';

const contentSchema = z
  .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() })), z.null()])
  .optional()
  .transform((content) =>
    typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(''),
  );

const messageSchema = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: contentSchema,
  tool_calls: z
    .array(z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }))
    .optional(),
  tool_call_id: z.string().optional(),
});

const toolSchema = z.object({
  type: z.literal('function'),
  function: z.object({
    name: z.string(),
    description: z.string().optional(),
    parameters: z
      .looseObject({
        properties: z.record(z.string(), z.unknown()).optional(),
        required: z.array(z.string()).optional(),
      })
      .optional(),
  }),
});

/** The part of a chat-completions request that means something to a scripted model; the rest is let through. */
export const chatRequestSchema = z.looseObject({
  model: z.string(),
  messages: z.array(messageSchema).min(1),
  tools: z.array(toolSchema).optional(),
  tool_choice: z.unknown().optional(),
  response_format: z.looseObject({ type: z.string() }).optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
});

export type ChatRequest = z.output<typeof chatRequestSchema>;
export type ChatMessage = ChatRequest['messages'][number];

export interface ModelToolCall {
  readonly name: string;
  /** JSON text, or anything else where a test wants a model that writes nonsense. */
  readonly arguments: string;
  readonly id?: string;
}

export interface ModelReply {
  readonly text?: string;
  readonly toolCalls?: readonly ModelToolCall[];
}

/** A tool that the request offers, with the names of its arguments. */
export function offeredTool(request: ChatRequest, name: string) {
  if (request.tool_choice === 'none') return undefined;
  return request.tools?.find((tool) => tool.function.name === name)?.function;
}
