import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { prepareDatabase, startSupabase } from './supabase.ts';

/**
 * The embedded Supabase as a process of its own. Reads its settings as JSON from standard input, because they hold
 * secrets; prints one line of JSON (`url`) when it serves; ends on SIGTERM.
 */
const settingsSchema = z.object({
  databaseUrl: z.string(),
  port: z.number(),
  keys: z.object({ jwtSecret: z.string(), publishableKey: z.string(), secretKey: z.string() }),
});

const settings = settingsSchema.parse(JSON.parse(await text(process.stdin)));
await prepareDatabase(settings.databaseUrl);
const server = await startSupabase(settings);
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
