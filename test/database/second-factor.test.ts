import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeOver } from '../../src/database/control.ts';
import { requestEnd } from '../../src/database/interactions.ts';
import { generateSupabaseKeys, startSupabase } from '../../src/embedded/supabase.ts';
import type { Person } from '../support/fixtures.ts';
import { type Floor, setupFloor, startInteraction } from './floor.ts';

const REFUSED = 'second_factor_required';

let floor: Floor;
let supabase: Awaited<ReturnType<typeof startSupabase>>;
let secret: Uint8Array;
let publishableKey: string;

beforeAll(async () => {
  floor = await setupFloor();
  // A second server before the same database, whose signing secret the test knows: Supabase Auth writes into a token
  // how its owner signed in, and the embedded one knows passwords alone.
  const keys = await generateSupabaseKeys();
  secret = new TextEncoder().encode(keys.jwtSecret);
  publishableKey = keys.publishableKey;
  supabase = await startSupabase({ databaseUrl: floor.db.databaseUrl, keys });
  // As Supabase Auth has it, in the columns that matter here.
  await floor.db.sql.unsafe(`
    create type auth.factor_status as enum ('unverified', 'verified');
    create table auth.mfa_factors (id uuid primary key default gen_random_uuid(),
      user_id uuid not null references auth.users (id) on delete cascade, status auth.factor_status not null)`);
  const factor = (person: Person, status: string) => floor.db.sql`
    insert into auth.mfa_factors (user_id, status) values (${person.id}, ${status})`;
  await factor(floor.supervisor, 'verified');
  await factor(floor.cover, 'unverified');
});
afterAll(async () => {
  await supabase?.stop();
  await floor?.db.stop();
});

/** Past the API, as any program may call PostgREST. */
async function signedIn(person: Person, level: 'aal1' | 'aal2'): Promise<SupabaseClient> {
  const { iat: _iat, exp: _exp, ...claims } = decodeJwt(person.accessToken);
  const token = await new SignJWT({ ...claims, aal: level })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(person.id)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(secret);
  return createClient(supabase.url, publishableKey, {
    global: { headers: { authorization: `Bearer ${token}` } },
    auth: { persistSession: false, autoRefreshToken: false },
  });
}

describe('a password alone, where the account has a second factor', () => {
  it.each(['users', 'agents', 'interactions', 'interaction_messages', 'audit_events'])(
    'reads nothing of %s',
    async (table) => {
      await startInteraction(floor.db.service, floor.agent);
      const { data, error } = await (await signedIn(floor.supervisor, 'aal1')).from(table).select('*');
      // A table in which there is nothing yet has nothing to refuse.
      if (error) expect(error.message).toBe(REFUSED);
      else expect(data).toEqual([]);
    },
  );

  it('is told why', async () => {
    const { error } = await (await signedIn(floor.supervisor, 'aal1')).from('agents').select('id');
    expect(error?.message).toBe(REFUSED);
  });

  it('changes nothing: no takeover, no end, not even presence', async () => {
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const client = await signedIn(floor.supervisor, 'aal1');
    const interactionId = interaction.id;
    await expect(takeOver(client, { interactionId, insist: false })).rejects.toMatchObject({ code: REFUSED });
    await expect(requestEnd(client, { interactionId })).rejects.toMatchObject({ code: REFUSED });
    const { error } = await client.rpc('touch_presence');
    expect(error?.message).toBe(REFUSED);
    const [row] = await floor.db.sql`
      select control, end_requested_at from interactions where id = ${interactionId}`;
    expect(row).toEqual({ control: 'agent', end_requested_at: null });
  });
});

describe('everybody else', () => {
  const seen = async (client: SupabaseClient) => {
    const { data, error } = await client.from('agents').select('id').eq('id', floor.agent.id);
    return error?.message ?? data?.length;
  };

  it('who has shown the second factor sees and acts', async () => {
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const client = await signedIn(floor.supervisor, 'aal2');
    expect(await seen(client)).toBe(1);
    const taken = await takeOver(client, { interactionId: interaction.id, insist: false });
    expect(taken.controlled_by).toBe(floor.supervisor.id);
  });

  it('who has none, or has not finished setting one up, needs none', async () => {
    expect(await seen(await signedIn(floor.cover, 'aal1'))).toBe(1);
    expect(await seen(await signedIn(floor.admin, 'aal1'))).toBe(1);
  });

  it('is not asked where the auth server knows no factors', async () => {
    await floor.db.sql`alter table auth.mfa_factors rename to put_away`;
    try {
      expect(await seen(await signedIn(floor.supervisor, 'aal1'))).toBe(1);
    } finally {
      await floor.db.sql`alter table auth.put_away rename to mfa_factors`;
    }
  });
});
