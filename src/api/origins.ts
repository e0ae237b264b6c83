import type { SupabaseClient } from '@supabase/supabase-js';
import type { MiddlewareHandler } from 'hono';
import type { Log } from '../log.ts';
import type { ApiEnv } from './environment.ts';

const REMEMBER_MS = 15_000;
const REMEMBER_AT_MOST = 1_000;

/**
 * Which pages may speak to the customers' routes. A preflight does not say which agent it is for, so a page is
 * answered when any business allows its origin; whether *this* agent's business does is for the database to
 * decide when it creates the interaction.
 */
export class Origins {
  readonly #db: SupabaseClient;
  readonly #own: string | undefined;
  readonly #known = new Map<string, { allowed: boolean; untilMs: number }>();

  constructor(db: SupabaseClient, publicUrl: string | undefined) {
    this.#db = db;
    this.#own = publicUrl === undefined ? undefined : new URL(publicUrl).origin;
  }

  /**
   * True for pages that this API serves itself: under its public address or, where none is set, under the host that
   * the request was sent to.
   */
  isOwn(origin: string, host: string | undefined): boolean {
    if (this.#own !== undefined) return origin === this.#own;
    return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  }

  async isAllowed(origin: string, host: string | undefined): Promise<boolean> {
    if (this.isOwn(origin, host)) return true;
    const known = this.#known.get(origin);
    if (known && known.untilMs > Date.now()) return known.allowed;
    const { data, error } = await this.#db
      .from('businesses')
      .select('id')
      .overlaps('allowed_origins', [origin, '*'])
      .is('deleted_at', null)
      .limit(1);
    if (error) throw error;
    const allowed = data.length > 0;
    // Whoever sends ever new origins pushes out old entries instead of growing the map.
    if (this.#known.size >= REMEMBER_AT_MOST) this.#known.clear();
    this.#known.set(origin, { allowed, untilMs: Date.now() + REMEMBER_MS });
    return allowed;
  }
}

function isOrigin(value: string): boolean {
  return value.length <= 255 && URL.canParse(value) && new URL(value).origin === value;
}

/** CORS for the customers' routes: an allowed origin is echoed, any other gets no header and is left out. */
export function crossOrigin(origins: Origins, log: Log): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const origin = context.req.header('origin');
    const preflight = context.req.method === 'OPTIONS';
    context.header('vary', 'origin', { append: true });
    if (origin !== undefined && isOrigin(origin)) {
      const allowed = await origins.isAllowed(origin, context.req.header('host')).catch((err: unknown) => {
        log.error({ err }, 'allowed origins could not be read');
        return false;
      });
      if (allowed) {
        context.header('access-control-allow-origin', origin);
        context.header('access-control-expose-headers', 'x-request-id, retry-after');
        if (preflight) {
          context.header('access-control-allow-methods', 'POST');
          context.header('access-control-allow-headers', 'apikey, content-type, x-request-id');
          context.header('access-control-max-age', '600');
        }
      }
    }
    if (preflight) return context.body(null, 204);
    return next();
  };
}
