import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { apiSettings, startApi, type TestApi } from './support.ts';

const SHOP = 'https://shop.example';
const SCRIPT = `export const words = ${JSON.stringify('hello '.repeat(400))};`;

let database: TestDatabase;
let folder: string;
let api: TestApi;
let bare: TestApi;

async function writePage(name: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, name, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}

beforeAll(async () => {
  database = await setupDatabase();
  folder = await mkdtemp(join(tmpdir(), 'pages-'));
  await writePage('console', {
    'index.html':
      '<!doctype html><title>console</title><script type="module" src="/console/assets/main-AbCd1234.js"></script>',
    'assets/main-AbCd1234.js': SCRIPT,
    'icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  });
  await writePage('try', { 'index.html': '<!doctype html><title>try</title>' });
  await writePage('widget', {
    'index.html': '<!doctype html><title>widget</title>',
    'embed.js': '/* frame */',
    'widget.js': '/* button and frame */',
  });
  const livekit = setupLiveKit();
  api = await startApi({
    ...apiSettings(database, livekit, { livekit: { publicUrl: 'wss://project.livekit.cloud' } }),
    pagesFolder: folder,
    rehearsal: true,
  });
  bare = await startApi({ ...apiSettings(database, livekit), pagesFolder: join(folder, 'nothing') });
});
afterAll(async () => {
  await Promise.all([api?.stop(), bare?.stop()]);
  await database?.stop();
  await rm(folder, { recursive: true, force: true });
});

const load = (path: string, headers: Record<string, string> = {}) => fetch(`${api.url}${path}`, { headers });

/** As sent: without the client's own reading of dots and percent signs. */
async function loadRaw(path: string): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  httpGet({ host: '127.0.0.1', port: new URL(api.url).port, path }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
  }).on('error', reject);
  return promise;
}

/** The policy as directives. */
function policyOf(response: Response): Record<string, string[]> {
  const directives = (response.headers.get('content-security-policy') ?? '').split('; ');
  return Object.fromEntries(
    directives.map((directive) => directive.split(' ')).map(([name, ...rest]) => [name, rest]),
  );
}

describe('the console’s page', () => {
  it.each(['/console', '/console/', '/console/floor', '/console/interactions/6f2d0f0e'])(
    '%s is the HTML, asked for again each time',
    async (path) => {
      const response = await load(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect(await response.text()).toContain('<title>console</title>');
    },
  );

  it('may run its own scripts only, speak to the API, to Auth and to LiveKit only, and be framed by nobody', async () => {
    const response = await load('/console');
    expect(policyOf(response)).toMatchObject({
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'base-uri': ["'none'"],
      'frame-ancestors': ["'none'"],
      'connect-src': [
        "'self'",
        database.supabaseUrl,
        'wss://project.livekit.cloud',
        'https://project.livekit.cloud',
        'wss://*.livekit.cloud',
        'https://*.livekit.cloud',
      ],
    });
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe|data:|\s\*[\s;]/);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    expect(response.headers.get('permissions-policy')).toContain('camera=()');
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('brings hashed files that a browser never asks for again, compressed', async () => {
    const response = await load('/console/assets/main-AbCd1234.js', { 'accept-encoding': 'br' });
    expect(response.headers.get('content-type')).toMatch(/^text\/javascript/);
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(response.headers.get('content-encoding')).toBe('br');
    expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(await response.text()).toBe(SCRIPT);
  });

  it('has other files asked for again, and answers 304 when they are the same', async () => {
    const first = await load('/console/icon.svg');
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const again = await load('/console/icon.svg', { 'if-none-match': first.headers.get('etag') ?? '' });
    expect(again.status).toBe(304);
  });

  it('does not answer for a file that is not there with its HTML', async () => {
    expect((await load('/console/assets/main-00000000.js')).status).toBe(404);
  });

  it.each([
    '/console/../../secret.txt',
    '/console/..%2fsecret.txt',
    '/console/%2e%2e/secret.txt',
    '/console/assets/..%5c..%5csecret.txt',
    '/try//secret.txt',
  ])('%s leads out of the folder for nobody', async (path) => {
    await writeFile(join(folder, 'secret.txt'), 'keep me');
    const { body } = await loadRaw(path);
    expect(body).not.toContain('keep me');
  });

  it('is there anew when it was built again', async () => {
    await load('/try');
    await writePage('try', { 'index.html': '<!doctype html><title>try it</title>' });
    expect(await (await load('/try')).text()).toContain('<title>try it</title>');
  });
});

describe('what a page is told', () => {
  it('is where to sign in and to connect, that models are rehearsed, and no secret', async () => {
    const { status, body } = await api.call('/console/config.json');
    expect(status).toBe(200);
    expect(body).toEqual({
      supabase_url: database.supabaseUrl,
      publishable_key: database.publishableKey,
      livekit_url: 'wss://project.livekit.cloud',
      rehearsal: true,
    });
  });

  it.each(['/try/config.json', '/widget/config.json'])('%s says nothing of signing in', async (path) => {
    const { body } = await api.call(path);
    expect(Object.keys(body).sort()).toEqual(['livekit_url', 'publishable_key', 'rehearsal']);
  });

  it('never has a secret in it, whatever is asked for', async () => {
    const { supabase, livekit } = api.settings;
    for (const path of ['/console', '/console/config.json', '/try', '/try/config.json', '/openapi.json']) {
      const response = await load(path);
      let all = await response.text();
      response.headers.forEach((value) => {
        all += value;
      });
      expect(all, path).not.toContain(supabase.secretKey);
      expect(all, path).not.toContain(livekit.apiSecret);
    }
  });

  it('names the public address of Supabase where there is one', async () => {
    const other = await startApi({
      ...apiSettings(database, setupLiveKit(), { supabase: { publicUrl: 'https://auth.example' } }),
      pagesFolder: folder,
    });
    try {
      expect((await other.call('/console/config.json')).body).toMatchObject({
        supabase_url: 'https://auth.example',
      });
      const page = await fetch(`${other.url}/console`);
      expect(policyOf(page)['connect-src']).toContain('https://auth.example');
    } finally {
      await other.stop();
    }
  });
});

describe('the widget', () => {
  const widgetOf = async (allowedOrigins: string[], isPublic = true) => {
    const business = await database.createBusiness({ allowedOrigins });
    const agent = await database.createAgent({ businessId: business.id, isPublic });
    return load(`/widget/${agent.id}`);
  };

  it('may be framed by the pages of its business only', async () => {
    const response = await widgetOf([SHOP, 'http://localhost:3000']);
    expect(response.status).toBe(200);
    expect(policyOf(response)['frame-ancestors']).toEqual([SHOP, 'http://localhost:3000']);
    // The older header knows no list of origins; beside the policy it would forbid what that allows.
    expect(response.headers.get('x-frame-options')).toBeNull();
    expect(policyOf(response)['connect-src']).not.toContain(database.supabaseUrl);
  });

  it('may be framed by nobody when its business allows no origin', async () => {
    expect(policyOf(await widgetOf([]))['frame-ancestors']).toEqual(["'none'"]);
  });

  it('may be framed by all when its business allows all', async () => {
    expect(policyOf(await widgetOf(['*']))['frame-ancestors']).toEqual(['*']);
  });

  it('takes nothing into its policy that is not an origin', async () => {
    const response = await widgetOf([
      SHOP,
      "https://x.example; script-src 'unsafe-inline'",
      'https://shop.example/path',
    ]);
    expect(policyOf(response)['frame-ancestors']).toEqual([SHOP]);
    expect(policyOf(response)['script-src']).toEqual(["'self'"]);
  });

  it('is not there for an agent that is not public, or does not exist', async () => {
    expect((await widgetOf([SHOP], false)).status).toBe(404);
    expect((await load(`/widget/${crypto.randomUUID()}`)).status).toBe(404);
  });

  it.each(['/widget/embed.js', '/widget.js'])('gives %s to pages of other origins', async (path) => {
    const response = await load(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is not shown without an agent', async () => {
    expect((await load('/widget/index.html')).status).toBe(404);
  });
});

describe('without a build', () => {
  it.each(['/console', '/console/floor', '/try', `/widget/${crypto.randomUUID()}`])(
    '%s says what to do',
    async (path) => {
      const response = await fetch(`${bare.url}${path}`);
      expect(response.status).toBe(503);
      expect(response.headers.get('content-type')).toMatch(/^text\/html/);
      expect(await response.text()).toContain('npm run build:pages');
    },
  );

  it('the settings are there all the same', async () => {
    expect((await bare.call('/console/config.json')).body).toMatchObject({ rehearsal: false });
  });
});

describe('every route', () => {
  it('can be read by no page of another origin, framed by none, and runs nothing', async () => {
    // Customers' routes answer pages that any business allows: here these are the shop's alone.
    await database.sql`update businesses set allowed_origins = array[${SHOP}]`;
    const routes = Object.entries(bare.document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path: path.replace(/\{\w+\}/g, crypto.randomUUID()), method })),
    );
    expect(routes.length).toBeGreaterThan(30);
    for (const { path, method } of routes) {
      const origin = 'https://elsewhere.example';
      for (const asked of [method.toUpperCase(), 'OPTIONS']) {
        const response = await fetch(`${bare.url}${path}`, { method: asked, headers: { origin } });
        await response.body?.cancel();
        const header = (name: string) => response.headers.get(name);
        expect(header('access-control-allow-origin'), `${asked} ${path}`).toBeNull();
        expect(header('access-control-allow-credentials'), `${asked} ${path}`).toBeNull();
        expect(header('content-security-policy'), `${asked} ${path}`).toContain("default-src 'none'");
        expect(header('content-security-policy'), `${asked} ${path}`).toContain("frame-ancestors 'none'");
        expect(header('x-content-type-options'), `${asked} ${path}`).toBe('nosniff');
      }
    }
  });
});

describe('a page of the API itself', () => {
  it('may begin interactions without being on the business’s list; one of another origin may not', async () => {
    const business = await database.createBusiness({ allowedOrigins: [SHOP] });
    const agent = await database.createAgent({ businessId: business.id });
    const begin = (origin: string) =>
      bare.call('/v1/interactions', {
        body: { agent_id: agent.id, channel: 'chat' },
        key: true,
        headers: { origin },
      });
    expect((await begin(bare.url)).status).toBe(201);
    const other = await begin('http://127.0.0.1:1');
    expect([other.status, other.body.code]).toEqual([403, 'origin_not_allowed']);
  });
});
