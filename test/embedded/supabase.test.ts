import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setupDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db.stop());

describe('the embedded Supabase', () => {
  test('fixtures give a business, an agent and a signed-in supervisor who sees the agent', async () => {
    const business = await db.createBusiness();
    const supervisor = await db.createUser({ businessId: business.id });
    const agent = await db.createAgent({ businessId: business.id, supervisorId: supervisor.id });
    const { data, error } = await supervisor.client.from('agents').select('id, slug');
    expect(error).toBeNull();
    expect(data).toEqual([{ id: agent.id, slug: agent.slug }]);
  });

  test('without a key nothing is answered', async () => {
    const response = await fetch(`${db.supabaseUrl}/rest/v1/businesses`);
    expect(response.status).toBe(401);
  });

  test('a user made by the admin API can sign in, be changed, be listed and be deleted', async () => {
    const { admin } = db.service.auth;
    const email = `${crypto.randomUUID()}@example.com`;
    const made = await admin.createUser({ email, password: 'first-secret', email_confirm: true });
    const id = made.data.user?.id ?? '';
    expect(made.error).toBeNull();
    expect((await admin.createUser({ email, password: 'other-secret' })).error?.code).toBe('email_exists');
    expect((await admin.updateUserById(id, { password: 'second-secret' })).error).toBeNull();
    const wrong = await db.anonymous.auth.signInWithPassword({ email, password: 'first-secret' });
    expect(wrong.error).not.toBeNull();
    const right = await db.anonymous.auth.signInWithPassword({ email, password: 'second-secret' });
    expect(right.data.user?.id).toBe(id);
    const listed = await admin.listUsers();
    expect(listed.data.users.map((user) => user.id)).toContain(id);
    expect((await admin.deleteUser(id)).error).toBeNull();
    expect((await admin.getUserById(id)).error?.status).toBe(404);
  });

  test('the admin API refuses the publishable key', async () => {
    const { error } = await db.anonymous.auth.admin.listUsers();
    expect(error?.status).toBe(401);
  });

  test('a stranger cannot make an account', async () => {
    const { error } = await db.anonymous.auth.signUp({
      email: 'stranger@example.com',
      password: 'secret-secret',
    });
    expect(error?.code).toBe('signup_disabled');
  });

  test.each([
    ['POST', '/auth/v1/token?grant_type=password'],
    ['POST', '/auth/v1/token?grant_type=refresh_token'],
    ['GET', '/auth/v1/user'],
    ['POST', '/auth/v1/logout'],
    ['POST', '/auth/v1/factors'],
  ])('a page of another origin may ask %s %s, as supabase-js does', async (method, path) => {
    const asked = 'apikey, authorization, content-type, x-client-info, x-supabase-api-version';
    const preflight = await fetch(`${db.supabaseUrl}${path}`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://127.0.0.1:8080',
        'access-control-request-method': method,
        'access-control-request-headers': asked,
      },
    });
    expect(preflight.ok).toBe(true);
    const list = (name: string) => (preflight.headers.get(name) ?? '').toLowerCase().split(/,\s*/);
    expect(['*', 'http://127.0.0.1:8080']).toContain(list('access-control-allow-origin')[0]);
    expect(list('access-control-allow-methods')).toContain(method.toLowerCase());
    expect(list('access-control-allow-headers')).toEqual(expect.arrayContaining(asked.split(', ')));
    const refused = await fetch(`${db.supabaseUrl}${path}`, {
      method,
      headers: { origin: 'http://127.0.0.1:8080', apikey: db.publishableKey },
    });
    expect(['*', 'http://127.0.0.1:8080']).toContain(refused.headers.get('access-control-allow-origin'));
  });

  test('a forged token is refused', async () => {
    const header = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');
    const claims = Buffer.from(
      JSON.stringify({ role: 'service_role', sub: crypto.randomUUID(), exp: 4_000_000_000 }),
    ).toString('base64url');
    const response = await fetch(`${db.supabaseUrl}/rest/v1/businesses`, {
      headers: { apikey: db.publishableKey, authorization: `Bearer ${header}.${claims}.c2lnbmF0dXJl` },
    });
    expect(response.status).toBe(401);
  });

  test('a table made later is reachable after "notify pgrst"', async () => {
    await db.sql`drop table if exists public.made_later`;
    await db.sql`create table public.made_later (id int)`;
    await db.sql`notify pgrst, 'reload schema'`;
    await expect
      .poll(async () => (await db.service.from('made_later').select()).error, { timeout: 20_000 })
      .toBeNull();
  });
});
