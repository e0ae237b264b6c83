import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { leaderboard, performance } from '../../database/performance.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { listAgentPerformance, listAgents } from '../reads/agents.ts';
import {
  agentPerformanceSchema,
  agentSchema,
  leaderboardEntrySchema,
  performanceSchema,
} from '../schemas.ts';
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

const periodSchema = z.enum(['today', 'month']);

const figures = createRoute({
  method: 'get',
  path: '/v1/performance',
  tags: ['Performance'],
  summary: 'How supervisors and agents do, in the time zone of the business',
  security,
  request: { query: z.object({ period: periodSchema.default('today') }) },
  responses: {
    200: {
      description: 'Own figures, for an admin those of everybody, and the leaderboard',
      content: {
        'application/json': {
          schema: z
            .object({
              period: periodSchema,
              supervisors: z.array(performanceSchema),
              leaderboard: z.array(leaderboardEntrySchema),
              agents: z.array(agentPerformanceSchema).openapi({ description: 'Since the beginning.' }),
            })
            .openapi('PerformanceReport'),
        },
      },
    },
    ...problems(400, 401, 403, 503),
  },
});

export function addAgentRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [agents, figures]) guard(api, route, person);

  api.openapi(agents, async (context) => {
    return context.json({ data: await listAgents(context.get('person').db) }, 200);
  });

  api.openapi(figures, async (context) => {
    const { period } = context.req.valid('query');
    const { db } = context.get('person');
    const [supervisors, board, agentFigures] = await Promise.all([
      performance(db, { period }),
      leaderboard(db, { period }),
      listAgentPerformance(db),
    ]);
    return context.json({ period, supervisors, leaderboard: board, agents: agentFigures }, 200);
  });
}
