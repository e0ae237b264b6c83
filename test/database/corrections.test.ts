import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeInteraction, createInteraction } from '../../src/database/interactions.ts';
import { type Floor, gatedCall, newInteraction, setupFloor, startInteraction } from './floor.ts';

/** What the first schema documents had wrong, line by line, and how it is now. */

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

describe('people', () => {
  it('are one table beside the users of Supabase Auth, without passwords', async () => {
    const columns = await floor.db.sql<{ name: string }[]>`
      select column_name as name from information_schema.columns where table_schema = 'public' and table_name = 'users'`;
    expect(columns.filter(({ name }) => /password|secret|lock|mfa/.test(name))).toEqual([]);
    const tables = await floor.db
      .sql`select to_regclass('public.supervisors') as s, to_regclass('public.admins') as a`;
    expect(tables[0]).toEqual({ s: null, a: null });
    const insert = floor.db.sql`
      insert into users (id, business_id, email, role, name) values (${randomUUID()}, ${floor.business.id}, 'x@y.z', 'admin', 'X')`;
    await expect(insert).rejects.toMatchObject({ code: '23503' });
  });

  it.each([
    ['a supervisor without username', { role: 'supervisor', username: null, supervisor_type: 'chat' }],
    ['a supervisor without type', { role: 'supervisor', username: 'u', supervisor_type: null }],
    ['an admin with username', { role: 'admin', username: 'u', supervisor_type: null }],
    ['another role', { role: 'owner', username: null, supervisor_type: null }],
  ])('can not be %s', async (_, fields) => {
    const update = floor.db.sql`update users set ${floor.db.sql(fields)} where id = ${floor.colleague.id}`;
    await expect(update).rejects.toMatchObject({ code: '23514' });
  });

  it('have a username of their own in their business, and may share it with another one', async () => {
    const rename = (id: string, username: string) =>
      floor.db.sql`update users set username = ${username} where id = ${id}`;
    await rename(floor.colleague.id, 'sam');
    await expect(rename(floor.cover.id, 'sam')).rejects.toMatchObject({ code: '23505' });
    await expect(rename(floor.stranger.id, 'sam')).resolves.toBeDefined();
  });

  it('can not be removed while they supervise agents; as a cover they are let go of', async () => {
    const { sql } = floor.db;
    const supervisor = await floor.db.createUser({ businessId: floor.business.id });
    const cover = await floor.db.createUser({ businessId: floor.business.id });
    const agent = await floor.db.createAgent({
      businessId: floor.business.id,
      supervisorId: supervisor.id,
      coverId: cover.id,
    });
    await expect(sql`update users set deleted_at = now() where id = ${supervisor.id}`).rejects.toThrow(
      'supervisor_has_agents',
    );
    await expect(sql`update users set supervisor_type = 'voice' where id = ${supervisor.id}`).rejects.toThrow(
      'supervisor_has_agents',
    );
    await sql`update users set deleted_at = now() where id = ${cover.id}`;
    const [row] = await sql`select cover_id from agents where id = ${agent.id}`;
    expect(row).toEqual({ cover_id: null });
    await sql`update agents set supervisor_id = ${(await floor.db.createUser({ businessId: floor.business.id })).id} where id = ${agent.id}`;
    await expect(sql`update users set deleted_at = now() where id = ${supervisor.id}`).resolves.toBeDefined();
  });
});

describe('history', () => {
  it('outlives people and agents: nothing is deleted with something else', async () => {
    const rules = await floor.db.sql`
      select conrelid::regclass::text as "table", conname from pg_constraint
      where contype = 'f' and connamespace = 'public'::regnamespace and confdeltype <> 'r'
        -- The shipped tool servers keep tables of their own, in which a part goes with its whole.
        and conrelid::regclass::text !~ '^(shop_|appointment_requests|crm_|knowledge_chunk)'
        -- What was allowed for one interaction is a part of it, and goes when its content is purged.
        and conname not in ('tool_grants_interaction_id_fkey', 'tool_grants_permission_id_fkey', 'tool_calls_grant_id_fkey')`;
    expect([...rules]).toEqual([]);
    const { id } = await startInteraction(floor.db.service, floor.agent);
    for (const remove of [
      floor.db.sql`delete from users where id = ${floor.supervisor.id}`,
      floor.db.sql`delete from agents where id = ${floor.agent.id}`,
      floor.db.sql`delete from auth.users where id = ${floor.supervisor.id}`,
    ]) {
      // 23503, or 23001 from PostgreSQL 18 on.
      await expect(remove).rejects.toMatchObject({ code: expect.stringMatching(/^23(503|001)$/) });
    }
    const [row] = await floor.db.sql`select id from interactions where id = ${id}`;
    expect(row).toEqual({ id });
  });
});

describe('agents', () => {
  const insert = (fields: Record<string, unknown>) => floor.db.sql`
    insert into agents ${floor.db.sql({
      business_id: floor.business.id,
      name: 'A',
      slug: `a-${randomUUID()}`,
      agent_type: 'chat',
      system_prompt: 'p',
      ...fields,
    })} returning id`;

  it.each([
    ['an admin', 'admin'],
    ['a supervisor of another business', 'stranger'],
  ] as const)('can not have %s as supervisor or cover', async (_, who) => {
    await expect(insert({ supervisor_id: floor[who].id })).rejects.toThrow('supervisor_invalid');
    const supervisor = await floor.db.createUser({ businessId: floor.business.id });
    const cover = insert({ supervisor_id: supervisor.id, cover_id: floor[who].id });
    await expect(cover).rejects.toThrow('cover_invalid');
  });

  it('have supervisor and cover of their own type, and not one person for both', async () => {
    const voice = await floor.db.createUser({ businessId: floor.business.id, supervisorType: 'voice' });
    const chat = await floor.db.createUser({ businessId: floor.business.id });
    await expect(insert({ supervisor_id: voice.id })).rejects.toThrow('supervisor_invalid');
    await expect(insert({ supervisor_id: chat.id, cover_id: voice.id })).rejects.toThrow('cover_invalid');
    await expect(insert({ supervisor_id: chat.id, cover_id: chat.id })).rejects.toMatchObject({
      code: '23514',
    });
    await expect(insert({ supervisor_id: voice.id, agent_type: 'voice' })).resolves.toHaveLength(1);
    await expect(
      floor.db.sql`update agents set agent_type = 'voice' where id = ${floor.agent.id}`,
    ).rejects.toThrow('supervisor_invalid');
  });

  it('are at most three for a supervisor, also when ten are inserted at once', async () => {
    const supervisor = await floor.db.createUser({ businessId: floor.business.id });
    const attempts = await Promise.allSettled(
      Array.from({ length: 10 }, () => insert({ supervisor_id: supervisor.id })),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const [row] = await floor.db
      .sql`select count(*)::int as n from agents where supervisor_id = ${supervisor.id}`;
    expect(row).toEqual({ n: 3 });
    const spare = await floor.db.createAgent({ businessId: floor.business.id });
    const move = () =>
      floor.db.sql`update agents set supervisor_id = ${supervisor.id} where id = ${spare.id}`;
    await expect(move()).rejects.toThrow('too_many_agents');
    await floor.db
      .sql`update agents set deleted_at = now() where id = (select id from agents where supervisor_id = ${supervisor.id} limit 1)`;
    await expect(move()).resolves.toBeDefined();
    const revive = floor.db
      .sql`update agents set deleted_at = null where supervisor_id = ${supervisor.id} and deleted_at is not null`;
    await expect(revive).rejects.toThrow('too_many_agents');
  });

  it('have a status that nobody can set by hand', async () => {
    await floor.db.service.from('agents').update({ status: 'paused' }).eq('id', floor.agent.id);
    const agent = await floor.db.createAgent({ businessId: floor.business.id });
    await floor.db.sql`update agents set status = 'paused' where id = ${agent.id}`;
    const read = async () =>
      (await floor.db.sql`select status from agents where id = ${agent.id}`)[0]?.status;
    expect(await read()).toBe('idle');
    const voice = await floor.db.createAgent({ businessId: floor.business.id, agentType: 'voice' });
    const rehearsal = await startInteraction(floor.db.service, agent, { kind: 'rehearsal' });
    expect(await read()).toBe('idle');
    const call = await startInteraction(floor.db.service, voice);
    const [busy] = await floor.db.sql`select status from agents where id = ${voice.id}`;
    expect(busy).toEqual({ status: 'in_call' });
    for (const { key } of [rehearsal, call]) {
      await completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'x' });
    }
    const [idle] = await floor.db.sql`select status from agents where id = ${voice.id}`;
    expect(idle).toEqual({ status: 'idle' });
  });

  it('count each edit of what they are and may do, and keep it on record', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id });
    const version = async () =>
      (await floor.db.sql`select version from agents where id = ${agent.id}`)[0]?.version;
    await floor.db.service.from('agents').update({ system_prompt: 'new words' }).eq('id', agent.id);
    expect(await version()).toBe(2);
    await floor.db.service
      .from('agent_tools')
      .insert({ agent_id: agent.id, tool_name: 'x', requires_permission: true });
    expect(await version()).toBe(3);
    await startInteraction(floor.db.service, agent);
    expect(await version()).toBe(3);
    const events = await floor.db.sql`
      select action, details -> 'system_prompt' ->> 'to' as prompt from audit_events
      where subject_id = ${agent.id} order by id`;
    expect([...events]).toEqual([
      { action: 'agent.created', prompt: expect.any(String) },
      { action: 'agent.changed', prompt: 'new words' },
    ]);
    const [tool] = await floor.db.sql`
      select action, business_id from audit_events where subject_type = 'agent_tools' and details -> 'agent_id' ->> 'to' = ${agent.id}`;
    expect(tool).toEqual({ action: 'tool.created', business_id: floor.business.id });
  });
});

describe('interactions', () => {
  it('begin without a phone number, and take only one in international form with its source', async () => {
    const { interaction_id: id } = await createInteraction(floor.db.service, newInteraction(floor.agent));
    const [row] = await floor.db.sql`select phone_number, phone_source from interactions where id = ${id}`;
    expect(row).toEqual({ phone_number: null, phone_source: null });
    const set = (phone: string, source: string | null) =>
      floor.db
        .sql`update interactions set phone_number = ${phone}, phone_source = ${source} where id = ${id}`;
    await expect(set('0201234567', 'sip')).rejects.toMatchObject({ code: '23514' });
    await expect(set('+31201234567', null)).rejects.toMatchObject({ code: '23514' });
    await expect(set('+31201234567', 'heard')).rejects.toMatchObject({ code: '23514' });
    await expect(set('+31201234567', 'sip')).resolves.toBeDefined();
  });

  it('repeat their states as constraints', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const { sql } = floor.db;
    for (const change of [
      sql`update interactions set status = 'completed' where id = ${id}`,
      sql`update interactions set ended_at = now() where id = ${id}`,
      sql`update interactions set status = 'ringing' where id = ${id}`,
      sql`update interactions set control = 'supervisor' where id = ${id}`,
      sql`update interactions set started_at = null where id = ${id}`,
    ]) {
      await expect(change).rejects.toMatchObject({ code: '23514' });
    }
  });

  it('repeat the states of calls and permissions as constraints', async () => {
    const mine = await startInteraction(floor.db.service, floor.agent);
    const { permissionId } = await gatedCall(floor.db.service, mine);
    const { sql } = floor.db;
    for (const change of [
      sql`update tool_permissions set status = 'allowed' where id = ${permissionId}`,
      sql`update tool_permissions set status = 'allowed', supervisor_response = 'allowed', responded_at = now() where id = ${permissionId}`,
      sql`update tool_permissions set edited_arguments = '{}' where id = ${permissionId}`,
      sql`update tool_calls set state = 'refused' where interaction_id = ${mine.id}`,
      sql`update tool_calls set state = 'succeeded', finished_at = now() where interaction_id = ${mine.id}`,
    ]) {
      await expect(change).rejects.toMatchObject({ code: '23514' });
    }
  });
});

describe('columns and indexes', () => {
  it('have uuid keys of PostgreSQL itself, text with checks, times with a zone, updated_at by trigger', async () => {
    const odd = await floor.db.sql`
      select table_name, column_name, data_type from information_schema.columns
      where table_schema = 'public' and data_type in ('character varying', 'timestamp without time zone')`;
    expect([...odd]).toEqual([]);
    const defaults = await floor.db.sql`
      select table_name from information_schema.columns where table_schema = 'public' and column_default like '%uuid_generate%'`;
    expect([...defaults]).toEqual([]);
    const untouched = await floor.db.sql`
      select c.table_name from information_schema.columns c
      where c.table_schema = 'public' and c.column_name = 'updated_at'
        and c.table_name in (select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace)
        and c.table_name not like 'shop_%'
        and not exists (select from pg_trigger t where t.tgrelid = ('public.' || c.table_name)::regclass and t.tgname = 'touch_updated_at')`;
    expect([...untouched]).toEqual([]);
    const before = await floor.db.sql`select updated_at from businesses where id = ${floor.business.id}`;
    await floor.db.sql`update businesses set name = 'Renamed' where id = ${floor.business.id}`;
    const after = await floor.db.sql`select updated_at from businesses where id = ${floor.business.id}`;
    expect(after[0]?.updated_at > before[0]?.updated_at).toBe(true);
  });

  it('have no index whose condition depends on the clock', async () => {
    const rows = await floor.db
      .sql`select indexdef from pg_indexes where schemaname = 'public' and indexdef ~* 'now\\(|current_'`;
    expect([...rows]).toEqual([]);
    const [cleanup] = await floor.db
      .sql`select indexdef from pg_indexes where indexname = 'idx_realtime_metrics_cleanup'`;
    expect(cleanup?.indexdef).toMatch(/\(created_at\)$/);
  });

  it('have an index behind every foreign key that people and workers look things up by', async () => {
    const plan = await floor.db
      .sql`explain select * from interaction_messages where interaction_id = ${randomUUID()} order by seq`;
    expect(plan.length).toBeGreaterThan(0);
    const names = await floor.db.sql<
      { name: string }[]
    >`select indexname as name from pg_indexes where schemaname = 'public'`;
    const set = new Set(names.map(({ name }) => name));
    for (const name of [
      'idx_interactions_agent_status',
      'idx_interactions_phone_date',
      'idx_archives_tags_gin',
      'idx_archives_issues_gin',
      'idx_tool_permissions_status',
      'idx_agents_supervisor_id',
    ]) {
      expect(set.has(name), name).toBe(true);
    }
  });

  it('leave what a heartbeat changes out of every index', async () => {
    const rows = await floor.db.sql`
      select indexname from pg_indexes where tablename = 'interactions' and indexdef ~ 'lease_until|updated_at'`;
    expect([...rows]).toEqual([]);
  });

  it('of views are read with the reader’s rights', async () => {
    const rows = await floor.db.sql`
      select relname from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
        and not coalesce(reloptions @> array['security_invoker=true'], false)`;
    expect([...rows]).toEqual([]);
  });

  it('need no extension', async () => {
    const rows = await floor.db.sql`select extname from pg_extension where extname not in ('plpgsql')`;
    expect([...rows]).toEqual([]);
  });
});
