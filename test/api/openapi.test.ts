import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createApi } from '../../src/api/app.ts';
import { assembleParts } from '../../src/api/assemble.ts';
import { ERROR_CATALOGUE } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { type ApiDocument, apiSettings, startApi, type TestApi } from './support.ts';

const contentSchema = z.record(z.string(), z.looseObject({ schema: z.unknown() }));
const PLACE = { supabaseUrl: 'http://127.0.0.1:9', secretKey: 'secret', publishableKey: 'publishable' };

let api: TestApi;
let document: ApiDocument;
beforeAll(async () => {
  api = await startApi(apiSettings(PLACE, setupLiveKit()));
  document = api.document;
});
afterAll(() => api?.stop());

/** The document itself, and pages: HTML and its files, for browsers. */
const NOT_DESCRIBED = new Set([
  'get /openapi.json',
  ...['console', 'try'].flatMap((page) => [`get /${page}`, `get /${page}/*`]),
  'get /widget.js',
  'get /widget/*',
]);

/** The routes as the server really has them. */
function registeredRoutes(): string[] {
  const settings = apiSettings(PLACE, setupLiveKit());
  const app = createApi(assembleParts(settings, createLog({ level: 'silent' })));
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`);
  return [...new Set(routes)].filter((route) => !NOT_DESCRIBED.has(route)).sort();
}

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method} ${path}`,
      path,
      method,
      operation,
    })),
  );

describe('the OpenAPI document', () => {
  it('is version 3.1 and describes every route, and no route that is not there', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(
      operations()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(registeredRoutes());
  });

  it('has the routes of the public contract', () => {
    expect(operations().map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'post /v1/interactions',
        'post /v1/interactions/{id}/rejoin',
        'post /v1/interactions/{id}/leave',
        'post /v1/interactions/{id}/rating',
        'get /v1/interactions',
        'get /v1/interactions/{id}',
        'get /v1/interactions/{id}/messages',
        'get /v1/interactions/{id}/steps',
        'post /v1/interactions/{id}/end',
        'post /v1/interactions/{id}/disposition',
        'get /v1/permissions',
        'post /v1/permissions/{id}/decision',
        'get /v1/agents',
        'get /v1/performance',
        'get /v1/me',
        'get /v1/performance/agents',
        'get /v1/performance/series',
        'get /v1/leaderboard',
        'get /v1/people',
        'post /v1/people',
        'patch /v1/people/{id}',
        'delete /v1/people/{id}',
        'patch /v1/agents/{id}/assignment',
        'get /v1/business',
        'patch /v1/business',
        'get /v1/audit',
        'get /v1/public/agents',
        'get /v1/archives',
        'get /v1/archives/{id}',
        'get /v1/archives/{id}/export',
        'get /v1/agents/{id}',
        'put /v1/agents/{id}',
        'get /v1/agents/{id}/versions',
        'post /v1/agents/{id}/rollback',
        'get /healthz',
        'get /readyz',
      ]),
    );
  });

  it('says for every route under /v1 how one is let in, and that errors are problem documents', () => {
    for (const { name, path, operation } of operations()) {
      if (!path.startsWith('/v1/')) continue;
      expect(operation, name).toHaveProperty('security');
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        expect(Object.keys(response.content ?? {}), `${name} ${status}`).toEqual([
          'application/problem+json',
        ]);
      }
    }
  });

  it('names each schema once, so that a client can be generated from it', () => {
    const { schemas } = z.object({ schemas: z.record(z.string(), z.unknown()) }).parse(document.components);
    expect(Object.keys(schemas)).toEqual(
      expect.arrayContaining([
        'Interaction',
        'InteractionDetail',
        'Message',
        'Step',
        'Permission',
        'Problem',
        'Agent',
      ]),
    );
    for (const { name, operation } of operations()) {
      for (const response of Object.values(operation.responses)) {
        for (const { schema } of Object.values(contentSchema.parse(response.content ?? {}))) {
          expect(schema, name).toEqual({ $ref: expect.stringMatching(/^#\/components\/schemas\/\w+$/) });
        }
      }
    }
  });
});

describe('a problem document', () => {
  it('has a code of the catalogue, its remedy, and the request’s id', async () => {
    const { status, headers, body } = await api.call('/v1/nothing-here', {
      headers: { 'x-request-id': 'my-request-0001' },
    });
    expect(status).toBe(404);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toEqual({
      type: 'urn:floorwalker:error:not_found',
      title: ERROR_CATALOGUE.not_found.title,
      status: 404,
      detail: ERROR_CATALOGUE.not_found.title,
      code: 'not_found',
      remedy: ERROR_CATALOGUE.not_found.remedy,
      request_id: 'my-request-0001',
    });
    expect(headers.get('x-request-id')).toBe('my-request-0001');
  });

  it('does not repeat a request id that could forge a log line', async () => {
    const { body } = await api.call('/v1/nothing-here', { headers: { 'x-request-id': 'a b"\t{}' } });
    expect(body.request_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('says nothing of the inside when the database is away', async () => {
    const { status, body } = await api.call('/v1/interactions', {
      body: { agent_id: crypto.randomUUID(), channel: 'chat' },
      key: true,
    });
    expect([status, body.code]).toEqual([503, 'database_unavailable']);
    expect(JSON.stringify(body)).not.toMatch(/create_interaction|127\.0\.0\.1|fetch/);
  });
});
