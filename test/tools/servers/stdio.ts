import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { createShopServer } from './shop-tools.ts';

/**
 * A tool server over stdio; the first argument is its mode, see `shop-tools.ts`. With a file as the second it behaves
 * so until it dies, and is well afterwards.
 */
const [, , wanted = 'plain', died] = process.argv;
const mode = died !== undefined && existsSync(died) ? 'plain' : wanted;
if (died !== undefined && mode === 'die_on_call') process.once('exit', () => writeFileSync(died, ''));

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
