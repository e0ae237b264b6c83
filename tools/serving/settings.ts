import { z } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ServerSettings {
  readonly supabaseUrl: string;
  readonly supabaseKey: string;
  /** A token of the server's own role; then the key can be the publishable one. */
  readonly accessToken: string | undefined;
  /** Whose data it is; `argument`: each call brings it (bound by the host); undefined: the only business there is. */
  readonly businessId: string | 'argument' | undefined;
  /** Over HTTP, what `authorization: Bearer` must carry. */
  readonly token: string | undefined;
}

/**
 * Reads a server's own variables, which begin with its prefix.
 * @throws Error with a line for each problem and its remedy
 */
export function readSettings(prefix: string, env: Environment): ServerSettings {
  const problems: string[] = [];
  const read = (name: string) => env[`${prefix}_${name}`] || undefined;
  const supabaseUrl = read('SUPABASE_URL') ?? '';
  if (!URL.canParse(supabaseUrl)) {
    problems.push(`${prefix}_SUPABASE_URL is not an address. Set it to the URL of your Supabase project.`);
  }
  const supabaseKey = read('SUPABASE_KEY') ?? '';
  if (supabaseKey === '') {
    problems.push(
      `${prefix}_SUPABASE_KEY is not set. Set it to the secret key of that project, or to its publishable key and ${prefix}_ACCESS_TOKEN.`,
    );
  }
  const accessToken = read('ACCESS_TOKEN');
  const claimed = accessToken === undefined ? undefined : businessOf(accessToken);
  if (accessToken !== undefined && claimed === undefined) {
    problems.push(
      `${prefix}_ACCESS_TOKEN is not a token with the claim business_id. Make one with the command "token".`,
    );
  }
  const businessId = read('BUSINESS_ID') ?? claimed;
  if (businessId !== undefined && businessId !== 'argument' && !z.guid().safeParse(businessId).success) {
    problems.push(
      `${prefix}_BUSINESS_ID is neither an id nor "argument". Copy the id from the table businesses.`,
    );
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return { supabaseUrl, supabaseKey, accessToken, businessId, token: read('TOKEN') };
}

/** What the token says; the database is what checks it. */
function businessOf(token: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return z.object({ business_id: z.guid() }).parse(claims).business_id;
  } catch {
    return undefined;
  }
}
