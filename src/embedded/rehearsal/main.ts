import { parseArgs } from 'node:util';
import { createLog } from '../../log.ts';
import { startRehearsal } from './server.ts';

/**
 * The rehearsal servers as a process of their own:
 * `node main.ts [--port N] [--host H] [--key K] [--log-level L] [--first-token-ms N] [--token-ms N] [--watch-stdin]`.
 * Prints one line of JSON (`url`, `openai_base_url`, `deepgram_base_url`, `pid`) when it is ready. It ends on
 * SIGTERM or SIGINT, when its parent's IPC channel closes, and with `--watch-stdin` when stdin does.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    key: { type: 'string' },
    'log-level': { type: 'string', default: 'warn' },
    'first-token-ms': { type: 'string', default: '0' },
    'token-ms': { type: 'string', default: '0' },
    'watch-stdin': { type: 'boolean', default: false },
  },
});

const server = await startRehearsal({
  port: Number(values.port),
  host: values.host,
  log: createLog({ level: values['log-level'], name: 'rehearsal' }),
  pace: { firstTokenMs: Number(values['first-token-ms']), tokenMs: Number(values['token-ms']) },
  ...(values.key ? { key: values.key } : {}),
}).catch((error: unknown) => {
  process.stderr.write(`The rehearsal servers can't start: ${String(error)}\n`);
  process.exit(1);
});

const stop = () => {
  void server.stop().finally(() => process.exit(0));
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
// Crash-only: whoever started this may be killed at any moment, and nothing may be left behind.
if (process.send) process.on('disconnect', stop);
if (values['watch-stdin']) process.stdin.on('end', stop).on('error', stop).resume();

const ready = {
  url: server.url,
  openai_base_url: server.openaiBaseUrl,
  deepgram_base_url: server.deepgramBaseUrl,
  pid: process.pid,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
process.send?.(ready);
