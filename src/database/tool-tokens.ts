import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

interface TokenRowKey {
  readonly businessId: string;
  readonly server: string;
}

const rowSchema = z.object({ sealed: z.string(), version: z.number() }).nullable();

/** The sealed tokens of one server of one business. */
export async function loadToolTokens(
  db: Database,
  { businessId, server }: TokenRowKey,
): Promise<{ sealed: string; version: number } | undefined> {
  const parameters = { p_business_id: businessId, p_server_key: server };
  return (await callFunction(db, 'load_tool_tokens', parameters, rowSchema)) ?? undefined;
}

/** @returns the new version, or undefined when the row is no longer at `version` (0: there was none) */
export async function saveToolTokens(
  db: Database,
  { businessId, server }: TokenRowKey,
  sealed: string,
  version: number,
): Promise<number | undefined> {
  const parameters = {
    p_business_id: businessId,
    p_server_key: server,
    p_sealed: sealed,
    p_version: version,
  };
  return (await callFunction(db, 'save_tool_tokens', parameters, z.number().nullable())) ?? undefined;
}
