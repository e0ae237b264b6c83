import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { FloorwalkerError } from '../../errors.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { BuiltPage, type PageFile } from '../pages/built-page.ts';
import { contentSecurityPolicy, frameSources, liveKitSources } from '../pages/policy.ts';
import type { ApiParts } from '../parts.ts';
import { findWidgetOrigins } from '../reads/widget.ts';
import { idSchema } from '../schemas.ts';

const BUILT_PAGES = fileURLToPath(new URL('../../../dist/pages', import.meta.url));
const NOT_BUILT = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Floorwalker</title></head>
<body><h1>The pages are not built</h1><p>Run <code>npm run build:pages</code> where the API runs, and load this page again.</p></body></html>
`;

const settingsSchema = z
  .object({
    publishable_key: z.string(),
    livekit_url: z.string(),
    rehearsal: z.boolean().openapi({ description: 'A script plays the model or the speech services.' }),
  })
  .openapi('PageSettings');
const consoleSettingsSchema = settingsSchema
  .extend({ supabase_url: z.string().openapi({ description: 'Where people sign in.' }) })
  .openapi('ConsoleSettings');

const settingsRoute = <P extends string, S extends z.ZodType>(path: P, summary: string, schema: S) =>
  createRoute({
    method: 'get',
    path,
    tags: ['Pages'],
    summary,
    responses: {
      200: { description: 'Nothing in it is a secret', content: { 'application/json': { schema } } },
    },
  });

const consoleSettings = settingsRoute(
  '/console/config.json',
  'What the console needs to know before anybody signs in',
  consoleSettingsSchema,
);
const trySettings = settingsRoute(
  '/try/config.json',
  'What the customers’ page needs to know',
  settingsSchema,
);
const widgetSettings = settingsRoute('/widget/config.json', 'What the widget needs to know', settingsSchema);

/** The same bytes in the smallest form that the browser takes. */
function sendFile(context: Context<ApiEnv>, { type, etag, immutable, bodies }: PageFile): Response {
  context.header('content-type', type);
  context.header('etag', etag);
  context.header('vary', 'accept-encoding');
  // The HTML names the hashed files: it is asked for again each time, they never.
  context.header('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
  if (context.req.header('if-none-match') === etag) return context.body(null, 304);
  const accepted = (context.req.header('accept-encoding') ?? '')
    .split(',')
    .map((part) => part.trim().split(';')[0]);
  for (const encoding of ['br', 'gzip'] as const) {
    const body = bodies[encoding];
    if (body === undefined || !accepted.includes(encoding)) continue;
    context.header('content-encoding', encoding);
    return context.body(new Uint8Array(body));
  }
  return context.body(new Uint8Array(bodies.identity));
}

const below = (context: Context<ApiEnv>, page: string): string => context.req.path.slice(page.length + 2);

/** A path that names a file, such as `assets/index-abc.js`: when there is none, the page's HTML is no answer. */
const looksLikeFile = (path: string): boolean => /\.[a-z0-9]+$/i.test(path);

/** The console, the customers' page and the widget, as vite built them, each under its own policy. */
export function addPageRoutes(api: Api, parts: ApiParts): void {
  const { settings, rooms, serviceDb } = parts;
  const folder = settings.pagesFolder ?? BUILT_PAGES;
  const pages = {
    console: new BuiltPage(join(folder, 'console')),
    try: new BuiltPage(join(folder, 'try')),
    widget: new BuiltPage(join(folder, 'widget')),
  };
  const supabaseUrl = settings.supabase.publicUrl ?? settings.supabase.url;
  const liveKit = liveKitSources(rooms.url);
  const customerFacts = {
    publishable_key: settings.supabase.publishableKey ?? '',
    livekit_url: rooms.url,
    rehearsal: settings.rehearsal,
  };

  const notBuilt = (context: Context<ApiEnv>): Response => {
    context.header('cache-control', 'no-store');
    return context.html(NOT_BUILT, 503);
  };

  for (const route of [trySettings, widgetSettings]) {
    api.openapi(route, (context) => {
      context.header('cache-control', 'no-cache');
      return context.json(customerFacts, 200);
    });
  }
  api.openapi(consoleSettings, (context) => {
    context.header('cache-control', 'no-cache');
    return context.json({ ...customerFacts, supabase_url: supabaseUrl }, 200);
  });

  const show = (name: 'console' | 'try', connectTo: readonly string[]): void => {
    const policy = contentSecurityPolicy({ connectTo, framedBy: [] });
    const answer = async (context: Context<ApiEnv>): Promise<Response> => {
      context.header('content-security-policy', policy);
      // Voices are a microphone's; nothing else of the device is needed.
      context.header(
        'permissions-policy',
        'microphone=(self), camera=(), geolocation=(), display-capture=()',
      );
      const path = below(context, name);
      const file = path === '' ? undefined : await pages[name].file(path);
      if (file !== undefined) return sendFile(context, file);
      const html = await pages[name].file();
      if (html === undefined) return notBuilt(context);
      // Below the page are places within it, which its own script knows.
      if (looksLikeFile(path)) throw new FloorwalkerError('not_found');
      return sendFile(context, html);
    };
    api.get(`/${name}`, answer);
    api.get(`/${name}/*`, answer);
  };
  show('console', [new URL(supabaseUrl).origin, ...liveKit]);
  show('try', liveKit);

  api.get('/widget.js', async (context) => {
    context.header('cross-origin-resource-policy', 'cross-origin');
    const file = await pages.widget.file('widget.js');
    if (file === undefined) return notBuilt(context);
    return sendFile(context, file);
  });
  api.get('/widget/*', async (context) => {
    const path = below(context, 'widget');
    const agentId = idSchema.safeParse(path);
    // A shop's page, of another origin, loads the script that brings the frame.
    context.header('cross-origin-resource-policy', 'cross-origin');
    if (!agentId.success) {
      context.header('content-security-policy', contentSecurityPolicy({ connectTo: [], framedBy: [] }));
      const file = await pages.widget.file(path);
      if (file !== undefined && path !== 'index.html') return sendFile(context, file);
      throw new FloorwalkerError('not_found');
    }
    const html = await pages.widget.file();
    if (html === undefined) return notBuilt(context);
    const origins = await findWidgetOrigins(serviceDb, agentId.data);
    if (origins === undefined) throw new FloorwalkerError('agent_not_found');
    const framedBy = frameSources(origins);
    context.header('content-security-policy', contentSecurityPolicy({ connectTo: liveKit, framedBy }));
    context.header('permissions-policy', 'microphone=(self), camera=(), geolocation=(), display-capture=()');
    return sendFile(context, html);
  });
}
