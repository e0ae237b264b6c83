import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { editAgent, rollBackAgent } from '../../database/agent-editing.ts';
import { FloorwalkerError } from '../../errors.ts';
import { agentDetailSchema, agentVersionSchema, editAgentSchema } from '../agent-schemas.ts';
import { checkEdit } from '../edited-agent.ts';
import type { Api, ApiEnv, Person } from '../environment.ts';
import { cursorSchema } from '../page.ts';
import { findAgentDetail, listAgentVersions } from '../reads/agent-detail.ts';
import { idSchema, pageOf } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Agents'];
const params = z.object({ id: idSchema });
const detail = {
  description: 'The agent as it is now',
  content: { 'application/json': { schema: agentDetailSchema } },
};

const show = createRoute({
  method: 'get',
  path: '/v1/agents/{id}',
  tags,
  summary: 'One agent with its prompt, settings and tools',
  security,
  request: { params },
  responses: { 200: detail, ...problems(400, 401, 403, 404, 503) },
});

const edit = createRoute({
  method: 'put',
  path: '/v1/agents/{id}',
  tags,
  summary: 'Change an agent for the interactions that begin from now on',
  description:
    'A supervisor may change texts, voice and limits of own and covered agents, gate a tool and drop an ungated one. Only admins add tools, change what a tool reaches or remove a gate; nobody writes a command for the worker here.',
  security,
  request: {
    params,
    body: { required: true, content: { 'application/json': { schema: editAgentSchema } } },
  },
  responses: { 200: detail, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
});

const versions = createRoute({
  method: 'get',
  path: '/v1/agents/{id}/versions',
  tags,
  summary: 'Who changed the agent, when and to what, newest first',
  security,
  request: {
    params,
    query: z.object({
      limit: z.coerce.number().int().min(1).max(50).default(20),
      cursor: cursorSchema.optional(),
    }),
  },
  responses: {
    200: {
      description: 'A page',
      content: { 'application/json': { schema: pageOf(agentVersionSchema, 'AgentVersionPage') } },
    },
    ...problems(400, 401, 403, 404, 503),
  },
});

const rollback = createRoute({
  method: 'post',
  path: '/v1/agents/{id}/rollback',
  tags,
  summary: 'Make a new version with the content of an old one',
  description: 'The same people may do it as may make the edit that it amounts to.',
  security,
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              version: z.int().min(1),
              expected_version: z.int().min(1).optional().openapi({
                description: 'The version that was looked at; refused when the agent has changed since.',
              }),
            })
            .openapi('RollBackAgent'),
        },
      },
    },
  },
  responses: { 200: detail, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
});

async function detailOf(person: Person, id: string) {
  const found = await findAgentDetail(person, id);
  if (found === undefined) throw new FloorwalkerError('agent_not_found');
  return found;
}

export function addAgentEditingRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [show, edit, versions, rollback]) guard(api, route, person);

  api.openapi(show, async (context) => {
    return context.json(await detailOf(context.get('person'), context.req.valid('param').id), 200);
  });

  api.openapi(edit, async (context) => {
    const { id } = context.req.valid('param');
    const { version, note, ...wanted } = context.req.valid('json');
    const me = context.get('person');
    const definition = checkEdit(await detailOf(me, id), wanted);
    await editAgent(me.db, { agentId: id, version, definition, note });
    return context.json(await detailOf(me, id), 200);
  });

  api.openapi(versions, async (context) => {
    const { id } = context.req.valid('param');
    const me = context.get('person');
    await detailOf(me, id);
    return context.json(await listAgentVersions(me.db, id, context.req.valid('query')), 200);
  });

  api.openapi(rollback, async (context) => {
    const { id } = context.req.valid('param');
    const { version, expected_version } = context.req.valid('json');
    const me = context.get('person');
    await rollBackAgent(me.db, { agentId: id, version, expectedVersion: expected_version });
    return context.json(await detailOf(me, id), 200);
  });
}
