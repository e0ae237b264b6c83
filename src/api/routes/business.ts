import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { changeBusiness } from '../../database/administration.ts';
import { auditEventSchema, businessSchema, changeBusinessSchema } from '../admin-schemas.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { cursorSchema, limitSchema } from '../page.ts';
import { listAudit } from '../reads/audit.ts';
import { readBusiness } from '../reads/business.ts';
import { idSchema, pageOf, text } from '../schemas.ts';
import { adminsOnly } from './admins.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Business'];
const settings = {
  description: 'The settings as they are now',
  content: { 'application/json': { schema: businessSchema } },
};
const instant = z.iso.datetime({ offset: true });

const show = createRoute({
  method: 'get',
  path: '/v1/business',
  tags,
  summary: 'The business of whoever is signed in',
  security,
  responses: { 200: settings, ...problems(401, 403, 404, 503) },
});

const change = createRoute({
  method: 'patch',
  path: '/v1/business',
  tags,
  summary: 'Change name, time zone, allowed origins, retention or tags; for admins',
  security,
  request: {
    body: { required: true, content: { 'application/json': { schema: changeBusinessSchema } } },
  },
  responses: { 200: settings, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
});

const actionsSchema = z
  .string()
  .regex(/^[a-z_]+\.[a-z_]+(,[a-z_]+\.[a-z_]+){0,19}$/, 'must be actions, separated by commas')
  .transform((list) => list.split(','))
  .openapi({ type: 'string', example: 'agent.changed,tool.changed' });

const audit = createRoute({
  method: 'get',
  path: '/v1/audit',
  tags,
  summary: 'Who did what, newest first; for admins',
  security,
  request: {
    query: z.object({
      actor: idSchema.optional(),
      action: actionsSchema.optional(),
      subject: text(100).optional().openapi({ description: 'Id of what it was done to.' }),
      from: instant.optional(),
      to: instant.optional().openapi({ description: 'Excluded.' }),
      limit: limitSchema,
      cursor: cursorSchema.optional(),
    }),
  },
  responses: {
    200: {
      description: 'A page',
      content: { 'application/json': { schema: pageOf(auditEventSchema, 'AuditPage') } },
    },
    ...problems(400, 401, 403, 503),
  },
});

export function addBusinessRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [show, change, audit]) guard(api, route, person);
  for (const route of [change, audit]) guard(api, route, adminsOnly);

  api.openapi(show, async (context) => context.json(await readBusiness(context.get('person').db), 200));

  api.openapi(change, async (context) => {
    const { db } = context.get('person');
    await changeBusiness(db, context.req.valid('json'));
    return context.json(await readBusiness(db), 200);
  });

  api.openapi(audit, async (context) => {
    const { limit, cursor, ...filter } = context.req.valid('query');
    return context.json(await listAudit(context.get('person').db, filter, { limit, cursor }), 200);
  });
}
