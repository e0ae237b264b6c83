import { z } from '@hono/zod-openapi';
import { channelSchema, idSchema, text } from './schemas.ts';

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

const retentionFigures = {
  archives_days: z.number().optional().openapi({ description: 'Default 90.' }),
  transcripts_days: z.number().optional().openapi({ description: 'Default: as long as the archive.' }),
  rehearsals_days: z.number().optional().openapi({ description: 'Default 730.' }),
  failed_rehearsals_days: z.number().optional().openapi({ description: 'Default 365.' }),
  metrics_hours: z.number().optional().openapi({ description: 'Default 24, which is the most.' }),
};
export const retentionSchema = z.looseObject(retentionFigures).openapi('Retention');

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

const name = text(200).refine((value) => value.trim().length > 0, 'must not be empty');
const username = text(100).refine((value) => value.trim().length > 0, 'must not be empty');

export const changeBusinessSchema = z
  .strictObject({
    name: name.optional(),
    time_zone: z.string().max(100).optional().openapi({ example: 'Europe/Amsterdam' }),
    allowed_origins: z
      .array(z.string().max(255))
      .max(100)
      .optional()
      .openapi({ description: 'Whose pages may start conversations: scheme and host alone, or * for any.' }),
    retention: z
      .strictObject(retentionFigures)
      .optional()
      .openapi({ description: 'Replaces all figures; one left out is its default. 1 to 3650 days.' }),
    tag_vocabulary: vocabularySchema.optional().openapi({ description: 'Replaces both lists.' }),
    expected_updated_at: z.string().max(40).optional().openapi({
      description: '`updated_at` as it was read: refused with version_conflict when it has changed since.',
    }),
  })
  .openapi('ChangeBusiness');

export const personSchema = z
  .object({
    id: idSchema,
    email: z.string(),
    name: z.string(),
    username: z.string().nullable(),
    role: z.enum(['admin', 'supervisor']),
    supervisor_type: channelSchema.nullable(),
    last_seen_at: timestamp.nullable().openapi({ description: 'When the console was last open.' }),
    created_at: timestamp,
    deleted_at: timestamp.nullable(),
    agents: z.array(z.object({ id: idSchema, name: z.string(), covering: z.boolean() })),
  })
  .openapi('Person');

export const addPersonSchema = z
  .strictObject({
    email: z.email().max(320),
    name,
    role: z.enum(['admin', 'supervisor']),
    username: username.nullable().default(null),
    supervisor_type: channelSchema.nullable().default(null),
    mail: z.boolean().default(false).openapi({
      description: 'Let Supabase Auth send an invitation instead of making a one-time password.',
    }),
  })
  .refine(
    ({ role, username: given, supervisor_type }) =>
      role === 'admin'
        ? given === null && supervisor_type === null
        : given !== null && supervisor_type !== null,
    'a supervisor needs username and supervisor_type; an admin has neither',
  )
  .openapi('AddPerson');

export const addedPersonSchema = z
  .object({
    person: personSchema,
    access: z.enum(['password', 'mail', 'existing']).openapi({
      description: 'existing: they could sign in before, their password is unchanged.',
    }),
    one_time_password: z.string().nullable().openapi({ description: 'Shown this once and stored nowhere.' }),
  })
  .openapi('AddedPerson');

export const changePersonSchema = z
  .strictObject({
    name: name.optional(),
    role: z.enum(['admin', 'supervisor']).optional(),
    username: username.optional(),
    supervisor_type: channelSchema.optional(),
  })
  .openapi('ChangePerson');

export const assignAgentSchema = z
  .strictObject({
    supervisor_id: idSchema.optional(),
    cover_id: idSchema.nullable().optional().openapi({ description: 'null: none.' }),
  })
  .openapi('AssignAgent');

export const auditEventSchema = z
  .object({
    id: z.number(),
    created_at: timestamp,
    actor_id: idSchema.nullable(),
    actor_kind: z.enum(['user', 'service', 'system']),
    actor_name: z.string().nullable(),
    action: z.string().openapi({ example: 'agent.changed' }),
    subject_type: z.string(),
    subject_id: z.string(),
    details: z.unknown(),
  })
  .openapi('AuditEvent');
