import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiServer } from '../../src/api/server.ts';
import { createLog } from '../../src/log.ts';
import type { Agent } from '../support/fixtures.ts';
import { apiSettings, type Floor, setupFloor, startApi } from './support.ts';

let floor: Floor;
let agent: Agent;
beforeAll(async () => {
  floor = await setupFloor();
  const business = await floor.database.createBusiness();
  agent = await floor.database.createAgent({ businessId: business.id });
});
afterAll(() => floor?.stop());

const settings = (overrides: Parameters<typeof apiSettings>[2] = {}) =>
  apiSettings(floor.database, floor.livekit, overrides);
const log = createLog({ level: 'silent' });

describe('start and stop', () => {
  it('may be repeated, in any order', async () => {
    const never = new ApiServer(settings(), log);
    await never.stop();
    await never.stop();
    await expect(never.start()).rejects.toThrow(/stopped/);

    const server = new ApiServer(settings(), log);
    const [first, second] = await Promise.all([server.start(), server.start()]);
    expect(second).toEqual(first);
    await Promise.all([server.stop(), server.stop()]);
    await expect(fetch(`http://127.0.0.1:${first.port}/healthz`)).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${first.metricsPort}/metrics`)).rejects.toThrow();
  });

  it('stops cleanly while it is still starting', async () => {
    const server = new ApiServer(settings(), log);
    const starting = server.start();
    await server.stop();
    const { port } = await starting;
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  it('finishes a request that is under way', async () => {
    const api = await startApi(settings());
    const answer = api.call('/v1/interactions', { body: { agent_id: agent.id, channel: 'chat' }, key: true });
    // The request is on its way once the connection is; stopping must wait for its answer.
    await fetch(`${api.url}/healthz`);
    await api.stop();
    expect((await answer).status).toBe(201);
  });

  it('says which setting to change when a port is taken, and leaves the other one free', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const taken = new ApiServer(settings({ api: { metricsPort: port } }), log);
      await expect(taken.start()).rejects.toMatchObject({
        code: 'cannot_listen',
        remedy: expect.stringContaining('METRICS_PORT'),
      });
      await taken.stop();
    } finally {
      other.close();
    }
  });

  it('does not start without the publishable key that customers send', async () => {
    const server = new ApiServer(settings({ supabase: { publishableKey: undefined } }), log);
    await expect(server.start()).rejects.toMatchObject({ code: 'config_invalid' });
    await server.stop();
  });
});

describe('health', () => {
  it('is alive and ready when database and media server answer', async () => {
    expect((await floor.api.call('/healthz')).body).toEqual({ status: 'ok' });
    const { status, body } = await floor.api.call('/readyz');
    expect([status, body]).toEqual([
      200,
      { ready: true, checks: { database: 'ok', media: 'ok', draining: false } },
    ]);
  });

  it('is alive but not ready, and says which part fails', async () => {
    const withoutMedia = await startApi(settings({ livekit: { url: 'ws://127.0.0.1:9' } }));
    const withoutDatabase = await startApi(settings({ supabase: { url: 'http://127.0.0.1:9' } }));
    try {
      expect((await withoutMedia.call('/healthz')).status).toBe(200);
      const media = await withoutMedia.call('/readyz');
      expect([media.status, media.body.checks]).toEqual([
        503,
        { database: 'ok', media: 'failed', draining: false },
      ]);
      const database = await withoutDatabase.call('/readyz');
      expect([database.status, database.body.checks]).toEqual([
        503,
        { database: 'failed', media: 'ok', draining: false },
      ]);
    } finally {
      await withoutMedia.stop();
      await withoutDatabase.stop();
    }
  });
});

describe('metrics', () => {
  it('are on their own port only, by route and not by path', async () => {
    const api = await startApi(settings());
    try {
      await api.call(`/v1/interactions/${crypto.randomUUID()}`, { token: 'abc' });
      await api.call('/v1/interactions', { body: { agent_id: agent.id, channel: 'chat' }, key: true });
      expect((await api.call('/metrics')).status).toBe(404);
      const response = await fetch(`${api.metricsUrl}/metrics`);
      expect(response.headers.get('content-type')).toContain('text/plain');
      const text = await response.text();
      expect(text).toContain('floorwalker_interactions_created_total{channel="chat"} 1');
      expect(text).toContain('floorwalker_api_problems_total{code="unauthenticated"} 1');
      expect(text).toMatch(/route="\/v1\/interactions\/:id",status="401"/);
      expect(text).toContain('process_resident_memory_bytes');
      expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
      expect((await fetch(`${api.metricsUrl}/v1/interactions`)).status).toBe(404);
    } finally {
      await api.stop();
    }
  });
});

describe('every answer', () => {
  it('carries headers that keep a browser from doing anything with it', async () => {
    const { headers } = await floor.api.call('/v1/interactions', { key: true });
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a failure of ours', () => {
  it('is told with its request id, and nothing of what the database said', async () => {
    const { database, api } = floor;
    const business = await database.createBusiness();
    const person = await database.createUser({ businessId: business.id });
    await database.sql`alter table agents rename column version to something_else`;
    await database.sql`notify pgrst, 'reload schema'`;
    try {
      const { status, body } = await api.call('/v1/agents', { token: person.accessToken });
      expect([status, body.code]).toEqual([500, 'database_error']);
      expect(body.request_id).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.stringify(body)).not.toMatch(/version|column|42703|PGRST|read/);
    } finally {
      await database.sql`alter table agents rename column something_else to version`;
      await database.sql`notify pgrst, 'reload schema'`;
    }
  });
});
