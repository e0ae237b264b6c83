import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

/** A server that wants to know things while it works: from the customer, from the model, and tells how far it is. */
const server = new McpServer({ name: 'asking', version: '1' }, { capabilities: { logging: {} } });
const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });

function question(name: string, message: string, field: string): void {
  server.registerTool(name, { inputSchema: {} }, async () => {
    const answer = await server.server.elicitInput({
      message,
      requestedSchema: {
        type: 'object',
        properties: { [field]: { type: 'string', title: field, minLength: 3 } },
        required: [field],
      },
    });
    return said(`${name}: ${answer.action} ${JSON.stringify(answer.content ?? null)}`);
  });
}

question('book', 'Which day suits you?', 'day');
question('login', 'Please give us your password.', 'password');
question('pay', 'Which card?', 'cardNumber');

server.registerTool('think', { inputSchema: {} }, async () => {
  const answer = await server.server.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: 'Say yes.' } }],
    maxTokens: 100_000,
  });
  return said(`think: ${JSON.stringify(answer.content)}`);
});

server.registerTool(
  'work',
  { inputSchema: { ms: z.number().default(0) } },
  async ({ ms }, { _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken;
    for (let step = 1; step <= 4; step += 1) {
      if (progressToken !== undefined)
        await sendNotification({
          method: 'notifications/progress',
          params: { progressToken, progress: step, total: 8, message: 'counting' },
        });
      await new Promise((resolve) => setTimeout(resolve, ms / 4));
    }
    return said('work: done');
  },
);

server.registerTool('folders', { inputSchema: {} }, async () =>
  said(`folders: ${JSON.stringify((await server.server.listRoots()).roots)}`),
);

server.registerTool('grumble', { inputSchema: {} }, async () => {
  await server.server.sendLoggingMessage({ level: 'info', data: 'all is well' });
  await server.server.sendLoggingMessage({ level: 'error', logger: 'stock', data: 'order of Jane is lost' });
  return said('grumble: done');
});

await server.connect(new StdioServerTransport());
