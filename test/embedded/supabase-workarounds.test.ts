import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedSupabase, generateSupabaseKeys, startSupabase } from '../../src/embedded/supabase.ts';
import type { Workarounds } from '../../src/embedded/supabase-workarounds.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';

/**
 * Each work-around is shown twice: with it things are as on Supabase, without it they are not. When a "without"
 * fails, the package has been mended: remove that work-around and its test.
 */

let db: TestDatabase;
let bare: EmbeddedSupabase;

beforeAll(async () => {
  db = await setupDatabase();
  await db.sql.unsafe(`
    create table public.thing (
      id int primary key, price numeric(8, 2), at timestamptz default '2026-01-02 03:04:05.6+00', check (price > 0));
    create function public.count_items(p_input jsonb) returns int language sql
      as $$ select jsonb_array_length(p_input) $$;
    create function public.refuse() returns void language plpgsql
      as $$ begin raise exception 'too_late' using detail = 'The sentence.'; end $$;
    create function public.me() returns uuid language sql stable as $$ select auth.uid() $$;
    insert into public.thing (id, price) values (1, 0.50);
    notify pgrst, 'reload schema';`);
  const none: Workarounds = {
    errorCodes: false,
    jsonArguments: false,
    valueFormats: false,
    noRegrants: false,
  };
  bare = await startSupabase({
    databaseUrl: db.databaseUrl,
    keys: await generateSupabaseKeys(),
    workarounds: none,
  });
});
afterAll(async () => {
  await bare.stop();
  await db.stop();
});

const unmended = () =>
  createClient(bare.url, bare.keys.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });

describe('work-arounds of the embedded Supabase', () => {
  test('a failed CHECK and an exception of a function keep their code, message and detail', async () => {
    const check = await db.service.from('thing').insert({ id: 2, price: -1 });
    expect(check).toMatchObject({ status: 400, error: { code: '23514' } });
    const raised = await db.service.rpc('refuse');
    expect(raised).toMatchObject({
      status: 400,
      error: { code: 'P0001', message: 'too_late', details: 'The sentence.' },
    });
    expect(await unmended().rpc('refuse')).toMatchObject({ status: 500, error: { code: 'SUP' } });
  });

  test('jsonb arguments of functions arrive as they were sent', async () => {
    const argument = { p_input: [{ n: 1 }, { n: 2 }, { n: 3 }] };
    expect((await db.service.rpc('count_items', argument)).data).toBe(3);
    expect((await unmended().rpc('count_items', argument)).error).not.toBeNull();
  });

  test('numeric is a number and timestamptz is ISO 8601', async () => {
    const mended = await db.service.from('thing').select('price, at').eq('id', 1).single();
    expect(mended.data).toEqual({ price: 0.5, at: '2026-01-02T03:04:05.6+00:00' });
    const raw = await unmended().from('thing').select('price, at').eq('id', 1).single();
    expect(raw.data).toEqual({ price: '0.50', at: '2026-01-02 03:04:05.6+00' });
  });

  test('a function can ask who calls it, because the schema auth is open to all roles', async () => {
    expect((await db.anonymous.rpc('me')).error).toBeNull();
    await db.sql`revoke usage on schema auth from anon`;
    expect((await db.anonymous.rpc('me')).error?.message).toContain('permission denied for schema auth');
    await db.sql`grant usage on schema auth to anon`;
  });

  test('rights that were taken away stay away', async () => {
    await db.sql.unsafe(`
      drop table if exists public.secret;
      create table public.secret (id int);
      alter table public.secret enable row level security;
      revoke all on public.secret from anon, authenticated;
      notify pgrst, 'reload schema';`);
    const granted = async () =>
      (await db.sql`select has_table_privilege('anon', 'public.secret', 'select') as granted`)[0]?.granted;
    await expect
      .poll(async () => (await db.anonymous.from('secret').select()).error?.code, { timeout: 20_000 })
      .toBe('42501');
    expect(await granted()).toBe(false);
    // It is a server's first request that grants everything.
    const fresh = await startSupabase({
      databaseUrl: db.databaseUrl,
      keys: await generateSupabaseKeys(),
      workarounds: { noRegrants: false },
    });
    await fetch(`${fresh.url}/rest/v1/thing`, { headers: { apikey: fresh.keys.secretKey } });
    await fresh.stop();
    expect(await granted()).toBe(true);
  });
});
