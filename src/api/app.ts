import { randomUUID } from 'node:crypto';
import { getConnInfo } from '@hono/node-server/conninfo';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { secureHeaders } from 'hono/secure-headers';
import { FloorwalkerError } from '../errors.ts';
import { clientAddress, parseProxies } from './client-address.ts';
import { API_DOCUMENT } from './document.ts';
import type { Api, ApiEnv } from './environment.ts';
import { signedIn } from './identity.ts';
import { measureRequests } from './metrics.ts';
import { crossOrigin } from './origins.ts';
import type { ApiParts } from './parts.ts';
import { invalidRequest, problemResponse } from './problem.ts';
import { addAgentEditingRoutes } from './routes/agent-editing.ts';
import { addAgentRoutes } from './routes/agents.ts';
import { addArchiveRoutes } from './routes/archives.ts';
import { addBusinessRoutes } from './routes/business.ts';
import { addCallbackRoutes } from './routes/callbacks.ts';
import { addControlRoutes } from './routes/control.ts';
import { addCustomerRoutes, CUSTOMER_PATHS } from './routes/customers.ts';
import { addDeletionRoutes } from './routes/deletions.ts';
import { addEventRoutes } from './routes/events.ts';
import { addFloorRoutes } from './routes/floor.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addInteractionRoutes } from './routes/interactions.ts';
import { addMeRoutes } from './routes/me.ts';
import { addPageRoutes } from './routes/pages.ts';
import { addPeopleRoutes } from './routes/people.ts';
import { addPerformanceRoutes } from './routes/performance.ts';
import { addPermissionRoutes } from './routes/permissions.ts';
import { addUnknownCallRoutes } from './routes/unknown-calls.ts';

/** Enough for edited arguments of any tool; what customers write goes through LiveKit, not through here. */
const BODY_LIMIT_BYTES = 64 * 1_024;
/** A prompt of 50,000 characters in any script, and the agent's tools. */
const AGENT_LIMIT_BYTES = 512 * 1_024;
const REQUEST_ID = /^[A-Za-z0-9_-]{8,64}$/;

/** For everything that says nothing stricter or looser of itself; pages bring a policy of their own. */
function guardHeaders(denyFrames: boolean): MiddlewareHandler<ApiEnv> {
  return secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"] },
    xFrameOptions: denyFrames ? 'DENY' : false,
    referrerPolicy: 'no-referrer',
    crossOriginResourcePolicy: 'same-origin',
    overwrite: false,
  });
}

/**
 * The whole HTTP surface under its document; knows nothing of ports.
 *
 * @throws FloorwalkerError `config_invalid`
 */
export function createApi(parts: ApiParts): Api {
  const proxies = parseProxies(parts.settings.api.trustedProxies);
  const app: Api = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error, result.target);
    },
  });

  app.onError((error, context) => problemResponse(context, error));
  app.notFound((context) => problemResponse(context, new FloorwalkerError('not_found')));

  app.use(async (context, next) => {
    const offered = context.req.header('x-request-id') ?? '';
    const requestId = REQUEST_ID.test(offered) ? offered : randomUUID();
    const forwardedFor = context.req.header('x-forwarded-for');
    context.set('requestId', requestId);
    context.set('log', parts.log.child({ requestId }));
    context.set('address', clientAddress(getConnInfo(context).remote.address, forwardedFor, proxies));
    context.header('x-request-id', requestId);
    await next();
  });
  app.use(measureRequests(parts.metrics));
  const [unframed, framed] = [guardHeaders(true), guardHeaders(false)];
  // Who may frame the widget is up to its business, and said in its policy alone.
  app.use((context, next) => (context.req.path.startsWith('/widget/') ? framed : unframed)(context, next));
  // A customer's page on another origin must be able to read the answers made for it.
  for (const path of CUSTOMER_PATHS) app.use(path, crossOrigin(parts.origins, parts.log));
  app.use('/v1/*', async (context, next) => {
    context.header('cache-control', 'no-store');
    const hasBody =
      context.req.header('transfer-encoding') !== undefined ||
      (context.req.header('content-length') ?? '0') !== '0';
    const type = context.req.header('content-type') ?? '';
    if (hasBody && !/^application\/json\s*(;|$)/i.test(type)) {
      throw new FloorwalkerError('unsupported_media_type');
    }
    await next();
    // Whoever watches at this process hears at once of what was changed through it.
    if (context.req.method !== 'GET') parts.events.nudge();
  });
  const limitBody = (maxSize: number) =>
    bodyLimit({
      maxSize,
      onError: (context) => {
        // The rest of the body is not read, so the connection is of no further use.
        context.header('connection', 'close');
        throw new FloorwalkerError('body_too_large', undefined, { details: { limit_bytes: maxSize } });
      },
    });
  const [ordinary, ofAgents] = [limitBody(BODY_LIMIT_BYTES), limitBody(AGENT_LIMIT_BYTES)];
  app.use('/v1/*', (context, next) =>
    (context.req.path.startsWith('/v1/agents/') ? ofAgents : ordinary)(context, next),
  );

  app.openAPIRegistry.registerComponent('securitySchemes', 'publishableKey', {
    type: 'apiKey',
    in: 'header',
    name: 'apikey',
    description: "The installation's publishable key; not a secret.",
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'signedIn', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A Supabase Auth access token of a supervisor or an admin.',
  });

  const person = signedIn(parts.people);
  addHealthRoutes(app, parts);
  addCustomerRoutes(app, parts);
  addInteractionRoutes(app, parts, person);
  addFloorRoutes(app, person);
  addPermissionRoutes(app, parts, person);
  addUnknownCallRoutes(app, parts, person);
  addControlRoutes(app, parts, person);
  addCallbackRoutes(app, person);
  addAgentRoutes(app, person);
  addDeletionRoutes(app, person);
  addEventRoutes(app, parts, person);
  addPageRoutes(app, parts);
  addAgentEditingRoutes(app, person);
  addArchiveRoutes(app, parts, person);
  addMeRoutes(app, person);
  addPerformanceRoutes(app, person);
  addPeopleRoutes(app, parts, person);
  addBusinessRoutes(app, person);

  app.doc31('/openapi.json', API_DOCUMENT);
  return app;
}
