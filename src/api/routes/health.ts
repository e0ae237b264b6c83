import { createRoute, z } from '@hono/zod-openapi';
import type { Api } from '../environment.ts';
import type { ApiParts } from '../parts.ts';

const verdictSchema = z.enum(['ok', 'failed']);
const readinessSchema = z
  .object({
    ready: z.boolean(),
    checks: z.object({ database: verdictSchema, media: verdictSchema, draining: z.boolean() }),
  })
  .openapi('Readiness');

const healthz = createRoute({
  method: 'get',
  path: '/healthz',
  tags: ['Operation'],
  summary: 'The process is alive',
  responses: {
    200: {
      description: 'Alive',
      content: { 'application/json': { schema: z.object({ status: z.literal('ok') }).openapi('Health') } },
    },
  },
});

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  tags: ['Operation'],
  summary: 'The process reaches what it needs and takes requests',
  responses: {
    200: { description: 'Ready', content: { 'application/json': { schema: readinessSchema } } },
    503: {
      description: 'Not ready; the checks say which part',
      content: { 'application/json': { schema: readinessSchema } },
    },
  },
});

export function addHealthRoutes(api: Api, { health }: ApiParts): void {
  api.openapi(healthz, (context) => context.json({ status: 'ok' as const }, 200));
  api.openapi(readyz, async (context) => {
    const readiness = await health.readiness();
    return context.json(readiness, readiness.ready ? 200 : 503);
  });
}
