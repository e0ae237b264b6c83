import { createLog } from '../../../src/log.ts';
import { openCatalogue } from '../../../src/tools/catalogue.ts';

/** A worker with one stubborn tool server; it says who they are and waits to be killed. */
const lines: { line?: string }[] = [];
const catalogue = await openCatalogue(
  [
    {
      id: 'row',
      tool_name: 'whoami',
      tool_config: {
        transport: 'stdio',
        command: process.execPath,
        args: [new URL('./stdio.ts', import.meta.url).pathname, 'stubborn'],
      },
      requires_permission: false,
    },
  ],
  {
    config: {
      allowInlineStdio: true,
      allowPrivateAddresses: true,
      servers: {},
      defaultTimeoutMs: 5_000,
      maxResultChars: 8_000,
      secret: () => undefined,
      secretHosts: () => [],
    },
    identity: { businessId: 'b', interactionId: 'i', customerId: null, phoneNumber: null, phoneSource: null },
    log: createLog({
      level: 'info',
      destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
    }),
    onStep: () => undefined,
    connectTimeoutMs: 10_000,
  },
);
const signal = new AbortController().signal;
const { output } = await catalogue.call('whoami', {}, { callId: 'c', idempotencyKey: 'k', signal });
const child = () => lines.find(({ line }) => line?.startsWith('child '))?.line;
while (child() === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write(
  `${JSON.stringify({ pid: JSON.parse(output).pid, child: Number(child()?.slice(6)) })}\n`,
);
