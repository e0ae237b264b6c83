import type { SupabaseClient } from '@supabase/supabase-js';

/** Calls one function of the database and gives what it returns, not yet looked at. */
export type Rpc = (name: string, args: Readonly<Record<string, unknown>>) => Promise<unknown>;

/**
 * The functions of a Supabase-compatible database. What went wrong is told to the operator on standard error; the
 * model is told what it can do about it. @throws Error with a sentence for the model
 */
export function supabaseRpc(db: SupabaseClient, report: (line: string) => void): Rpc {
  return async (name, args) => {
    const { data, error } = await db.rpc(name, args);
    if (error === null) return data;
    report(`${name}: ${error.code ?? ''} ${error.message}`);
    if (error.code === '42501' || error.message === 'not_allowed') {
      throw new Error(
        'Not done: this server has no right to it. Nothing was changed. Tell the customer that it can not be done here.',
      );
    }
    throw new Error(
      'The database behind this tool did not answer as it should. If something was to be changed, it may or may not ' +
        'have been: look it up before you try again.',
    );
  };
}
