import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import {
  leaderboard,
  performance,
  performanceByAgent,
  performanceSeries,
} from '../../database/performance.ts';
import type { Api, ApiEnv } from '../environment.ts';
import {
  agentPerformanceSchema,
  idSchema,
  leaderboardEntrySchema,
  performanceDaySchema,
  performanceSchema,
} from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Performance'];
const periodSchema = z.enum(['today', 'month']);
const request = { query: z.object({ period: periodSchema.default('today') }) };
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const report = createRoute({
  method: 'get',
  path: '/v1/performance',
  tags,
  summary: 'How supervisors and agents do, in the time zone of the business',
  security,
  request,
  responses: {
    200: {
      description: 'Own figures, for an admin those of everybody, and the leaderboard',
      content: json(
        z
          .object({
            period: periodSchema,
            supervisors: z.array(performanceSchema),
            leaderboard: z.array(leaderboardEntrySchema),
            agents: z.array(agentPerformanceSchema),
          })
          .openapi('PerformanceReport'),
      ),
    },
    ...problems(400, 401, 403, 503),
  },
});

const byAgent = createRoute({
  method: 'get',
  path: '/v1/performance/agents',
  tags,
  summary: 'How the agents do that this person supervises or covers; for an admin all',
  security,
  request,
  responses: {
    200: {
      description: 'By name',
      content: json(
        z
          .object({ period: periodSchema, data: z.array(agentPerformanceSchema) })
          .openapi('AgentPerformanceList'),
      ),
    },
    ...problems(400, 401, 403, 503),
  },
});

const series = createRoute({
  method: 'get',
  path: '/v1/performance/series',
  tags,
  summary: 'Interactions, CSAT and first contact resolution day by day, today last',
  description:
    'Of the agents one supervises, for an admin of all. From the archives: days older than these are kept are empty.',
  security,
  request: {
    query: z.object({
      days: z.coerce.number().int().min(1).max(366).default(30),
      agent_id: idSchema.optional(),
    }),
  },
  responses: {
    200: {
      description: 'One entry a day, also for days without any',
      content: json(z.object({ data: z.array(performanceDaySchema) }).openapi('PerformanceSeries')),
    },
    ...problems(400, 401, 403, 404, 503),
  },
});

const board = createRoute({
  method: 'get',
  path: '/v1/leaderboard',
  tags,
  summary: 'Supervisors by performance score: those of one’s own type, for an admin both types',
  security,
  request,
  responses: {
    200: {
      description: 'Equal scores share a rank',
      content: json(
        z.object({ period: periodSchema, data: z.array(leaderboardEntrySchema) }).openapi('Leaderboard'),
      ),
    },
    ...problems(400, 401, 403, 503),
  },
});

export function addPerformanceRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [report, byAgent, series, board]) guard(api, route, person);

  api.openapi(report, async (context) => {
    const { period } = context.req.valid('query');
    const { db } = context.get('person');
    const [supervisors, ranks, agents] = await Promise.all([
      performance(db, { period }),
      leaderboard(db, { period }),
      performanceByAgent(db, { period }),
    ]);
    return context.json({ period, supervisors, leaderboard: ranks, agents }, 200);
  });

  api.openapi(byAgent, async (context) => {
    const { period } = context.req.valid('query');
    return context.json(
      { period, data: await performanceByAgent(context.get('person').db, { period }) },
      200,
    );
  });

  api.openapi(series, async (context) => {
    const { days, agent_id } = context.req.valid('query');
    const data = await performanceSeries(context.get('person').db, { days, agentId: agent_id });
    return context.json({ data }, 200);
  });

  api.openapi(board, async (context) => {
    const { period } = context.req.valid('query');
    return context.json({ period, data: await leaderboard(context.get('person').db, { period }) }, 200);
  });
}
