import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { createClient } from '@supabase/supabase-js';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { type Rpc, supabaseRpc } from '../../tools/serving/rpc.ts';
import { makeAccessToken } from '../../tools/serving/token.ts';
import type { TestDatabase } from '../support/database.ts';

export interface Answer {
  readonly failed: boolean;
  readonly text: string;
  readonly data: ReturnType<typeof JSON.parse>;
}

/** Calls the tools of a server in this process, as any MCP client would. */
export async function connectTo(server: McpServer) {
  const client = new Client({ name: 'a host', version: '1' });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(theirs), client.connect(ours)]);
  onTestFinished(() => client.close());
  // Learns the output schemas, which the client then holds every answer against.
  const { tools } = await client.listTools();
  const call = async (name: string, args: object = {}, key?: string): Promise<Answer> => {
    const result = await client.callTool(
      {
        name,
        arguments: { ...args },
        ...(key === undefined ? {} : { _meta: { 'floorwalker/idempotency-key': key } }),
      },
      CallToolResultSchema,
    );
    const [content] = z.array(z.object({ text: z.string() })).parse(result.content);
    return {
      failed: result.isError === true,
      text: content?.text ?? '',
      data: result.structuredContent ?? {},
    };
  };
  return { tools, call };
}

/** The database as a server has it that holds a token of its own role. */
export function rpcAs(database: TestDatabase, role: string, businessId: string, days = 1): Rpc {
  const token = makeAccessToken({
    role,
    businessId,
    jwtSecret: database.jwtSecret,
    nowMs: Date.now(),
    days,
  });
  const db = createClient(database.supabaseUrl, database.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    accessToken: () => Promise.resolve(token),
  });
  return supabaseRpc(db, () => {});
}
