import { createClient } from '@supabase/supabase-js';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { People } from '../../src/api/identity.ts';
import { createServiceClient, createUserClient } from '../../src/database/client.ts';
import { generateSupabaseKeys, startSupabase } from '../../src/embedded/supabase.ts';
import { isFloorwalkerError } from '../../src/errors.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Person } from '../support/fixtures.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { apiSettings, eventually, startApi, type TestApi } from './support.ts';

let database: TestDatabase;
let supabase: Awaited<ReturnType<typeof startSupabase>>;
let secret: Uint8Array;
let api: TestApi;
let person: Person;
let place: { supabaseUrl: string; secretKey: string; publishableKey: string };

beforeAll(async () => {
  database = await setupDatabase();
  // A second server before the same database, whose signing secret the test knows: it can make tokens that differ
  // from good ones in one respect only.
  const keys = await generateSupabaseKeys();
  secret = new TextEncoder().encode(keys.jwtSecret);
  supabase = await startSupabase({ databaseUrl: database.databaseUrl, keys });
  place = { supabaseUrl: supabase.url, secretKey: keys.secretKey, publishableKey: keys.publishableKey };
  api = await startApi(apiSettings(place, setupLiveKit()));
  const business = await database.createBusiness();
  person = await database.createUser({ businessId: business.id });
});
afterAll(async () => {
  await api?.stop();
  await supabase?.stop();
  await database?.stop();
});

/** Of a token that expires during a test: a busy machine has used it before. */
const GOOD_FOR_SECONDS = 6;

interface TokenOptions {
  readonly subject?: string;
  readonly expiresIn?: string | number;
  readonly key?: Uint8Array;
  readonly level?: 'aal1' | 'aal2';
}

async function token(options: TokenOptions = {}): Promise<string> {
  const good = decodeJwt(person.accessToken);
  const { iat: _iat, exp: _exp, ...claims } = good;
  return new SignJWT({ ...claims, ...(options.level ? { aal: options.level } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(options.subject ?? person.id)
    .setIssuedAt()
    .setExpirationTime(options.expiresIn ?? '1h')
    .sign(options.key ?? secret);
}

const status = async (accessToken: string) => {
  const { status, body } = await api.call('/v1/agents', { token: accessToken });
  return [status, body.code];
};

/** The embedded auth server has no second factors: what it says of a person is completed as Supabase would say it. */
function peopleWithFactor(status: 'verified' | 'unverified'): People {
  const completed: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const body = await response.json();
    return Response.json({ ...body, factors: [{ id: 'f', factor_type: 'totp', status }] }, response);
  };
  const { supabaseUrl, secretKey, publishableKey } = place;
  const verifier = createClient(supabaseUrl, secretKey, {
    global: { fetch: completed },
    auth: { persistSession: false, autoRefreshToken: false },
  });
  return new People(verifier, (accessToken) =>
    createUserClient({ url: supabaseUrl, publishableKey }, accessToken),
  );
}

describe('a second factor', () => {
  it('is asked of an account that has one, and of no other', async () => {
    const [first, second] = await Promise.all([token({ level: 'aal1' }), token({ level: 'aal2' })]);
    await expect(peopleWithFactor('verified').of(first)).rejects.toMatchObject({
      code: 'second_factor_required',
    });
    expect(await peopleWithFactor('verified').of(second)).toMatchObject({ id: person.id });
    expect(await peopleWithFactor('unverified').of(first)).toMatchObject({ id: person.id });
    expect(await status(first)).toEqual([200, undefined]);
  });
});

describe('an access token', () => {
  it('that the auth server made is taken', async () => {
    expect(await status(await token())).toEqual([200, undefined]);
  });

  it('that somebody else signed is refused', async () => {
    const forged = await token({
      key: new TextEncoder().encode('a secret of my own, long enough for HS256'),
    });
    expect(await status(forged)).toEqual([401, 'unauthenticated']);
  });

  it('that nobody signed is refused', async () => {
    const [, payload] = (await token()).split('.');
    const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    expect(await status(`${header}.${payload}.`)).toEqual([401, 'unauthenticated']);
  });

  it('with another person written into it is refused', async () => {
    const [header, payload, signature] = (await token()).split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: crypto.randomUUID() })).toString(
      'base64url',
    );
    expect(await status(`${header}.${changed}.${signature}`)).toEqual([401, 'unauthenticated']);
  });

  it('that has expired is refused, also right after it was good', async () => {
    const shortLived = await token({ expiresIn: Math.floor(Date.now() / 1_000) + GOOD_FOR_SECONDS });
    expect(await status(shortLived)).toEqual([200, undefined]);
    const expired = await token({ expiresIn: Math.floor(Date.now() / 1_000) - 5 });
    expect(await status(expired)).toEqual([401, 'unauthenticated']);
    const deadline = Date.now() + 30_000;
    let last = await status(shortLived);
    while (last[0] === 200 && Date.now() < deadline) last = await status(shortLived);
    expect(last).toEqual([401, 'unauthenticated']);
  });

  it('of an account that belongs to no business is refused', async () => {
    const { data } = await database.service.auth.admin.createUser({
      email: `${crypto.randomUUID()}@example.com`,
      password: 'a long password',
      email_confirm: true,
    });
    expect(await status(await token({ subject: data.user?.id ?? '' }))).toEqual([403, 'not_a_member']);
  });

  it('of somebody who has left is refused', async () => {
    const business = await database.createBusiness();
    const leaver = await database.createUser({ businessId: business.id });
    await database.sql`update users set deleted_at = now() where id = ${leaver.id}`;
    expect(await status(await token({ subject: leaver.id }))).toEqual([403, 'not_a_member']);
  });

  it.each([
    ['nothing', undefined],
    ['no bearer', 'Basic abc'],
    ['no token', 'Bearer '],
    ['nonsense', 'Bearer abc.def.ghi'],
    ['a quote', "Bearer ' or 1=1 --"],
    ['the secret key', 'secret key'],
    ['the publishable key', 'publishable key'],
  ])('is needed: %s is refused', async (name, header) => {
    const keys = {
      'the secret key': supabase.keys.secretKey,
      'the publishable key': supabase.keys.publishableKey,
    };
    const key = keys[name as keyof typeof keys];
    const authorization = key === undefined ? header : `Bearer ${key}`;
    const answer = await api.call(
      '/v1/agents',
      authorization === undefined ? {} : { headers: { authorization } },
    );
    expect([name, answer.status, answer.body.code]).toEqual([name, 401, 'unauthenticated']);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('what is remembered of a token', () => {
  const people = () => {
    const settings = api.settings.supabase;
    return new People(createServiceClient(settings), (accessToken) =>
      createUserClient(settings, accessToken),
    );
  };

  it('ends with the token', async () => {
    const known = people();
    const shortLived = await token({ expiresIn: Math.floor(Date.now() / 1_000) + GOOD_FOR_SECONDS });
    expect((await known.of(shortLived)).id).toBe(person.id);
    await eventually('the token is refused', async () => {
      const failure = await known.of(shortLived).catch((error: unknown) => error);
      return isFloorwalkerError(failure, 'unauthenticated') || undefined;
    });
  });

  it('is not a refusal', async () => {
    const known = people();
    const business = await database.createBusiness();
    const { data } = await database.service.auth.admin.createUser({
      email: `${crypto.randomUUID()}@example.com`,
      password: 'a long password',
      email_confirm: true,
    });
    const id = data.user?.id ?? '';
    const newcomer = await token({ subject: id });
    await expect(known.of(newcomer)).rejects.toMatchObject({ code: 'not_a_member' });
    await database.sql`
      insert into users (id, business_id, email, role, name)
      values (${id}, ${business.id}, ${data.user?.email ?? ''}, 'admin', 'New')`;
    expect(await known.of(newcomer)).toMatchObject({ id, role: 'admin', businessId: business.id });
  });
});

describe('when the auth server is away', () => {
  it('nobody is let in, and nobody is told that their token is bad', async () => {
    place = { supabaseUrl: 'http://127.0.0.1:9', secretKey: 'x', publishableKey: 'y' };
    const cutOff = await startApi(apiSettings(place, setupLiveKit()));
    try {
      const answer = await cutOff.call('/v1/agents', { token: person.accessToken });
      expect([answer.status, answer.body.code]).toEqual([503, 'database_unavailable']);
    } finally {
      await cutOff.stop();
    }
  });
});
