import { createRoute } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { meSchema } from '../admin-schemas.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { readMe } from '../reads/me.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const me = createRoute({
  method: 'get',
  path: '/v1/me',
  tags: ['People'],
  summary: 'Who is signed in, and with which agents',
  security: [{ signedIn: [] }],
  responses: {
    200: { description: 'The person', content: { 'application/json': { schema: meSchema } } },
    ...problems(401, 403, 404, 503),
  },
});

export function addMeRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  guard(api, me, person);
  api.openapi(me, async (context) => context.json(await readMe(context.get('person')), 200));
}
