import { randomUUID, timingSafeEqual } from 'node:crypto';
import bcrypt from 'bcryptjs';
import { Hono } from 'hono';
import type { Sql } from 'postgres';
import { z } from 'zod';

/**
 * The five calls of `supabase.auth.admin` that `@supabase/lite` answers with 401 (create, list, get, update and
 * delete a user), in the form that GoTrue has and for the secret key only.
 */

const attributesSchema = z.object({
  id: z.uuid().optional(),
  email: z.email().optional(),
  password: z.string().min(6).max(72).optional(),
  email_confirm: z.boolean().optional(),
  phone: z.string().optional(),
  user_metadata: z.record(z.string(), z.unknown()).optional(),
  app_metadata: z.record(z.string(), z.unknown()).optional(),
});

const rowSchema = z.object({
  id: z.string(),
  aud: z.string().nullable(),
  role: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
  email_confirmed_at: z.date().nullable(),
  last_sign_in_at: z.date().nullable(),
  raw_app_meta_data: z.record(z.string(), z.unknown()).nullable(),
  raw_user_meta_data: z.record(z.string(), z.unknown()).nullable(),
  created_at: z.date(),
  updated_at: z.date(),
});

const COLUMNS = Object.keys(rowSchema.shape);
const BCRYPT_ROUNDS = 10;

function describe(row: unknown) {
  const user = rowSchema.parse(row);
  return {
    id: user.id,
    aud: user.aud ?? 'authenticated',
    role: user.role ?? 'authenticated',
    email: user.email ?? '',
    phone: user.phone ?? '',
    email_confirmed_at: user.email_confirmed_at?.toISOString() ?? null,
    confirmed_at: user.email_confirmed_at?.toISOString() ?? null,
    last_sign_in_at: user.last_sign_in_at?.toISOString() ?? null,
    app_metadata: user.raw_app_meta_data ?? {},
    user_metadata: user.raw_user_meta_data ?? {},
    identities: [],
    is_anonymous: false,
    created_at: user.created_at.toISOString(),
    updated_at: user.updated_at.toISOString(),
  };
}

function sameKey(given: string | undefined, wanted: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

class AuthProblem extends Error {
  readonly status: 400 | 401 | 404 | 422;
  readonly code: string;

  constructor(status: 400 | 401 | 404 | 422, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const NOT_FOUND = new AuthProblem(404, 'user_not_found', 'User not found');

async function createUser(sql: Sql, body: unknown) {
  const given = attributesSchema.safeParse(body);
  if (!given.success || !given.data.email) {
    throw new AuthProblem(
      422,
      'validation_failed',
      'A valid email address and a password of 6 to 72 characters',
    );
  }
  const { email, password, email_confirm, user_metadata, app_metadata } = given.data;
  const id = given.data.id ?? randomUUID();
  const address = email.toLowerCase();
  const hash = password === undefined ? null : await bcrypt.hash(password, BCRYPT_ROUNDS);
  const appData = { provider: 'email', providers: ['email'], ...app_metadata };
  const userData = { ...user_metadata, email: address, email_verified: email_confirm ?? false, sub: id };
  const rows = await sql.begin(async (tx) => {
    const inserted = await tx`
      insert into auth.users
        (id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data)
      values (${id}, 'authenticated', 'authenticated', ${address}, ${hash},
        case when ${email_confirm ?? false} then now() end,
        ${JSON.stringify(appData)}::text::jsonb, ${JSON.stringify(userData)}::text::jsonb)
      on conflict do nothing returning ${tx(COLUMNS)}`;
    if (inserted.length === 0) {
      throw new AuthProblem(
        422,
        'email_exists',
        'A user with this email address has already been registered',
      );
    }
    await tx`
      insert into auth.identities (id, provider, provider_id, user_id, identity_data)
      values (${randomUUID()}, 'email', ${id}, ${id}, ${JSON.stringify({ email: address, sub: id })}::text::jsonb)`;
    return inserted;
  });
  return describe(rows[0]);
}

async function getUser(sql: Sql, id: string) {
  if (!z.uuid().safeParse(id).success) throw NOT_FOUND;
  const [row] = await sql`select ${sql(COLUMNS)} from auth.users where id = ${id} and deleted_at is null`;
  if (!row) throw NOT_FOUND;
  return describe(row);
}

async function updateUser(sql: Sql, id: string, body: unknown) {
  await getUser(sql, id);
  const given = attributesSchema.safeParse(body);
  if (!given.success) throw new AuthProblem(422, 'validation_failed', 'The attributes are not valid');
  const { email, password, email_confirm, user_metadata, app_metadata } = given.data;
  const hash = password === undefined ? null : await bcrypt.hash(password, BCRYPT_ROUNDS);
  const [row] = await sql`
    update auth.users set
      email = coalesce(${email?.toLowerCase() ?? null}, email),
      encrypted_password = coalesce(${hash}, encrypted_password),
      email_confirmed_at = case when ${email_confirm ?? false} then coalesce(email_confirmed_at, now()) else email_confirmed_at end,
      raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || ${JSON.stringify(user_metadata ?? {})}::text::jsonb,
      raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || ${JSON.stringify(app_metadata ?? {})}::text::jsonb,
      updated_at = now()
    where id = ${id} returning ${sql(COLUMNS)}`;
  return describe(row);
}

async function listUsers(sql: Sql, page: number, perPage: number) {
  const rows = await sql`
    select ${sql(COLUMNS)} from auth.users where deleted_at is null
    order by created_at, id limit ${perPage} offset ${(page - 1) * perPage}`;
  return { aud: 'authenticated', users: rows.map(describe) };
}

async function deleteUser(sql: Sql, id: string) {
  const user = await getUser(sql, id);
  await sql`delete from auth.users where id = ${id}`;
  return user;
}

/** Routes under `/auth/v1/admin/users`; `sql` is the superuser's. */
export function authAdminRoutes(sql: Sql, secretKey: string): Hono {
  const app = new Hono();
  app.use('*', async (context, next) => {
    if (!sameKey(context.req.header('apikey'), secretKey)) {
      throw new AuthProblem(401, 'no_authorization', 'This needs the secret key');
    }
    await next();
  });
  app.onError((error, context) => {
    if (error instanceof AuthProblem) {
      return context.json({ code: error.status, error_code: error.code, msg: error.message }, error.status);
    }
    console.error('auth admin:', error);
    return context.json({ code: 500, error_code: 'unexpected_failure', msg: 'Internal server error' }, 500);
  });
  app.post('/', async (context) => context.json(await createUser(sql, await context.req.json())));
  app.get('/', async (context) => {
    const page = z.coerce.number().int().min(1).catch(1).parse(context.req.query('page'));
    const perPage = z.coerce.number().int().min(1).max(1000).catch(50).parse(context.req.query('per_page'));
    return context.json(await listUsers(sql, page, perPage));
  });
  app.get('/:id', async (context) => context.json(await getUser(sql, context.req.param('id'))));
  app.put('/:id', async (context) =>
    context.json(await updateUser(sql, context.req.param('id'), await context.req.json())),
  );
  app.delete('/:id', async (context) => context.json(await deleteUser(sql, context.req.param('id'))));
  return app;
}
