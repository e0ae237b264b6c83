import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { z } from 'zod';
import { mapStrings } from './result-text.ts';

const MAX_PAGES = 20;
const MAX_TOOLS = 500;
const NO_SDK_TIMEOUT_MS = 2_147_483_000;

const serverToolSchema = z.looseObject({
  name: z.string().min(1).max(200),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()),
  annotations: z
    .looseObject({
      readOnlyHint: z.boolean().optional(),
      destructiveHint: z.boolean().optional(),
      idempotentHint: z.boolean().optional(),
    })
    .optional(),
});
export type ServerTool = z.output<typeof serverToolSchema>;
const pageSchema = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

/** All tools of a server; one that breaks the protocol is left out and told. */
export async function listServerTools(
  client: Client,
  signal: AbortSignal,
  hooks: { onUnusable(): void; clean(text: string): string },
): Promise<ServerTool[]> {
  const tools: ServerTool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page += 1) {
    const params = cursor === undefined ? {} : { cursor };
    // Not client.listTools: one unusable output schema would fail the whole list there.
    const answer = await client.request({ method: 'tools/list', params }, pageSchema, {
      signal,
      timeout: NO_SDK_TIMEOUT_MS,
    });
    for (const candidate of answer.tools) {
      const tool = serverToolSchema.safeParse(candidate);
      // Its words come before the model: a server may have put into them what it was sent.
      if (tool.success) tools.push(mapStrings(tool.data, hooks.clean) as ServerTool);
      else hooks.onUnusable();
    }
    if (answer.nextCursor === undefined || answer.nextCursor === cursor) break;
    cursor = answer.nextCursor;
  }
  return tools.slice(0, MAX_TOOLS);
}
