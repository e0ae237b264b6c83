import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentDefinition, applyAgent } from '../../src/database/agents.ts';
import { createBusiness, registerUser } from '../../src/database/people.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

const slug = () => `s-${randomUUID().slice(0, 8)}`;

describe('a business', () => {
  it('is made once', async () => {
    const given = {
      name: 'Shop',
      slug: slug(),
      time_zone: 'Europe/Amsterdam',
      allowed_origins: ['https://shop.example'],
      tag_vocabulary: { issues: ['refund'] },
    };
    const first = await createBusiness(db.service, given);
    expect(first.created).toBe(true);
    expect(await createBusiness(db.service, { ...given, name: 'Other' })).toEqual({
      business_id: first.business_id,
      created: false,
    });
    const [row] =
      await db.sql`select name, allowed_origins, tag_vocabulary from businesses where id = ${first.business_id}`;
    expect(row).toEqual({
      name: 'Shop',
      allowed_origins: ['https://shop.example'],
      tag_vocabulary: { topics: [], issues: ['refund'] },
    });
  });

  it('has a time zone that exists', async () => {
    const attempt = createBusiness(db.service, { name: 'Shop', slug: slug(), time_zone: 'Europe/Nowhere' });
    await expect(attempt).rejects.toMatchObject({ code: 'invalid_time_zone' });
  });
});

describe('a person', () => {
  async function authUser(): Promise<{ id: string; email: string }> {
    const email = `${slug()}@example.com`;
    const { data, error } = await db.service.auth.admin.createUser({
      email,
      password: randomUUID(),
      email_confirm: true,
    });
    if (error) throw error;
    return { id: data.user.id, email };
  }

  it('is registered beside the Auth user, and updated the second time', async () => {
    const business = await db.createBusiness();
    const user = {
      ...(await authUser()),
      business_slug: business.slug,
      role: 'supervisor' as const,
      name: 'Sam',
      username: 'sam',
      supervisor_type: 'chat' as const,
    };
    expect(await registerUser(db.service, user)).toEqual({
      user_id: user.id,
      business_id: business.id,
      created: true,
    });
    expect(await registerUser(db.service, { ...user, name: 'Samantha' })).toMatchObject({ created: false });
    const [row] = await db.sql`select name, role from users where id = ${user.id}`;
    expect(row).toEqual({ name: 'Samantha', role: 'supervisor' });
    const events = await db.sql`select action from audit_events where subject_id = ${user.id} order by id`;
    expect(events.map(({ action }) => action)).toEqual(['person.created', 'person.changed']);
    const other = { ...user, ...(await authUser()) };
    await expect(registerUser(db.service, other)).rejects.toMatchObject({ code: 'username_taken' });
    const elsewhere = await db.createBusiness();
    const moved = registerUser(db.service, { ...user, business_slug: elsewhere.slug });
    await expect(moved).rejects.toMatchObject({ code: 'user_of_another_business' });
  });

  it('needs an Auth user and a business', async () => {
    const business = await db.createBusiness();
    const admin = { email: 'a@b.c', role: 'admin' as const, name: 'A' };
    const nobody = registerUser(db.service, { ...admin, id: randomUUID(), business_id: business.id });
    await expect(nobody).rejects.toMatchObject({ code: 'user_not_found' });
    const nowhere = registerUser(db.service, { ...admin, ...(await authUser()), business_slug: 'nowhere' });
    await expect(nowhere).rejects.toMatchObject({ code: 'business_not_found' });
  });
});

describe('applying an agent', () => {
  async function definition(): Promise<AgentDefinition> {
    const business = await db.createBusiness();
    const supervisor = await db.createUser({ businessId: business.id });
    return {
      business_slug: business.slug,
      slug: 'support',
      name: 'Support',
      agent_type: 'chat',
      supervisor: supervisor.email,
      system_prompt: 'You help.',
      max_concurrent_interactions: 5,
      public: true,
      tools: [
        {
          tool_name: 'find_order',
          tool_config: { transport: 'stdio', server: 'orders' },
          requires_permission: false,
        },
        { tool_name: 'refund_order', tool_config: { transport: 'stdio', server: 'orders' } },
      ],
    };
  }
  const tools = async (agentId: string) =>
    (
      await db.sql`select tool_name, requires_permission from agent_tools where agent_id = ${agentId} order by tool_name`
    ).map((row) => ({ ...row }));

  it('makes it with its tools, gated unless they say otherwise', async () => {
    const given = await definition();
    const made = await applyAgent(db.service, { definition: given });
    expect(made).toMatchObject({ version: 1, created: true, changed: true });
    expect(await tools(made.agent_id)).toEqual([
      { tool_name: 'find_order', requires_permission: false },
      { tool_name: 'refund_order', requires_permission: true },
    ]);
  });

  it('changes nothing when nothing differs, and counts one edit when anything does', async () => {
    const given = await definition();
    await applyAgent(db.service, { definition: given });
    expect(await applyAgent(db.service, { definition: given, expectedVersion: 1 })).toMatchObject({
      version: 1,
      changed: false,
    });
    const edited = { ...given, system_prompt: 'You help well.', tools: given.tools.slice(0, 1) };
    const changed = await applyAgent(db.service, { definition: edited, expectedVersion: 1 });
    expect(changed).toMatchObject({ version: 2, changed: true, created: false });
    expect(await tools(changed.agent_id)).toHaveLength(1);
    const gated = { ...edited, tools: edited.tools.map((tool) => ({ ...tool, requires_permission: true })) };
    expect(await applyAgent(db.service, { definition: gated, expectedVersion: 2 })).toMatchObject({
      version: 3,
    });
  });

  it('refuses to overwrite an edit made elsewhere, unless forced', async () => {
    const given = await definition();
    const { agent_id } = await applyAgent(db.service, { definition: given });
    await db.service
      .from('agent_tools')
      .update({ requires_permission: true })
      .eq('agent_id', agent_id)
      .eq('tool_name', 'find_order');
    for (const expectedVersion of [1, null]) {
      await expect(applyAgent(db.service, { definition: given, expectedVersion })).rejects.toMatchObject({
        code: 'agent_version_conflict',
        details: { version: 2, expected_version: expectedVersion, agent_id },
      });
    }
    expect(await applyAgent(db.service, { definition: given, force: true })).toMatchObject({
      version: 3,
      changed: true,
    });
  });

  it('changes nothing on an error', async () => {
    const given = await definition();
    const { agent_id } = await applyAgent(db.service, { definition: given });
    const broken = { ...given, name: 'Renamed', tools: [{ tool_name: 'not a name', tool_config: {} }] };
    await expect(applyAgent(db.service, { definition: broken, expectedVersion: 1 })).rejects.toThrow();
    const [row] = await db.sql`select name, version from agents where id = ${agent_id}`;
    expect(row).toEqual({ name: 'Support', version: 1 });
    expect(await tools(agent_id)).toHaveLength(2);
  });

  it('lets one of ten editors win', async () => {
    const given = await definition();
    await applyAgent(db.service, { definition: given });
    const attempts = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        applyAgent(db.service, { definition: { ...given, name: `Name ${n}` }, expectedVersion: 1 }),
      ),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('names people who exist', async () => {
    const given = await definition();
    const wrong = applyAgent(db.service, { definition: { ...given, supervisor: 'nobody' } });
    await expect(wrong).rejects.toMatchObject({ code: 'supervisor_invalid' });
    const cover = applyAgent(db.service, { definition: { ...given, cover: 'nobody' } });
    await expect(cover).rejects.toMatchObject({ code: 'cover_invalid' });
    const business = applyAgent(db.service, { definition: { ...given, business_slug: 'nowhere' } });
    await expect(business).rejects.toMatchObject({ code: 'business_not_found' });
  });
});
