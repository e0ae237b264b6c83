import type { RouteConfig } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Api, ApiEnv } from '../environment.ts';

/** Who may call comes before what was sent: a stranger learns nothing about the form of a request. */
export function guard(
  api: Api,
  route: RouteConfig & { getRoutingPath(): string },
  check: MiddlewareHandler<ApiEnv>,
): void {
  api.on([route.method.toUpperCase()], [route.getRoutingPath()], check);
}
