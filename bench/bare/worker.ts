import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, ServerOptions } from '@livekit/agents';
import { z } from 'zod';
import { processEnvironment } from '../../src/config.ts';

const env = z
  .object({
    LIVEKIT_URL: z.string(),
    LIVEKIT_API_KEY: z.string(),
    LIVEKIT_API_SECRET: z.string(),
    BARE_IDLE: z.coerce.number().optional(),
    PORT: z.coerce.number(),
  })
  .parse(processEnvironment());

/** The framework's worker at its defaults, but for a load limit that would refuse jobs on a small machine. */
const server = (() => {
  initializeLogger({ pretty: false, level: 'warn' });
  return new AgentServer(
    new ServerOptions({
      agent: fileURLToPath(new URL('./agent.ts', import.meta.url)),
      agentName: 'bare',
      wsURL: env.LIVEKIT_URL,
      apiKey: env.LIVEKIT_API_KEY,
      apiSecret: env.LIVEKIT_API_SECRET,
      host: '127.0.0.1',
      port: env.PORT,
      loadFunc: async () => 0,
      production: true,
      ...(env.BARE_IDLE === undefined ? {} : { numIdleProcesses: env.BARE_IDLE }),
    }),
  );
})();
server.event.once('worker_registered', () => process.stdout.write('bare worker registered\n'));
process.once('SIGTERM', () => void server.close().finally(() => process.exit(0)));
await server.run();
