import { randomUUID } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startInteraction } from '../database/floor.ts';
import type { Business, Person } from '../support/fixtures.ts';
import { type Answer, type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let business: Business;
let admin: Person;
let supervisor: Person;
let strangeAdmin: Person;
beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness();
  const other = await database.createBusiness();
  const businessId = business.id;
  [admin, supervisor, strangeAdmin] = await Promise.all([
    database.createUser({ businessId, role: 'admin', name: 'Ada' }),
    database.createUser({ businessId, name: 'Sam' }),
    database.createUser({ businessId: other.id, role: 'admin' }),
  ]);
});
afterAll(() => floor?.stop());

const call = (path: string, as: Person, body?: unknown, method?: string): Promise<Answer> =>
  floor.api.call(path, {
    token: as.accessToken,
    ...(body === undefined ? {} : { body }),
    ...(method === undefined ? {} : { method }),
  });
const newSupervisor = (given: Record<string, unknown> = {}) => ({
  email: `${randomUUID()}@example.com`,
  name: 'New Person',
  role: 'supervisor',
  username: randomUUID(),
  supervisor_type: 'chat',
  ...given,
});
const patch = (id: string, change: unknown, as = admin) => call(`/v1/people/${id}`, as, change, 'PATCH');
const remove = (id: string, as = admin) => call(`/v1/people/${id}`, as, undefined, 'DELETE');
const assign = (id: string, change: unknown, as = admin) =>
  call(`/v1/agents/${id}/assignment`, as, change, 'PATCH');
const person = (given: Partial<Parameters<Floor['database']['createUser']>[0]> = {}) =>
  floor.database.createUser({ businessId: business.id, ...given });
const supervised = (by: Person, given: object = {}) =>
  floor.database.createAgent({ businessId: business.id, supervisorId: by.id, ...given });

describe('the list of people', () => {
  it('says who there is and which agents they have, and shows those who were removed when asked', async () => {
    const [boss, gone] = [await person(), await person()];
    const agent = await supervised(boss, { coverId: supervisor.id, name: 'Anna' });
    await remove(gone.id);
    const { body } = await call('/v1/people', admin);
    const byId = new Map(body.data.map((row) => [row.id, row]));
    expect(byId.get(boss.id)).toMatchObject({
      email: boss.email,
      role: 'supervisor',
      supervisor_type: 'chat',
      agents: [{ id: agent.id, name: 'Anna', covering: false }],
    });
    expect(byId.get(supervisor.id)?.agents).toEqual([{ id: agent.id, name: 'Anna', covering: true }]);
    expect(byId.has(gone.id)).toBe(false);
    expect(byId.has(strangeAdmin.id)).toBe(false);
    const all = await call('/v1/people?removed=true', admin);
    expect(all.body.data.map(({ id }) => id)).toContain(gone.id);
  });
});

describe('a new person', () => {
  it('can sign in with the one-time password, and the admin is named in the audit log', async () => {
    const wanted = newSupervisor();
    const { status, body } = await call('/v1/people', admin, wanted);
    expect([status, body]).toMatchObject([
      201,
      { access: 'password', person: { email: wanted.email, username: wanted.username, agents: [] } },
    ]);
    const client = createClient(floor.database.supabaseUrl, floor.database.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const signedIn = await client.auth.signInWithPassword({
      email: wanted.email,
      password: String(body.one_time_password),
    });
    expect(signedIn.error).toBeNull();
    const me = await floor.api.call('/v1/me', { token: signedIn.data.session?.access_token ?? '' });
    expect(me.body).toMatchObject({ username: wanted.username, business: { id: business.id } });
    const [audited] = await floor.database.sql`
      select actor_id, action, details from audit_events where subject_id = ${me.body.id}`;
    expect(audited).toMatchObject({ actor_id: admin.id, action: 'person.created' });
    expect(JSON.stringify(audited)).not.toContain(String(body.one_time_password));
  });

  it('who was removed comes back with their account', async () => {
    const gone = await person();
    await remove(gone.id);
    const { status, body } = await call(
      '/v1/people',
      admin,
      newSupervisor({ email: gone.email, name: 'Back' }),
    );
    expect([status, body.access, body.one_time_password]).toEqual([201, 'existing', null]);
    expect(body.person).toMatchObject({ id: gone.id, name: 'Back', deleted_at: null });
  });

  it.each([
    ['is there already', () => ({ email: supervisor.email }), 'person_exists'],
    ['belongs to another business', () => ({ email: strangeAdmin.email }), 'user_of_another_business'],
  ])('who %s is refused', async (_, given, code) => {
    const { status, body } = await call('/v1/people', admin, newSupervisor(given()));
    expect([status, body.code]).toEqual([409, code]);
  });

  it('with a username that is taken gets no account', async () => {
    const first = newSupervisor();
    await call('/v1/people', admin, first);
    const second = newSupervisor({ username: first.username });
    expect((await call('/v1/people', admin, second)).body.code).toBe('username_taken');
    const accounts = await floor.database.sql`select from auth.users where email = ${second.email}`;
    expect(accounts).toHaveLength(0);
  });

  it.each([
    ['a supervisor without a type', { supervisor_type: null }],
    ['an admin with a username', { role: 'admin' }],
    ['no address', { email: 'nowhere' }],
    ['a business of their own choice', { business_id: randomUUID() }],
  ])('with %s is refused', async (_, given) => {
    const { status, body } = await call('/v1/people', admin, newSupervisor(given));
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it('is a member of the admin’s business with the address that Auth knows, whatever the database is told', async () => {
    const { data } = await floor.database.service.auth.admin.createUser({
      email: `${randomUUID()}@example.com`,
      password: randomUUID(),
      email_confirm: true,
    });
    const forged = {
      ...newSupervisor({ email: 'forged@example.com' }),
      id: data.user?.id,
      business_id: strangeAdmin.businessId,
    };
    const { error } = await admin.client.rpc('add_person', { p_person: forged });
    expect(error).toBeNull();
    const [row] = await floor.database
      .sql`select email, business_id from users where id = ${String(data.user?.id)}`;
    expect(row).toEqual({ email: data.user?.email, business_id: business.id });
  });

  it.each([
    ['works for another business', false],
    ['was removed from another business', true],
  ])('who %s is refused too when Auth knows them by a new address', async (_, removed) => {
    const { id: elsewhere } = await floor.database.createBusiness();
    const [boss, worker] = await Promise.all([
      floor.database.createUser({ businessId: elsewhere, role: 'admin' }),
      floor.database.createUser({ businessId: elsewhere, name: 'Wim' }),
    ]);
    if (removed) expect((await remove(worker.id, boss)).status).toBe(204);
    const profile = () => floor.database.sql`select * from users where id = ${worker.id}`;
    const before = await profile();
    // Everybody may change their own address with Auth; the profile keeps the one they were added with.
    const email = `${randomUUID()}@example.com`;
    await floor.database.sql`update auth.users set email = ${email} where id = ${worker.id}`;
    const wanted = { email, name: 'Wim', role: 'admin', username: null, supervisor_type: null };
    const { status, body } = await call('/v1/people', admin, wanted);
    expect([status, body.code]).toEqual([409, 'user_of_another_business']);
    const direct = await admin.client.rpc('add_person', { p_person: { ...wanted, id: worker.id } });
    expect(direct.error?.message).toBe('user_of_another_business');
    expect(await profile()).toEqual(before);
  });

  it('who works here already stays what they are, whatever address Auth knows by now', async () => {
    const colleague = await person({ name: 'Kim' });
    const email = `${randomUUID()}@example.com`;
    await floor.database.sql`update auth.users set email = ${email} where id = ${colleague.id}`;
    const { status, body } = await call('/v1/people', admin, newSupervisor({ email }));
    expect([status, body.code]).toEqual([409, 'person_exists']);
    const [row] = await floor.database.sql`select name from users where id = ${colleague.id}`;
    expect(row?.name).toBe('Kim');
  });
});

describe('a change of a person', () => {
  it('changes what is named and nothing else', async () => {
    const one = await person();
    const { status, body } = await patch(one.id, { name: 'Renamed' });
    expect([status, body]).toMatchObject([
      200,
      { name: 'Renamed', supervisor_type: 'chat', role: 'supervisor' },
    ]);
    const promoted = await patch(one.id, { role: 'admin' });
    expect(promoted.body).toMatchObject({ role: 'admin', username: null, supervisor_type: null });
    expect((await patch(one.id, { role: 'supervisor' })).body.code).toBe('invalid_request');
    const back = await patch(one.id, {
      role: 'supervisor',
      username: randomUUID(),
      supervisor_type: 'voice',
    });
    expect(back.body).toMatchObject({ role: 'supervisor', supervisor_type: 'voice' });
  });

  it('of type, while there are agents, is refused and says which', async () => {
    const one = await person();
    const agent = await supervised(one, { name: 'Otto' });
    const { status, body } = await patch(one.id, { supervisor_type: 'voice' });
    expect([status, body.code, body.agents]).toEqual([
      409,
      'supervisor_has_agents',
      [{ id: agent.id, name: 'Otto' }],
    ]);
  });

  it('leaves an admin, also when two demote each other at once', async () => {
    const shop = await floor.database.createBusiness();
    const [one, two] = await Promise.all(
      ['One', 'Two'].map((name) => floor.database.createUser({ businessId: shop.id, role: 'admin', name })),
    );
    if (!one || !two) throw new Error('two admins are needed');
    const demotion = () => ({ role: 'supervisor', username: randomUUID(), supervisor_type: 'chat' });
    const answers = await Promise.all([patch(two.id, demotion(), one), patch(one.id, demotion(), two)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
    const [last] = await floor.database.sql<{ id: string }[]>`
      select id from users where business_id = ${shop.id} and role = 'admin' and deleted_at is null`;
    const survivor = last?.id === one.id ? one : two;
    const self = await patch(survivor.id, demotion(), survivor);
    expect([self.status, self.body.code]).toEqual([409, 'last_admin']);
  });
});

describe('removing a person', () => {
  it('ends what they may see, and they are no agent’s cover any more', async () => {
    const one = await person();
    const agent = await supervised(supervisor, { coverId: one.id });
    expect((await remove(one.id)).status).toBe(204);
    const { data } = await one.client.from('interactions').select('id');
    expect(data).toEqual([]);
    const [row] = await floor.database.sql`select cover_id from agents where id = ${agent.id}`;
    expect(row?.cover_id).toBeNull();
    await floor.database.sql`update agents set deleted_at = now() where id = ${agent.id}`;
  });

  it('is refused while they have agents, and says which', async () => {
    const one = await person();
    const agent = await supervised(one, { name: 'Anna' });
    const { status, body } = await remove(one.id);
    expect([status, body.code, body.agents]).toEqual([
      409,
      'supervisor_has_agents',
      [{ id: agent.id, name: 'Anna' }],
    ]);
    expect(body.detail).toContain('Anna');
  });

  it('is refused while they speak with a customer', async () => {
    const [one, cover] = [await person(), await person()];
    const agent = await supervised(one, { coverId: cover.id });
    const { id } = await startInteraction(floor.database.service, agent);
    await floor.database.sql`
      update interactions set control = 'supervisor', controlled_by = ${cover.id}, control_changed_at = now() where id = ${id}`;
    const { status, body } = await remove(cover.id);
    expect([status, body.code, body.interaction_ids]).toEqual([409, 'person_in_control', [id]]);
  });

  it('is not done by oneself', async () => {
    expect((await remove(admin.id)).body.code).toBe('not_allowed');
  });
});

describe('who supervises and covers an agent', () => {
  it('is changed as a version of the agent', async () => {
    const [one, two] = [await person(), await person()];
    const agent = await supervised(one);
    const { status, body } = await assign(agent.id, { supervisor_id: two.id, cover_id: one.id });
    expect([status, body.supervisor_id, body.cover_id]).toEqual([200, two.id, one.id]);
    const versions = await call(`/v1/agents/${agent.id}/versions`, admin);
    expect(versions.body.data[0]).toMatchObject({ source: 'assignment', changed_by_name: 'Ada' });
    expect((await assign(agent.id, { cover_id: null })).body.cover_id).toBeNull();
  });

  it('is refused for a fourth agent, another type, another business and the same person twice', async () => {
    const [full, free, voice] = [await person(), await person(), await person({ supervisorType: 'voice' })];
    for (let n = 0; n < 3; n += 1) await supervised(full);
    const agent = await supervised(free);
    const cases = [
      [{ supervisor_id: full.id }, 409, 'too_many_agents'],
      [{ supervisor_id: voice.id }, 422, 'supervisor_invalid'],
      [{ supervisor_id: strangeAdmin.id }, 422, 'supervisor_invalid'],
      [{ cover_id: voice.id }, 422, 'cover_invalid'],
      [{ cover_id: free.id }, 422, 'cover_invalid'],
    ] as const;
    for (const [change, status, code] of cases) {
      const answer = await assign(agent.id, change);
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.body.detail).toMatch(/^[A-Z].+\.$/);
    }
  });
});

describe('a mere supervisor, another business and nobody', () => {
  it('can not administer people, neither through the API nor past it', async () => {
    const one = await person();
    const agent = await supervised(one);
    const wanted = newSupervisor();
    for (const as of [supervisor, one]) {
      const answers = await Promise.all([
        call('/v1/people', as),
        call('/v1/people', as, wanted),
        patch(one.id, { role: 'admin' }, as),
        remove(one.id, as),
        assign(agent.id, { cover_id: null }, as),
      ]);
      expect(answers.map(({ body }) => body.code)).toEqual(Array(5).fill('not_allowed'));
      for (const [name, args] of [
        ['check_person', { p_person: wanted }],
        ['add_person', { p_person: { ...wanted, id: one.id } }],
        ['change_person', { p_user_id: as.id, p_change: { role: 'admin' } }],
        ['deactivate_person', { p_user_id: one.id }],
        ['assign_agent', { p_agent_id: agent.id, p_change: {} }],
      ] as const) {
        expect((await as.client.rpc(name, args)).error?.message, name).toBe('not_allowed');
      }
    }
    const strange = await Promise.all([
      patch(one.id, { name: 'x' }, strangeAdmin),
      remove(one.id, strangeAdmin),
      assign(agent.id, { cover_id: null }, strangeAdmin),
    ]);
    expect(strange.map(({ body }) => body.code)).toEqual([
      'user_not_found',
      'user_not_found',
      'agent_not_found',
    ]);
    const accounts = await floor.database.sql`select from auth.users where email = ${wanted.email}`;
    expect(accounts).toHaveLength(0);
    expect((await floor.api.call('/v1/people')).status).toBe(401);
  });
});
