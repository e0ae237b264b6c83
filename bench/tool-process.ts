import { createLog } from '../src/log.ts';
import { openCatalogue } from '../src/tools/catalogue.ts';
import { ServerPool } from '../src/tools/server-pool.ts';
import type { ToolCatalogue, ToolsConfig } from '../src/tools/types.ts';

const BUSINESS = '00000000-0000-4000-8000-000000000001';

const config: ToolsConfig = {
  allowInlineStdio: false,
  allowPrivateAddresses: true,
  servers: {},
  defaultTimeoutMs: 10_000,
  maxResultChars: 8_000,
  secret: () => undefined,
  secretHosts: () => [],
};

export interface ToolProcess {
  readonly pool: ServerPool;
  readonly lines: string[];
  join(nth: number, servers: readonly { url: string }[]): Promise<ToolCatalogue>;
}

/** What a worker's process has, without the rest of it. */
export function startToolProcess(): ToolProcess {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: 'info', destination });
  const pool = new ServerPool({ config, log });
  return {
    pool,
    lines,
    join: (nth, servers) =>
      openCatalogue(
        servers.map(({ url }, index) => ({
          id: `row-${index}`,
          tool_name: `server_${index}`,
          tool_config: { transport: 'http', endpoint: url, tool: 'ping' },
          requires_permission: false,
        })),
        {
          config,
          log,
          pool,
          identity: {
            businessId: BUSINESS,
            interactionId: `interaction-${nth}`,
            customerId: null,
            phoneNumber: null,
            phoneSource: null,
          },
          onStep: () => undefined,
        },
      ),
  };
}

let keys = 0;
/** @returns how long it took, in milliseconds */
export async function callOnce(catalogue: ToolCatalogue, name: string): Promise<number> {
  keys += 1;
  const startedAt = performance.now();
  const prepared = await catalogue.prepare(name, {});
  if (!prepared.ok) throw new Error(prepared.message);
  const context = {
    callId: `call-${keys}`,
    idempotencyKey: `key-${keys}`,
    signal: new AbortController().signal,
  };
  const result = await catalogue.call(name, prepared.arguments, context);
  if (result.status !== 'succeeded') throw new Error(result.output);
  return performance.now() - startedAt;
}
