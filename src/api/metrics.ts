import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { ApiEnv } from './environment.ts';

/** The API's own figures; a registry an API, so that two in one process don't mix. */
export class ApiMetrics {
  readonly registry = new Registry();
  readonly created = new Counter({
    name: 'floorwalker_interactions_created_total',
    help: 'Interactions created for customers',
    labelNames: ['channel'] as const,
    registers: [this.registry],
  });
  readonly refused = new Counter({
    name: 'floorwalker_api_problems_total',
    help: 'Answers with a problem document, by its code',
    labelNames: ['code'] as const,
    registers: [this.registry],
  });
  readonly decisions = new Counter({
    name: 'floorwalker_permission_decisions_total',
    help: 'Decisions that were the first for their permission',
    labelNames: ['decision'] as const,
    registers: [this.registry],
  });
  readonly doorbells = new Counter({
    name: 'floorwalker_doorbells_total',
    help: 'Doorbells to agents, by whether LiveKit took them',
    labelNames: ['result'] as const,
    registers: [this.registry],
  });
  readonly duration = new Histogram({
    name: 'floorwalker_http_request_duration_seconds',
    help: 'Time from the request to its answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });

  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }
}

/** Labels carry the route's pattern, never the path: an id in a label would make a series of its own. */
export function measureRequests(metrics: ApiMetrics): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const stop = metrics.duration.startTimer();
    await next();
    const route = context.res.status === 404 ? 'unknown or missing' : routePath(context, -1);
    stop({ method: context.req.method, route, status: String(context.res.status) });
    const code = context.get('errorCode');
    if (code !== undefined) metrics.refused.inc({ code });
  };
}
