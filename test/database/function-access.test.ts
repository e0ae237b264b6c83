import type { SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeInteraction } from '../../src/database/interactions.ts';
import { type Floor, gatedCall, setupFloor, startInteraction } from './floor.ts';

const NOWHERE = '00000000-0000-4000-8000-000000000000';
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

/** Functions of the secret key, with arguments that reach the function and change nothing. */
const WORKER_FUNCTIONS: Record<string, Record<string, unknown>> = {
  create_interaction: { p_request: { agent_id: NOWHERE } },
  resume_interaction: { p_interaction_id: NOWHERE, p_resume_token_hash: 'x' },
  leave_interaction: { p_interaction_id: NOWHERE, p_resume_token_hash: 'x' },
  rate_interaction: { p_interaction_id: NOWHERE, p_resume_token_hash: 'x', p_score: 1 },
  create_interactions: { p_requests: [] },
  claim_interactions: { p_interaction_ids: [], p_worker_id: 'w', p_lease_seconds: 1 },
  claim_interaction: { p_interaction_id: NOWHERE, p_worker_id: 'w', p_lease_seconds: 1 },
  heartbeat: { p_worker_id: 'w', p_leases: [], p_lease_seconds: 1 },
  release_lease: { p_interaction_id: NOWHERE, p_generation: 1 },
  release_worker: { p_worker_id: 'nobody' },
  keep_claims: { p_worker_id: 'w', p_claims: [], p_lease_seconds: 1 },
  claimable_interactions: { p_limit: 1 },
  poll_sessions: { p_leases: [] },
  append_records: { p_batch: [] },
  record_metrics: { p_rows: [] },
  append_left_records: { p_batch: [] },
  record_left_metrics: { p_rows: [] },
  set_phone_number: { p_interaction_id: NOWHERE, p_generation: 1, p_phone: '+31201234567', p_source: 'sip' },
  request_supervisor: { p_interaction_id: NOWHERE, p_generation: 1, p_reason: 'x' },
  request_tool_call: { p_call: { interaction_id: NOWHERE, generation: 1 } },
  start_tool_call: { p_interaction_id: NOWHERE, p_generation: 1, p_call_id: 'x', p_arguments_hash: 'x' },
  finish_tool_call: { p_interaction_id: NOWHERE, p_generation: 1, p_call_id: 'x', p_state: 'failed' },
  withdraw_permissions: { p_interaction_id: NOWHERE, p_generation: 1 },
  expire_permissions: {},
  escalate_requests: { p_after_seconds: 100_000 },
  complete_interaction: { p_interaction_id: NOWHERE, p_generation: 1, p_status: 'failed', p_end_reason: 'x' },
  update_archive: {
    p_interaction_id: NOWHERE,
    p_result: { summary: 'x', issues: [], tags: { topics: [], issues: [] } },
  },
  reap_unjoined: { p_after_seconds: 100_000 },
  release_control: { p_interaction_id: NOWHERE, p_generation: 1, p_reason: 'x' },
  take_whispers: { p_interaction_id: NOWHERE, p_generation: 1, p_ids: [] },
  touch_presences: { p_user_ids: [] },
  request_callback: { p_interaction_id: NOWHERE, p_generation: 1, p_reason: 'x' },
  load_session: { p_interaction_id: NOWHERE, p_generation: 1 },
  load_agent_tools: { p_interaction_id: NOWHERE, p_generation: 1 },
  load_tool_tokens: { p_business_id: NOWHERE, p_server_key: 'x' },
  save_tool_tokens: { p_business_id: NOWHERE, p_server_key: 'x', p_sealed: 'x', p_version: 1 },
  create_business: { p_business: { name: 'x', slug: 'INVALID' } },
  register_user: { p_user: { id: NOWHERE, business_slug: 'none' } },
  apply_agent: { p_definition: { business_slug: 'none' } },
  apply_agents: { p_agents: [] },
  cleanup_realtime_metrics: {},
  cleanup_old_archives: { retention_days: 10_000 },
  apply_retention: { p_limit: 1 },
  retention_progress: {},
  append_interim: { p_rows: [] },
  read_changes: {},
  trim_changes: { p_keep_seconds: 100_000 },
  fold_figures: { p_limit: 1 },
  fold_tracks: { p_limit: 1 },
  visible_agents_of_people: { p_user_ids: [] },
  waiting_interactions: {},
  people_out_of_sight: {},
  elect: { p_role: 'INVALID', p_candidate: 'x', p_lease_seconds: 1 },
  resign: { p_role: 'none', p_candidate: 'x', p_term: 1 },
  delete_customer_as_operator: { p_subject: { business_slug: 'none' } },
};

const PEOPLE: readonly Role[] = ['admin', 'supervisor', 'cover', 'colleague', 'stranger', 'strangeAdmin'];
const REACHING: readonly Role[] = ['admin', 'supervisor', 'cover'];

let floor: Floor;
let clients: Record<Role, SupabaseClient>;

beforeAll(async () => {
  floor = await setupFloor();
  clients = {
    admin: floor.admin.client,
    supervisor: floor.supervisor.client,
    cover: floor.cover.client,
    colleague: floor.colleague.client,
    stranger: floor.stranger.client,
    strangeAdmin: floor.strangeAdmin.client,
    anonymous: floor.db.anonymous,
    service: floor.db.service,
  };
});
afterAll(() => floor?.db.stop());

const REFUSED = '42501';

describe('every function', () => {
  const signedInFunctions = [
    'decide_permission',
    'revoke_grant',
    'resolve_tool_call',
    'delete_customer',
    'request_end',
    'set_disposition',
    'touch_presence',
    'performance',
    'leaderboard',
    'calculate_performance_score',
    'schema_version',
    'interaction_tracks',
    'take_over',
    'hand_back',
    'whisper',
    'monitor_interaction',
    'complete_callback',
    'search_archives',
    'look_through_archives',
    'archive_replay',
    'export_archive',
    'begin_archive_export',
    'edit_agent',
    'roll_back_agent',
    'performance_by_agent',
    'performance_series',
    'check_person',
    'add_person',
    'change_person',
    'deactivate_person',
    'assign_agent',
    'change_business',
  ];

  it('is in these tests', async () => {
    const rows = await floor.db.sql<{ name: string }[]>`
      select distinct proname as name from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f'`;
    const names = rows
      .map(({ name }) => name)
      // Those of the shipped tool servers are tested with them.
      .filter((name) => !/^(shop|appointment|crm|knowledge)_/.test(name));
    expect(names.sort()).toEqual([...Object.keys(WORKER_FUNCTIONS), ...signedInFunctions].sort());
  });

  it('has an owner’s search path and is closed to the public and to anonymous visitors', async () => {
    const open = await floor.db.sql`
      select p.oid::regprocedure::text as name from pg_proc p
      where p.pronamespace in ('public'::regnamespace, 'floorwalker'::regnamespace) and p.prokind = 'f'
        and (not coalesce(p.proconfig::text like '%search_path=%', false)
          or has_function_privilege('anon', p.oid, 'execute')
          or p.proacl is null
          or exists (select from aclexplode(p.proacl) a where a.grantee = 0))`;
    expect([...open]).toEqual([]);
  });

  it('of the helpers is open to signed-in people only where a policy needs it', async () => {
    const rows = await floor.db.sql<{ name: string }[]>`
      select p.proname as name from pg_proc p
      where p.pronamespace = 'floorwalker'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')`;
    expect(rows.map(({ name }) => name).sort()).toEqual([
      'actor_business',
      'actor_id',
      'admin_business',
      'visible_agents',
    ]);
  });

  it('of the helpers can not be reached through the API', async () => {
    for (const client of [clients.anonymous, clients.admin]) {
      const { error } = await client.schema('floorwalker').rpc('visible_agents');
      expect(error).not.toBeNull();
      const direct = await client.rpc('visible_agents');
      expect(direct.error).not.toBeNull();
    }
  });
});

describe('functions of the secret key', () => {
  const cases = Object.keys(WORKER_FUNCTIONS).flatMap((name) => ROLES.map((role) => [role, name] as const));
  it.each(cases)('as %s: %s', async (role, name) => {
    const { error } = await clients[role].rpc(name, WORKER_FUNCTIONS[name]);
    if (role === 'service') expect(error?.code).not.toBe(REFUSED);
    else expect(error).toMatchObject({ code: REFUSED });
  });
});

describe('functions of people', () => {
  it.each(ROLES)('decide_permission as %s', async (role) => {
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const { permissionId } = await gatedCall(floor.db.service, interaction);
    const { data, error } = await clients[role].rpc('decide_permission', {
      p_permission_id: permissionId,
      p_decision: 'allowed',
    });
    if (REACHING.includes(role)) expect(data.permission).toMatchObject({ status: 'allowed' });
    else if (role === 'colleague') expect(error?.message).toBe('not_allowed_to_decide');
    else if (PEOPLE.includes(role)) expect(error?.message).toBe('permission_not_found');
    else expect(error?.code).toBe(REFUSED);
    const [row] = await floor.db
      .sql`select status, decided_by from tool_permissions where id = ${permissionId}`;
    const decidedBy = REACHING.includes(role) ? floor[role as 'admin' | 'supervisor' | 'cover'].id : null;
    expect(row).toEqual({ status: decidedBy ? 'allowed' : 'pending', decided_by: decidedBy });
  });

  it.each(ROLES)('revoke_grant as %s', async (role) => {
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const { permissionId } = await gatedCall(floor.db.service, interaction);
    const { error } = await clients[role].rpc('revoke_grant', { p_permission_id: permissionId });
    if (REACHING.includes(role)) expect(error?.message).toBe('grant_not_found');
    else if (role === 'colleague') expect(error?.message).toBe('not_allowed_to_decide');
    else if (PEOPLE.includes(role)) expect(error?.message).toBe('permission_not_found');
    else expect(error?.code).toBe(REFUSED);
  });

  it.each(ROLES)('request_end and set_disposition as %s', async (role) => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const end = await clients[role].rpc('request_end', { p_interaction_id: id });
    const disposition = await clients[role].rpc('set_disposition', {
      p_interaction_id: id,
      p_disposition: 'x',
    });
    for (const { error } of [end, disposition]) {
      if (REACHING.includes(role)) expect(error).toBeNull();
      else if (PEOPLE.includes(role)) expect(error?.message).toBe('interaction_not_found');
      else expect(error?.code).toBe(REFUSED);
    }
    const [row] = await floor.db
      .sql`select end_requested_at is not null as asked, disposition from interactions where id = ${id}`;
    expect(row).toEqual(
      REACHING.includes(role) ? { asked: true, disposition: 'x' } : { asked: false, disposition: null },
    );
  });

  it.each(ROLES)('interaction_tracks as %s', async (role) => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    for (const p_interaction_id of [id, null]) {
      const { data, error } = await clients[role].rpc('interaction_tracks', {
        p_interaction_id,
        p_points: 10,
      });
      if (!PEOPLE.includes(role)) expect(error?.code).toBe(REFUSED);
      else {
        const ids = data.map((track: { interaction_id: string }) => track.interaction_id);
        expect(ids.includes(id), `sees ${id}`).toBe(REACHING.includes(role));
      }
    }
  });

  it.each(ROLES)('touch_presence, performance and leaderboard as %s', async (role) => {
    for (const [name, args] of [
      ['touch_presence', {}],
      ['performance', { p_period: 'today' }],
      ['leaderboard', { p_period: 'today' }],
      ['performance_by_agent', { p_period: 'today' }],
      ['performance_series', { p_days: 1 }],
    ] as const) {
      const { error } = await clients[role].rpc(name, args);
      if (PEOPLE.includes(role)) expect(error, name).toBeNull();
      else expect(error?.code, name).toBe(REFUSED);
    }
  });

  it.each(ROLES)('calculate_performance_score of the supervisor as %s', async (role) => {
    const { error } = await clients[role].rpc('calculate_performance_score', {
      p_supervisor_id: floor.supervisor.id,
    });
    if (role === 'admin' || role === 'supervisor' || role === 'service') expect(error).toBeNull();
    else if (role === 'anonymous') expect(error?.code).toBe(REFUSED);
    else expect(error?.message).toBe('not_allowed');
  });

  it.each(ROLES)('delete_customer as %s', async (role) => {
    const { error } = await clients[role].rpc('delete_customer', { p_subject: { customer_id: NOWHERE } });
    if (role === 'admin' || role === 'strangeAdmin') expect(error?.message).toBe('customer_not_found');
    else if (PEOPLE.includes(role)) expect(error?.message).toBe('not_allowed');
    else expect(error?.code).toBe(REFUSED);
  });

  it.each(ROLES)('schema_version as %s', async (role) => {
    const { error } = await clients[role].rpc('schema_version');
    if (role === 'anonymous') expect(error?.code).toBe(REFUSED);
    else expect(error).toBeNull();
  });

  it.each(ROLES)('those about the history as %s', async (role) => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'x' });
    const found = await clients[role].rpc('search_archives', { p_filter: {}, p_limit: 500 });
    const looked = await clients[role].rpc('look_through_archives', { p_filter: {}, p_limit: 500 });
    expect([looked.data?.archives ?? null, looked.error?.code]).toEqual([found.data, found.error?.code]);
    const replay = await clients[role].rpc('archive_replay', { p_interaction_id: id });
    const one = await clients[role].rpc('export_archive', { p_interaction_id: id, p_format: 'json' });
    const all = await clients[role].rpc('begin_archive_export', { p_filter: {}, p_format: 'csv' });
    if (REACHING.includes(role)) {
      expect(JSON.stringify(found.data)).toContain(id);
      for (const { error } of [replay, one, all]) expect(error).toBeNull();
    } else if (PEOPLE.includes(role)) {
      expect(JSON.stringify(found.data)).not.toContain(id);
      for (const { error } of [replay, one]) expect(error?.message).toBe('interaction_not_found');
    } else {
      for (const { error } of [found, replay, one, all]) expect(error?.code).toBe(REFUSED);
    }
  });

  it.each(ROLES)('those of admins as %s', async (role) => {
    const target = await floor.db.createUser({ businessId: floor.business.id });
    const ofBusiness = {
      change_person: { p_user_id: target.id, p_change: { name: 'Renamed' } },
      assign_agent: { p_agent_id: floor.agent.id, p_change: {} },
      deactivate_person: { p_user_id: target.id },
    };
    const ofAnybody = {
      check_person: { p_person: { email: 'new@example.com', username: 'new' } },
      change_business: { p_change: {} },
    };
    for (const [name, args] of Object.entries({ ...ofBusiness, ...ofAnybody })) {
      const { error } = await clients[role].rpc(name, args);
      if (role === 'admin' || (role === 'strangeAdmin' && name in ofAnybody)) expect(error, name).toBeNull();
      else if (role === 'strangeAdmin') expect(error?.message, name).toMatch(/^(user|agent)_not_found$/);
      else if (PEOPLE.includes(role)) expect(error?.message, name).toBe('not_allowed');
      else expect(error?.code, name).toBe(REFUSED);
    }
    const added = await clients[role].rpc('add_person', { p_person: { id: NOWHERE } });
    if (role === 'admin' || role === 'strangeAdmin') expect(added.error?.message).toBe('user_not_found');
    else if (PEOPLE.includes(role)) expect(added.error?.message).toBe('not_allowed');
    else expect(added.error?.code).toBe(REFUSED);
  });

  it.each(ROLES)('edit_agent and roll_back_agent as %s', async (role) => {
    const [row] = await floor.db.sql<{ version: number; definition: object }[]>`
      select a.version, floorwalker.agent_definition(a.id) as definition from agents a where id = ${floor.agent.id}`;
    const edit = await clients[role].rpc('edit_agent', {
      p_agent_id: floor.agent.id,
      p_version: row?.version,
      p_definition: { ...row?.definition, greeting: `Hello from ${role}` },
    });
    const back = await clients[role].rpc('roll_back_agent', { p_agent_id: floor.agent.id, p_version: 1 });
    for (const { error } of [edit, back]) {
      if (REACHING.includes(role)) expect(error).toBeNull();
      else if (PEOPLE.includes(role)) expect(error?.message).toBe('agent_not_found');
      else expect(error?.code).toBe(REFUSED);
    }
  });

  it('take the actor from the token, whatever a caller says', async () => {
    const { error } = await floor.colleague.client.rpc('touch_presence', { p_user_id: floor.supervisor.id });
    expect(error).not.toBeNull();
  });

  it('are closed to an account that belongs to no business', async () => {
    const person = await floor.db.createUser({ businessId: floor.business.id });
    await floor.db.sql`update users set deleted_at = now() where id = ${person.id}`;
    const calls = {
      touch_presence: {},
      performance: {},
      leaderboard: {},
      performance_by_agent: {},
      performance_series: {},
      change_business: { p_change: {} },
      search_archives: { p_filter: {} },
      look_through_archives: { p_filter: {} },
      begin_archive_export: { p_filter: {}, p_format: 'csv' },
      roll_back_agent: { p_agent_id: floor.agent.id, p_version: 1 },
    };
    for (const [name, args] of Object.entries(calls)) {
      const { error } = await person.client.rpc(name, args);
      expect(error?.message, name).toBe('not_allowed');
    }
  });
});
