import type { EventSourceMessage } from 'eventsource-parser';
import * as z from 'zod/mini';
import type { Schemas } from '../client/api.ts';

export type Interaction = Schemas['Interaction'];
export type Permission = Schemas['Permission'];
export type Agent = Schemas['Agent'];
export type Callback = Schemas['Callback'];

export const sentimentSchema = z.enum(['good', 'neutral', 'critical']);
export type Sentiment = z.output<typeof sentimentSchema>;

const metricsSchema = z.object({
  interaction_id: z.string(),
  timestamp: z.string(),
  sentiment: sentimentSchema,
  satisfaction_score: z.number(),
  feed_text: z.string(),
});
export type Metrics = z.output<typeof metricsSchema>;

const roleSchema = z.enum(['customer', 'agent', 'supervisor', 'system']);
export type Role = z.output<typeof roleSchema>;

const messageSchema = z.object({
  interaction_id: z.string(),
  item_id: z.string(),
  role: roleSchema,
  content: z.string(),
  final: z.boolean(),
  interrupted: z.boolean(),
  spoken_at: z.nullable(z.string()),
  seq: z.nullable(z.number()),
});
export type LiveMessage = z.output<typeof messageSchema>;

const toolCallSchema = z.object({
  interaction_id: z.string(),
  call_id: z.string(),
  tool_name: z.string(),
  arguments: z.optional(z.unknown()),
  state: z.enum(['requested', 'awaiting_permission', 'running', 'succeeded', 'failed', 'refused', 'unknown']),
  output: z.nullable(z.string()),
  requested_at: z.string(),
  started_at: z.nullable(z.string()),
  finished_at: z.nullable(z.string()),
});
export type ToolCall = z.output<typeof toolCallSchema>;

/** Items of our own API come as its lists give them, and are taken at their word as those are. */
const itemOf = <T extends { id: string }>() =>
  z.custom<T>(
    (value) => typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string',
  );

export type LiveEvent =
  | { readonly kind: 'ready'; readonly at: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'delayed' }
  | { readonly kind: 'caught-up' }
  | { readonly kind: 'metrics'; readonly metrics: Metrics }
  | { readonly kind: 'message'; readonly message: LiveMessage }
  | { readonly kind: 'permission'; readonly permission: Permission }
  | { readonly kind: 'interaction'; readonly interaction: Interaction }
  | { readonly kind: 'agent'; readonly agent: Agent }
  | { readonly kind: 'tool_call'; readonly call: ToolCall }
  | { readonly kind: 'callback'; readonly callback: Callback };

const readySchema = z.object({ at: z.string() });
const interactionItem = itemOf<Interaction>();
const permissionItem = itemOf<Permission>();
const agentItem = itemOf<Agent>();
const callbackItem = itemOf<Callback>();

/** `undefined` for what this page does not know: a newer server may say more. */
export function readEvent({ event, data }: EventSourceMessage): LiveEvent | undefined {
  const body: unknown = JSON.parse(data);
  switch (event) {
    case 'ready':
      return { kind: 'ready', at: readySchema.parse(body).at };
    case 'reset':
      return { kind: 'reset' };
    case 'delayed':
      return { kind: 'delayed' };
    case 'live':
      return { kind: 'caught-up' };
    case 'metrics':
      return { kind: 'metrics', metrics: metricsSchema.parse(body) };
    case 'message':
      return { kind: 'message', message: messageSchema.parse(body) };
    case 'permission':
      return { kind: 'permission', permission: permissionItem.parse(body) };
    case 'interaction':
      return { kind: 'interaction', interaction: interactionItem.parse(body) };
    case 'agent':
      return { kind: 'agent', agent: agentItem.parse(body) };
    case 'tool_call':
      return { kind: 'tool_call', call: toolCallSchema.parse(body) };
    case 'callback':
      return { kind: 'callback', callback: callbackItem.parse(body) };
    default:
      return undefined;
  }
}
