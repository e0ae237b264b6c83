import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { decidePermission, revokeGrant } from '../../database/permissions.ts';
import { storable } from '../../database/storable.ts';
import { FloorwalkerError } from '../../errors.ts';
import { hashToolCall } from '../../tools/canonical-hash.ts';
import { EditedArguments } from '../edited-arguments.ts';
import type { Api, ApiEnv, Person } from '../environment.ts';
import { cursorSchema, limitSchema } from '../page.ts';
import type { ApiParts } from '../parts.ts';
import { findPlace } from '../reads/interactions.ts';
import {
  findDefinitionHash,
  findPermission,
  findStoredSchema,
  listPermissions,
} from '../reads/permissions.ts';
import { idSchema, pageOf, permissionSchema, permissionStatusSchema, scopeSchema, text } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Permissions'];
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const list = createRoute({
  method: 'get',
  path: '/v1/permissions',
  tags,
  summary: 'Tool calls that wait for a decision, nearest deadline first',
  security,
  request: {
    query: z.object({
      status: permissionStatusSchema.default('pending'),
      interaction_id: idSchema.optional(),
      limit: limitSchema,
      cursor: cursorSchema.optional(),
    }),
  },
  responses: {
    200: { description: 'A page', content: json(pageOf(permissionSchema, 'PermissionPage')) },
    ...problems(400, 401, 403, 503),
  },
});

const decisionSchema = z
  .strictObject({
    decision: z.enum(['allowed', 'denied']),
    note: text(1_000).optional().openapi({ description: 'The agent is told a denial’s note.' }),
    arguments: z
      .record(z.string(), z.unknown())
      .optional()
      .openapi({ description: 'Runs instead of what was asked for; only with "allowed".' }),
    scope: scopeSchema.optional(),
  })
  .refine(({ decision, arguments: edited }) => edited === undefined || decision === 'allowed', {
    path: ['arguments'],
    message: 'can only be edited when the call is allowed',
  })
  .refine(({ decision, scope }) => scope === undefined || decision === 'allowed', {
    path: ['scope'],
    message: 'goes with "allowed" only',
  })
  .openapi('Decision');

const decide = createRoute({
  method: 'post',
  path: '/v1/permissions/{id}/decision',
  tags,
  summary: 'Allow or deny a tool call; the first decision counts',
  security,
  request: {
    params: z.object({ id: idSchema }),
    body: { required: true, content: json(decisionSchema) },
  },
  responses: {
    200: { description: 'Decided by this request', content: json(permissionSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
  },
});

const revoke = createRoute({
  method: 'post',
  path: '/v1/permissions/{id}/revocation',
  tags,
  summary: 'Take back that a call was allowed for the rest of its interaction',
  description:
    'Counts at once: the next such call is asked for. What ran before, or runs now, is not undone.',
  security,
  request: { params: z.object({ id: idSchema }) },
  responses: {
    200: { description: 'Taken back, now or before', content: json(permissionSchema) },
    ...problems(400, 401, 403, 404, 503),
  },
});

interface EditedCall {
  readonly arguments: Record<string, unknown>;
  readonly argumentsHash: string;
}

/**
 * Checks edited arguments and binds them to this call of this tool, see canonical-hash.ts.
 *
 * @throws FloorwalkerError `permission_not_found`, `arguments_invalid`
 */
async function bindEdited(
  checks: EditedArguments,
  { db, businessId }: Person,
  permissionId: string,
  edited: Record<string, unknown>,
): Promise<EditedCall> {
  const permission = await findPermission(db, permissionId);
  // Never decided without its edits: what is out of sight now may have come into sight a moment later.
  if (permission === undefined) throw new FloorwalkerError('permission_not_found');
  const { interaction_id: interactionId, call_id: callId, tool_name: toolName } = permission;
  const [place, definitionHash] = await Promise.all([
    findPlace(db, interactionId),
    findDefinitionHash(db, interactionId, callId),
  ]);
  const schema = place && (await findStoredSchema(db, place.agent_id, toolName));
  if (schema !== undefined) checks.check(schema, edited);
  const call = { businessId, interactionId, callId, toolName, definitionHash, arguments: edited };
  return { arguments: edited, argumentsHash: hashToolCall(call) };
}

export function addPermissionRoutes(api: Api, parts: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  const checks = new EditedArguments();
  for (const route of [list, decide, revoke]) guard(api, route, person);

  api.openapi(list, async (context) => {
    const { status, interaction_id, limit, cursor } = context.req.valid('query');
    const filter = { status, interactionId: interaction_id };
    return context.json(await listPermissions(context.get('person').db, filter, { limit, cursor }), 200);
  });

  api.openapi(decide, async (context) => {
    const { id } = context.req.valid('param');
    const { decision, note, arguments: given, scope } = context.req.valid('json');
    // What is hashed must be what the database will hold.
    const edited = given && (storable(given) as Record<string, unknown>);
    const approver = context.get('person');
    const bound = edited && (await bindEdited(checks, approver, id, edited));
    const decided = await decidePermission(approver.db, {
      permissionId: id,
      decision,
      note: note ?? null,
      scope: scope ? (storable(scope) as Record<string, unknown>) : null,
      ...bound,
    });

    const interactionId = decided.interaction_id;
    const place = await findPlace(approver.db, interactionId);
    const log = context.get('log').child({ interactionId, permissionId: id });
    if (place) parts.doorbell.ring(place.room, interactionId, log);
    parts.metrics.decisions.inc({ decision });
    log.info({ decision, edited: bound !== undefined, scope: scope?.kind ?? 'call' }, 'permission decided');
    return context.json(permissionSchema.parse(decided), 200);
  });

  api.openapi(revoke, async (context) => {
    const { id } = context.req.valid('param');
    const revoked = await revokeGrant(context.get('person').db, id);
    const log = context.get('log').child({ interactionId: revoked.interaction_id, permissionId: id });
    log.info({}, 'standing permission taken back');
    return context.json(permissionSchema.parse(revoked), 200);
  });
}
