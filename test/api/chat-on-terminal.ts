import { runChat } from '../../src/cli/chat.ts';

/** The chat with a line editor although its input is a pipe: what a person at a keyboard gets. */
const input = Object.assign(process.stdin, { isTTY: true });
const output = Object.assign(process.stdout, { isTTY: true, columns: 80 });
process.exitCode = await runChat({ data: process.argv[2] }, { input, output });
