import { z } from '@hono/zod-openapi';
import {
  agentSchema,
  callbackSchema,
  idSchema,
  interactionSchema,
  metricsSchema,
  permissionSchema,
} from '../schemas.ts';

const timestamp = z.string().openapi({ format: 'date-time' });

export const metricsEventSchema = metricsSchema
  .extend({ interaction_id: idSchema, agent_id: idSchema })
  .openapi('MetricsEvent');

export const messageEventSchema = z
  .object({
    interaction_id: idSchema,
    item_id: z.string(),
    role: z.enum(['customer', 'agent', 'supervisor', 'system']),
    content: z.string().openapi({ description: 'Text as it was said; never markup.' }),
    final: z.boolean().openapi({ description: 'False while it is being said: the same item comes again.' }),
    interrupted: z.boolean(),
    spoken_at: timestamp.nullable(),
    seq: z
      .number()
      .nullable()
      .openapi({ description: 'Its place in the transcript; null until it is final.' }),
  })
  .openapi('MessageEvent');

export const toolCallEventSchema = z
  .object({
    interaction_id: idSchema,
    call_id: z.string(),
    tool_name: z.string(),
    arguments: z.unknown(),
    state: z.enum([
      'requested',
      'awaiting_permission',
      'running',
      'succeeded',
      'failed',
      'refused',
      'unknown',
    ]),
    output: z.string().nullable(),
    requested_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
  })
  .openapi('ToolCallEvent');

const momentSchema = z.object({ at: timestamp });
const nothingSchema = z.object({});

const event = <N extends string, D extends z.ZodType>(name: N, data: D, description: string) =>
  z.object({ id: z.string().optional(), event: z.literal(name), data }).openapi({ description });

/** Every event there is, as a schema of what `event:` and the JSON in `data:` say. */
export const liveEventSchema = z
  .discriminatedUnion('event', [
    event(
      'ready',
      momentSchema,
      'The first of a stream: from here on nothing is missed. Load the state now.',
    ),
    event(
      'reset',
      nothingSchema,
      'Something was missed, or what you may see has changed: load the state anew.',
    ),
    event('position', momentSchema, 'Nothing happened that you may see; its id is newer than your last one.'),
    event(
      'delayed',
      momentSchema,
      'The database can not be read since then; what happens there comes later.',
    ),
    event('live', momentSchema, 'It can be read again, and what had happened has been told.'),
    event('metrics', metricsEventSchema, 'Every five seconds for each open interaction.'),
    event('message', messageEventSchema, 'Something is being said, or was.'),
    event('permission', permissionSchema, 'A tool call waits for a decision, or was decided.'),
    event('interaction', interactionSchema, 'An interaction began, changed or ended.'),
    event('agent', agentSchema, 'An agent, its status or its people changed.'),
    event('callback', callbackSchema, 'A customer asked to be called back, or was.'),
    event('tool_call', toolCallEventSchema, 'A tool call was asked for, began or ended.'),
  ])
  .openapi('LiveEvent');
