import { spawn } from 'node:child_process';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { createShopServer } from './shop-tools.ts';

/** A tool server over stdio; the first argument is its mode, see `shop-tools.ts`. */
const mode = process.argv[2] ?? 'plain';

if (mode === 'hang_on_start') setInterval(() => undefined, 1_000);
else if (mode === 'dies_at_once') process.exit(7);
else {
  if (mode === 'stubborn') {
    // Ignores what a polite server obeys, and has a child of its own.
    process.on('SIGTERM', () => undefined);
    process.stdin.on('end', () => undefined);
    setInterval(() => undefined, 1_000);
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    process.stderr.write(`child ${child.pid}\n`);
  }
  if (mode === 'chatty') {
    process.stdout.write('this line is no message\n');
    for (let line = 0; line < 1_000; line += 1)
      process.stderr.write(`line ${line} with ${process.env.TOKEN ?? ''}\n`);
  }
  await createShopServer({ mode, calls: [], cancelled: 0 }).connect(new StdioServerTransport());
}
