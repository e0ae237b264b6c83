import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { App, generateApiKey } from '@supabase/lite';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import postgres from 'postgres';
import { FloorwalkerError } from '../errors.ts';
import { authAdminRoutes } from './supabase-admin.ts';
import { connect, grantLikeSupabase, type Workarounds } from './supabase-workarounds.ts';

/** Nothing on this machine reports to anybody; the package reads this when it is used. */
process.env.DO_NOT_TRACK = '1';

export interface SupabaseKeys {
  readonly jwtSecret: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

export interface EmbeddedSupabase {
  readonly url: string;
  readonly keys: SupabaseKeys;
  stop(): Promise<void>;
}

/** New random keys, in the form that Supabase's have. */
export async function generateSupabaseKeys(): Promise<SupabaseKeys> {
  const [publishable, secret] = await Promise.all([generateApiKey('publishable'), generateApiKey('secret')]);
  const jwtSecret = Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64url');
  return { jwtSecret, publishableKey: publishable.key, secretKey: secret.key };
}

function createApp(databaseUrl: string, keys: SupabaseKeys, workarounds: Partial<Workarounds>) {
  const connection = connect(databaseUrl, workarounds);
  const app = new App({
    connection,
    auth: {
      enabled: true,
      jwt_secret: keys.jwtSecret,
      publishable_key: keys.publishableKey,
      secret_key: keys.secretKey,
      // People are invited; an account made by a stranger could do nothing, but need not exist.
      enable_signup: false,
    },
    options: { server: { disableStudio: true, admin: false } },
  });
  return { app, connection };
}

/**
 * Gives a database what a new Supabase project has before any migration: the schema `auth`, the three roles, their
 * default rights. Changes nothing that is there already.
 */
export async function prepareDatabase(databaseUrl: string): Promise<void> {
  const { app, connection } = createApp(databaseUrl, await generateSupabaseKeys(), {});
  try {
    await app.init();
    await app.ensureSystemSchema();
    await grantLikeSupabase(connection.driver);
  } finally {
    await connection.close();
  }
}

/**
 * Serves a prepared database on loopback as Supabase would (REST and Auth; no Realtime). Forgets what it knows of
 * the schema on `notify pgrst`, like PostgREST.
 *
 * @throws FloorwalkerError `embedded_start_failed` when the port can't be had.
 */
export async function startSupabase(options: {
  databaseUrl: string;
  keys: SupabaseKeys;
  port?: number;
  workarounds?: Partial<Workarounds>;
}): Promise<EmbeddedSupabase> {
  const { app, connection } = createApp(options.databaseUrl, options.keys, options.workarounds ?? {});
  await app.init();
  const listener = postgres(options.databaseUrl, { max: 2, onnotice: () => {} });
  await listener.listen('pgrst', () => void connection.clearSchemaCache());
  const front = new Hono();
  // As Supabase: pages of any origin may ask, what they get is up to key and token. The package's own answer to a
  // preflight names no headers, so that no browser would send them.
  front.use(
    cors({ origin: '*', allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'], maxAge: 600 }),
  );
  front.route('/auth/v1/admin/users', authAdminRoutes(listener, options.keys.secretKey));
  front.all('*', (context) => app.fetch(context.req.raw));
  const server = serve({ fetch: front.fetch, hostname: '127.0.0.1', port: options.port ?? 0 });
  try {
    await once(server, 'listening');
  } catch (cause) {
    await Promise.all([connection.close(), listener.end()]);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FloorwalkerError('embedded_start_failed', `Supabase can't listen: ${reason}`, { cause });
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was assigned');
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    const closed = once(server, 'close');
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
    await closed;
    await Promise.all([connection.close(), listener.end({ timeout: 2 })]);
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    keys: options.keys,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
