#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { createClient } from '@supabase/supabase-js';
import { serveHttp } from './http.ts';
import { createOrdersServer } from './server.ts';
import { readSettings } from './settings.ts';
import { Shop } from './shop.ts';

const USAGE = 'Usage: node tools/orders/main.ts [--http] [--host 127.0.0.1] [--port 8801]';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      http: { type: 'boolean', default: false },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '8801' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stderr.write(`${USAGE}\n`);
    return;
  }
  const settings = readSettings(process.env);
  const db = createClient(settings.supabaseUrl, settings.supabaseKey, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const shop = new Shop(db);
  const businessId = settings.businessId ?? (await shop.onlyBusiness());
  if (values.http) {
    const running = await serveHttp({
      host: values.host,
      port: Number(values.port),
      token: settings.token,
      createServer: () => createOrdersServer(shop, businessId),
    });
    process.stderr.write(`Orders: MCP over HTTP at ${running.url}\n`);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void running.close());
    return;
  }
  const transport = new StdioServerTransport();
  const server = createOrdersServer(shop, businessId);
  await server.connect(transport);
  // The host closes our input when it is done with us.
  process.stdin.once('end', () => void server.close().then(() => process.exit(0)));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
