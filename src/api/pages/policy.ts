/** What a page may do, as the header `content-security-policy` says it. */
export interface PagePolicy {
  /** Beyond the API itself. */
  readonly connectTo: readonly string[];
  /** Origins whose pages may frame it; none means none. */
  readonly framedBy: readonly string[];
}

/**
 * No inline script or style, nothing from elsewhere: text of customers, models and tools that should ever end up as
 * markup could still not run. Sound comes from tracks that script attaches, and from files of our own.
 */
export function contentSecurityPolicy({ connectTo, framedBy }: PagePolicy): string {
  const directives: [name: string, ...sources: string[]][] = [
    ['default-src', "'none'"],
    ['script-src', "'self'"],
    ['style-src', "'self'"],
    ['img-src', "'self'"],
    ['font-src', "'self'"],
    ['manifest-src', "'self'"],
    ['media-src', "'self'", 'blob:'],
    ['worker-src', "'self'"],
    ['connect-src', "'self'", ...connectTo],
    ['base-uri', "'none'"],
    ['form-action', "'self'"],
    ['frame-ancestors', ...(framedBy.length === 0 ? ["'none'"] : framedBy)],
  ];
  return directives.map((directive) => directive.join(' ')).join('; ');
}

/** The signal connection, the requests that the client library makes beside it, and in LiveKit's cloud the regions. */
export function liveKitSources(url: string): string[] {
  const { host, hostname, protocol } = new URL(url);
  const secure = protocol === 'wss:' || protocol === 'https:';
  const own = secure ? [`wss://${host}`, `https://${host}`] : [`ws://${host}`, `http://${host}`];
  if (!hostname.endsWith('.livekit.cloud')) return own;
  return [...own, 'wss://*.livekit.cloud', 'https://*.livekit.cloud'];
}

/**
 * A business's allowed origins as sources of a policy. What is not an origin is left out: it came from a person, and
 * a semicolon in it would be a directive of its own.
 */
export function frameSources(allowedOrigins: readonly string[]): string[] {
  if (allowedOrigins.includes('*')) return ['*'];
  return allowedOrigins.filter((origin) => URL.canParse(origin) && new URL(origin).origin === origin);
}
