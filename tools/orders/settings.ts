import { z } from 'zod';

export interface OrdersSettings {
  readonly supabaseUrl: string;
  readonly supabaseKey: string;
  /** The shop's business; `argument`: each call brings it (bound by the host); undefined: the only one there is. */
  readonly businessId: string | 'argument' | undefined;
  /** Over HTTP, what `authorization: Bearer` must carry. */
  readonly token: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the program's own variables. @throws Error with a line for each problem and its remedy */
export function readSettings(env: Environment): OrdersSettings {
  const problems: string[] = [];
  const supabaseUrl = env.ORDERS_SUPABASE_URL ?? '';
  if (!URL.canParse(supabaseUrl)) {
    problems.push('ORDERS_SUPABASE_URL is not an address. Set it to the URL of your Supabase project.');
  }
  const supabaseKey = env.ORDERS_SUPABASE_KEY ?? '';
  if (supabaseKey === '')
    problems.push('ORDERS_SUPABASE_KEY is not set. Set it to the secret key of that project.');
  const businessId = env.ORDERS_BUSINESS_ID || undefined;
  if (businessId !== undefined && businessId !== 'argument' && !z.guid().safeParse(businessId).success) {
    problems.push(
      'ORDERS_BUSINESS_ID is neither an id nor "argument". Copy the id from the table businesses.',
    );
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return { supabaseUrl, supabaseKey, businessId, token: env.ORDERS_TOKEN || undefined };
}
