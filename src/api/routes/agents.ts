import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Api, ApiEnv } from '../environment.ts';
import { listAgents } from '../reads/agents.ts';
import { agentSchema } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];

const agents = createRoute({
  method: 'get',
  path: '/v1/agents',
  tags: ['Agents'],
  summary: 'The agents this person supervises or covers; an admin sees all of the business',
  security,
  responses: {
    200: {
      description: 'The agents',
      content: {
        'application/json': { schema: z.object({ data: z.array(agentSchema) }).openapi('AgentList') },
      },
    },
    ...problems(401, 403, 503),
  },
});

export function addAgentRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  guard(api, agents, person);

  api.openapi(agents, async (context) => {
    return context.json({ data: await listAgents(context.get('person').db) }, 200);
  });
}
