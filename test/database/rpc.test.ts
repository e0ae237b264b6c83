import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createServiceClient, createUserClient } from '../../src/database/client.ts';
import { readMigrations } from '../../src/database/migrate.ts';
import { schemaVersion } from '../../src/database/retention.ts';
import { callFunction } from '../../src/database/rpc.ts';
import { storable } from '../../src/database/storable.ts';
import { ERROR_CATALOGUE } from '../../src/errors.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

describe('calling a database function', () => {
  it('gives an error of the catalogue with its sentence and facts', async () => {
    const supervisor = await db.createUser({ businessId: (await db.createBusiness()).id });
    for (let n = 0; n < 3; n += 1)
      await db.createAgent({ businessId: supervisor.businessId, supervisorId: supervisor.id });
    const [business] = await db.sql<
      { slug: string }[]
    >`select slug from businesses where id = ${supervisor.businessId}`;
    const definition = {
      business_slug: business?.slug,
      slug: 'x',
      name: 'X',
      agent_type: 'chat',
      system_prompt: 'p',
      supervisor: supervisor.email,
      tools: [],
    };
    await expect(
      callFunction(db.service, 'apply_agent', { p_definition: definition }, z.unknown()),
    ).rejects.toMatchObject({
      code: 'too_many_agents',
      status: 409,
      message: expect.stringMatching(/already has three agents/),
      details: { supervisor_id: supervisor.id },
    });
  });

  it('says when the server can not be reached, or fails in front of the database', async () => {
    const nobody = createServiceClient({ url: 'http://127.0.0.1:1', secretKey: 'x' });
    await expect(schemaVersion(nobody)).rejects.toMatchObject({ code: 'database_unavailable', status: 503 });
    let status = 503;
    const broken = createServer((_, response) =>
      response.writeHead(status).end('<html>upstream down</html>'),
    );
    await new Promise<void>((listening) => broken.listen(0, '127.0.0.1', listening));
    const { port } = broken.address() as AddressInfo;
    const client = createServiceClient({ url: `http://127.0.0.1:${port}`, secretKey: 'x' });
    // The last two are what a CDN says when it has no connection to the server.
    for (status of [503, 504, 521, 522])
      await expect(schemaVersion(client)).rejects.toMatchObject({ code: 'database_unavailable' });
    await new Promise((closed) => broken.close(closed));
  });

  it('tells a missing right, a missing person and a missing function apart', async () => {
    // PostgREST answers 401 where nobody is signed in: signing in is what would help.
    await expect(schemaVersion(db.anonymous)).rejects.toMatchObject({ code: 'unauthenticated' });
    const person = await db.createUser({ businessId: (await db.createBusiness()).id });
    const attempt = callFunction(person.client, 'expire_permissions', {}, z.unknown());
    await expect(attempt).rejects.toMatchObject({ code: 'not_allowed', status: 403 });
    const forged = createUserClient(
      { url: db.supabaseUrl, publishableKey: db.publishableKey },
      'not.a.token',
    );
    await expect(schemaVersion(forged)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(callFunction(db.service, 'no_such_function', {}, z.unknown())).rejects.toMatchObject({
      code: 'schema_outdated',
    });
  });

  it('refuses an answer of another form', async () => {
    await expect(callFunction(db.service, 'schema_version', {}, z.string())).rejects.toMatchObject({
      code: 'database_error',
    });
  });

  it('needs a publishable key to act as a person', () => {
    const make = () => createUserClient({ url: db.supabaseUrl, publishableKey: undefined }, 'token');
    expect(make).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});

describe('the codes that migrations raise', () => {
  it('are all in the catalogue', async () => {
    const migrations = await readMigrations();
    const codes = migrations.flatMap(({ sql }) =>
      [...sql.matchAll(/floorwalker\.fail\(\s*'(\w+)'/g)].map(([, code]) => code ?? ''),
    );
    expect(codes.length).toBeGreaterThan(30);
    expect(codes.filter((code) => !Object.hasOwn(ERROR_CATALOGUE, code))).toEqual([]);
  });
});

describe('what is sent', () => {
  it('is made storable at any depth', () => {
    const given = { 'a\u0000': ['x\ud800', { b: 'ok\u0000', c: 1, d: null, e: undefined }] };
    expect(storable(given)).toEqual({ a: ['x\ufffd', { b: 'ok', c: 1, d: null }] });
  });
});
