import { z } from '@hono/zod-openapi';
import { channelSchema, idSchema } from './schemas.ts';

const timestamp = z.string().openapi({ format: 'date-time', example: '2026-03-01T09:30:00.123456+00:00' });

export const meSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    username: z.string().nullable(),
    email: z.string(),
    role: z.enum(['admin', 'supervisor']),
    supervisor_type: channelSchema.nullable(),
    business: z.object({ id: idSchema, name: z.string(), slug: z.string(), time_zone: z.string() }),
    agents: z
      .array(z.object({ id: idSchema, name: z.string(), covering: z.boolean() }))
      .openapi({ description: 'Those this person supervises, and those they cover. An admin has none.' }),
  })
  .openapi('Me');

export const publicAgentSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    agent_type: channelSchema,
    language: z.string(),
    business_name: z.string(),
    business_slug: z.string(),
  })
  .openapi('PublicAgent');

export const retentionSchema = z
  .object({
    archives_days: z.number().optional().openapi({ description: 'Default 90.' }),
    rehearsals_days: z.number().optional().openapi({ description: 'Default 730.' }),
    failed_rehearsals_days: z.number().optional().openapi({ description: 'Default 365.' }),
  })
  .openapi('Retention');

export const vocabularySchema = z
  .object({ topics: z.array(z.string()), issues: z.array(z.string()) })
  .openapi('TagVocabulary');

export const businessSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    slug: z.string(),
    time_zone: z.string(),
    allowed_origins: z.array(z.string()),
    retention: retentionSchema,
    tag_vocabulary: vocabularySchema,
    updated_at: timestamp,
  })
  .openapi('Business');
