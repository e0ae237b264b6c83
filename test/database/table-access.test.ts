import { randomUUID } from 'node:crypto';
import type { SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestCallback } from '../../src/database/callbacks.ts';
import { whisper } from '../../src/database/control.ts';
import { deleteCustomerAsOperator } from '../../src/database/deletions.ts';
import { completeInteraction, setPhoneNumber } from '../../src/database/interactions.ts';
import { decidePermission } from '../../src/database/permissions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { type Floor, gatedCall, setupFloor, startInteraction } from './floor.ts';

/** Every table, and the rows of the floor's own business that each person may read. */
const TABLES = {
  businesses: ['admin', 'supervisor', 'cover', 'colleague'],
  users: ['admin', 'supervisor', 'cover', 'colleague'],
  customers: ['admin', 'supervisor', 'cover'],
  audit_events: ['admin'],
  agents: ['admin', 'supervisor', 'cover'],
  agent_tools: ['admin', 'supervisor', 'cover'],
  agent_versions: ['admin', 'supervisor', 'cover'],
  interactions: ['admin', 'supervisor', 'cover'],
  interaction_messages: ['admin', 'supervisor', 'cover'],
  interaction_steps: ['admin', 'supervisor', 'cover'],
  realtime_metrics: ['admin', 'supervisor', 'cover'],
  tool_calls: ['admin', 'supervisor', 'cover'],
  tool_permissions: ['admin', 'supervisor', 'cover'],
  tool_grants: ['admin', 'supervisor', 'cover'],
  interaction_archives: ['admin', 'supervisor', 'cover'],
  deletion_receipts: ['admin'],
  whispers: ['admin', 'supervisor', 'cover'],
  callback_requests: ['admin', 'supervisor', 'cover'],
} as const;
const VIEWS = {
  supervisor_performance: ['admin', 'supervisor', 'cover', 'colleague'],
  agent_performance: ['admin', 'supervisor', 'cover'],
  live_interactions: ['admin', 'supervisor', 'cover'],
} as const;
const ROLES = [
  'admin',
  'supervisor',
  'cover',
  'colleague',
  'stranger',
  'strangeAdmin',
  'anonymous',
  'service',
] as const;
type Role = (typeof ROLES)[number];
type Table = keyof typeof TABLES;
const tables = Object.keys(TABLES) as Table[];
const pairs = tables.flatMap((table) => ROLES.map((role) => [role, table] as const));

let floor: Floor;
let clients: Record<Role, SupabaseClient>;
/** The id of one row of each table that belongs to the floor's business. */
let rowIds: Record<Table, string>;

beforeAll(async () => {
  floor = await setupFloor();
  const { db, agent, business } = floor;
  await db.sql`insert into agent_tools (agent_id, tool_name) values (${agent.id}, 'find_order')`;
  const done = await startInteraction(db.service, agent);
  await completeInteraction(db.service, { ...done.key, status: 'completed', endReason: 'customer_left' });
  const forgotten = await startInteraction(db.service, agent);
  await completeInteraction(db.service, {
    ...forgotten.key,
    status: 'completed',
    endReason: 'customer_left',
  });
  await deleteCustomerAsOperator(db.service, { business_id: business.id }, { interaction_id: forgotten.id });
  const open = await startInteraction(db.service, agent);
  await setPhoneNumber(db.service, { ...open.key, phoneNumber: '+31201234567', source: 'claimed' });
  await gatedCall(db.service, open);
  const granted = await gatedCall(db.service, open, { call_id: 'granted' });
  await decidePermission(floor.supervisor.client, {
    permissionId: granted.permissionId,
    decision: 'allowed',
    scope: { kind: 'interaction' },
  });
  await whisper(floor.supervisor.client, { interactionId: open.id, text: 'secret words' });
  await requestCallback(db.service, { ...open.key, reason: 'secret words' });
  await appendRecords(db.service, [
    {
      interaction_id: open.id,
      generation: 1,
      messages: [{ item_id: 'a', role: 'customer', content: 'secret words' }],
      steps: [{ step_id: 's', step_type: 'llm_call' }],
    },
  ]);
  await recordMetrics(db.service, [
    {
      interaction_id: open.id,
      generation: 1,
      timestamp: new Date().toISOString(),
      sentiment: 'good',
      satisfaction_score: 70,
      feed_text: 'x',
    },
  ]);
  clients = {
    admin: floor.admin.client,
    supervisor: floor.supervisor.client,
    cover: floor.cover.client,
    colleague: floor.colleague.client,
    stranger: floor.stranger.client,
    strangeAdmin: floor.strangeAdmin.client,
    anonymous: db.anonymous,
    service: db.service,
  };
  const idOf = async (table: Table): Promise<string> => {
    if (table === 'businesses') return business.id;
    if (table === 'users') return floor.supervisor.id;
    if (table === 'interactions') return open.id;
    const column = table === 'interaction_archives' ? done.id : open.id;
    const rows = ['customers', 'audit_events', 'deletion_receipts'].includes(table)
      ? await db.sql`select id from ${db.sql(table)} where business_id = ${business.id} limit 1`
      : table === 'agents'
        ? [{ id: agent.id }]
        : table === 'agent_tools' || table === 'agent_versions'
          ? await db.sql`select id from ${db.sql(table)} where agent_id = ${agent.id} limit 1`
          : await db.sql`select id from ${db.sql(table)} where interaction_id = ${column} limit 1`;
    return String(rows[0]?.id);
  };
  rowIds = Object.fromEntries(
    await Promise.all(tables.map(async (table) => [table, await idOf(table)])),
  ) as Record<Table, string>;
});
afterAll(() => floor?.db.stop());

async function countAsOwner(table: string): Promise<string> {
  const [row] = await floor.db
    .sql`select md5(coalesce(string_agg(t::text, '|' order by t.id), '')) as sum from ${floor.db.sql(table)} t`;
  return String(row?.sum);
}

describe('reading', () => {
  it('covers every table and view of the schema', async () => {
    const rows = await floor.db.sql<{ name: string; kind: string; rls: boolean }[]>`
      select relname as name, relkind::text as kind, relrowsecurity as rls from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p')`;
    const named = (kind: string) =>
      rows
        // Nobody reads sealed tokens but through their functions, the secret key included. Tables of the shipped tool
        // servers are tested with them.
        .filter(
          (row) => row.kind === kind && !/^(shop_|appointment|crm_|knowledge_|tool_tokens$)/.test(row.name),
        )
        .map(({ name }) => name)
        .sort();
    expect(named('r')).toEqual([...tables].sort());
    expect(named('v')).toEqual(Object.keys(VIEWS).sort());
    expect(rows.filter(({ kind, rls }) => kind === 'r' && !rls)).toEqual([]);
  });

  it.each(pairs)('as %s of %s shows just the rows of one’s own', async (role, table) => {
    const { data } = await clients[role].from(table).select('id').eq('id', rowIds[table]);
    const allowed: readonly string[] = [...TABLES[table], 'service'];
    // A colleague sees a profile: their own, not the supervisor's.
    const expected =
      table === 'users' && (role === 'cover' || role === 'colleague') ? false : allowed.includes(role);
    expect(data?.length ?? 0).toBe(expected ? 1 : 0);
  });

  it.each(['stranger', 'strangeAdmin', 'anonymous'] as const)(
    'as %s shows nothing of another business',
    async (role) => {
      for (const table of tables) {
        const { data } = await clients[role].from(table).select('*');
        const text = JSON.stringify(data ?? []);
        for (const secret of [floor.business.id, floor.agent.id, floor.supervisor.email, 'secret words']) {
          expect(text.includes(secret), `${table} shows ${secret}`).toBe(false);
        }
      }
    },
  );

  it('shows a supervisor only their own profile', async () => {
    const { data } = await floor.supervisor.client.from('users').select('id');
    expect(data).toEqual([{ id: floor.supervisor.id }]);
  });

  it.each(
    (Object.keys(VIEWS) as (keyof typeof VIEWS)[]).flatMap((view) =>
      ROLES.map((role) => [role, view] as const),
    ),
  )('as %s through the view %s is bound by the same rules', async (role, view) => {
    const allowed: readonly string[] = [...VIEWS[view], 'service'];
    const column = view === 'supervisor_performance' ? 'supervisor_id' : 'agent_id';
    const { data } = await clients[role].from(view).select('*');
    const own = (data ?? []).filter((row) =>
      [floor.agent.id, ...[floor.supervisor, floor.cover, floor.colleague].map(({ id }) => id)].includes(
        row[column],
      ),
    );
    expect(own.length > 0).toBe(allowed.includes(role));
    if (view === 'supervisor_performance' && allowed.includes(role)) {
      expect(own.length).toBe(role === 'admin' || role === 'service' ? 3 : 1);
    }
  });

  it('shows nothing any more to someone who was removed', async () => {
    const person = await floor.db.createUser({ businessId: floor.business.id, role: 'admin' });
    await floor.db.sql`update users set deleted_at = now() where id = ${person.id}`;
    for (const table of tables.filter((name) => name !== 'users')) {
      const { data } = await person.client.from(table).select('id');
      expect(data ?? [], table).toEqual([]);
    }
  });

  it('does not let a forged token in', async () => {
    const response = await fetch(`${floor.db.supabaseUrl}/rest/v1/interactions?select=id`, {
      headers: {
        apikey: floor.db.publishableKey,
        authorization: `Bearer ${floor.admin.accessToken.slice(0, -4)}AAAA`,
      },
    });
    expect(response.status).toBe(401);
  });
});

describe('writing', () => {
  const people = ROLES.filter((role) => role !== 'service');
  const cases = tables.flatMap((table) => people.map((role) => [role, table] as const));
  const changes: Partial<Record<Table, Record<string, unknown>>> = {
    businesses: { name: 'x' },
    users: { name: 'x' },
    customers: { name: 'x' },
    audit_events: { action: 'x.y' },
    agents: { system_prompt: 'x' },
    agent_tools: { requires_permission: false },
    agent_versions: { note: 'x' },
    interactions: { status: 'failed' },
    interaction_messages: { content: 'x' },
    interaction_steps: { name: 'x' },
    realtime_metrics: { feed_text: 'changed' },
    tool_calls: { output: 'x' },
    tool_permissions: { status: 'allowed' },
    tool_grants: { tool_name: 'x' },
    interaction_archives: { summary: 'x' },
    whispers: { content: 'x' },
    callback_requests: { note: 'x' },
  };

  it.each(cases)('as %s changes nothing in %s by insert, update, upsert or delete', async (role, table) => {
    const before = await countAsOwner(table);
    const client = clients[role];
    const { data: row } = await floor.db.service.from(table).select('*').eq('id', rowIds[table]).single();
    const copy = { ...row, id: typeof row.id === 'number' ? 999_999 : randomUUID() };
    const inserted = await client.from(table).insert(copy);
    const updated = await client
      .from(table)
      .update(changes[table] ?? {})
      .eq('id', rowIds[table])
      .select('id');
    const upserted = await client.from(table).upsert({ ...row, ...changes[table] });
    const deleted = await client.from(table).delete().eq('id', rowIds[table]).select('id');
    expect(inserted.error).not.toBeNull();
    expect(upserted.error).not.toBeNull();
    expect(updated.data ?? []).toEqual([]);
    expect(deleted.data ?? []).toEqual([]);
    expect(await countAsOwner(table)).toBe(before);
  });

  it('as secret key is refused where history is kept', async () => {
    const id = rowIds.audit_events;
    const updated = await floor.db.service
      .from('audit_events')
      .update({ action: 'x.y' })
      .eq('id', id)
      .select('id');
    const deleted = await floor.db.service.from('audit_events').delete().eq('id', id).select('id');
    expect(updated.error).toMatchObject({ code: '42501' });
    expect(deleted.error).toMatchObject({ code: '42501' });
    await expect(floor.db.sql`update audit_events set action = 'x.y'`).rejects.toThrow('audit_append_only');
    await expect(floor.db.sql`delete from audit_events`).rejects.toThrow('audit_append_only');
    await expect(floor.db.sql`truncate audit_events`).rejects.toThrow('audit_append_only');
    const inserted = await floor.db.service.from('audit_events').insert({
      business_id: floor.business.id,
      actor_kind: 'service',
      action: 'room.joined',
      subject_type: 'rooms',
      subject_id: 'x',
    });
    expect(inserted.error).toBeNull();
  });

  it('as secret key works on the rest', async () => {
    const { error } = await floor.db.service
      .from('agents')
      .update({ greeting: 'Hi' })
      .eq('id', floor.agent.id);
    expect(error).toBeNull();
    const tool = await floor.db.service
      .from('agent_tools')
      .insert({ agent_id: floor.agent.id, tool_name: 'new_tool' });
    expect(tool.error).toBeNull();
  });
});

describe('privileges', () => {
  it('given to everyone by mistake still open nothing: row-level security holds on its own', async () => {
    const rollback = new Error('rolled back');
    const attempt = floor.db.sql.begin(async (transaction) => {
      await transaction`grant all on all tables in schema public to anon, authenticated`;
      for (const [role, sub] of [
        ['authenticated', floor.admin.id],
        ['anon', ''],
      ] as const) {
        await transaction`select set_config('request.jwt.claim.sub', ${sub}, true)`;
        await transaction.unsafe(`set local role ${role}`);
        for (const table of tables) {
          const deleted = await transaction.unsafe(`delete from ${table}`);
          expect(deleted.count, `${role} deletes from ${table}`).toBe(0);
          const updated = await transaction.unsafe(`update ${table} set id = id`);
          expect(updated.count, `${role} updates ${table}`).toBe(0);
          if (role === 'anon') expect(await transaction.unsafe(`select id from ${table}`)).toHaveLength(0);
        }
        await transaction.unsafe('reset role');
      }
      throw rollback;
    });
    await expect(attempt).rejects.toBe(rollback);
  });

  it('are SELECT at most for signed-in people, none for anonymous, and no policy allows a change', async () => {
    const tooMuch = await floor.db.sql`
      select c.relname, r.rolname, a.privilege_type
      from pg_class c cross join aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
        and (a.grantee = 0 or r.rolname = 'anon' or (r.rolname = 'authenticated' and a.privilege_type <> 'SELECT'))`;
    expect([...tooMuch]).toEqual([]);
    const writing = await floor.db.sql`select tablename from pg_policies where cmd <> 'SELECT'`;
    expect([...writing]).toEqual([]);
  });
});
