import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { Protocol } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

/** What the fixture server saw and how it behaves; a test over HTTP shares it, one over stdio passes its mode. */
export interface Behaviour {
  mode: string;
  /** Descriptions that replace those of the list. */
  descriptions?: Map<string, string>;
  calls: { name: string; args: unknown; meta: unknown; env?: unknown }[];
  cancelled: number;
}

const order = {
  type: 'object',
  properties: {
    order: { type: 'integer', minimum: 1 },
    phone: { type: 'string' },
    note: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null },
  },
  required: ['order', 'phone'],
  additionalProperties: false,
};

/** The tools as they go over the wire: not through the SDK's own schema helpers, so that they may be wrong. */
function listed(mode: string): unknown[] {
  const tools: unknown[] = [
    {
      name: 'find_order',
      description: 'Looks an order up',
      inputSchema: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $defs: { order },
        type: 'object',
        properties: { ...order.properties, tags: { type: 'array', prefixItems: [{ const: 'a' }] } },
        required: ['order', 'phone'],
        additionalProperties: false,
      },
      annotations: { readOnlyHint: true },
    },
    { name: 'refund', description: 'Pays back', inputSchema: order, annotations: { destructiveHint: true } },
    { name: 'ping', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
    { name: 'whoami', inputSchema: { type: 'object' } },
    {
      name: 'draft7',
      inputSchema: {
        $schema: 'http://json-schema.org/draft-07/schema#',
        type: 'object',
        properties: { at: { type: 'string', format: 'date' } },
        required: ['at'],
      },
    },
  ];
  if (mode === 'idempotent')
    tools.push({ name: 'settle', inputSchema: { type: 'object' }, annotations: { idempotentHint: true } });
  if (mode === 'lies') {
    tools.push(
      { name: 'no_object', inputSchema: { type: 'array' } },
      { name: 'bad_ref', inputSchema: { type: 'object', properties: { a: { $ref: '#/nowhere' } } } },
      { name: 'bad_keyword', inputSchema: { type: 'object', properties: { a: { type: 'strng' } } } },
      {
        name: 'bad_output',
        inputSchema: { type: 'object' },
        outputSchema: { type: 'object', properties: { n: { type: 'nope' } } },
      },
      { inputSchema: { type: 'object' } },
      'not even an object',
      { name: 'end_interaction', inputSchema: { type: 'object' } },
      { name: 'naïve tool!', inputSchema: { type: 'object' } },
    );
  }
  return tools;
}

function described({ mode, descriptions }: Behaviour): unknown[] {
  return listed(mode).map((tool) => {
    const name = typeof tool === 'object' && tool !== null && 'name' in tool ? String(tool.name) : '';
    const description = descriptions?.get(name);
    return description === undefined ? tool : { ...(tool as object), description };
  });
}

export function createShopServer(behaviour: Behaviour): Server {
  const server = new Server(
    { name: 'fixture', version: '1' },
    { capabilities: { tools: { listChanged: true } } },
  );
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const tools = described(behaviour);
    if (behaviour.mode !== 'pages') return { tools } as never;
    const page = Number(params?.cursor ?? 0);
    const nextCursor = page + 1 < tools.length ? { nextCursor: String(page + 1) } : {};
    return { tools: tools.slice(page, page + 1), ...nextCursor } as never;
  });
  // Past the SDK's server, which would mend or refuse the wrong results that this one is for.
  Protocol.prototype.setRequestHandler.call(server, CallToolRequestSchema, async ({ params }, extra) => {
    behaviour.calls.push({ name: params.name, args: params.arguments, meta: params._meta });
    extra.signal.addEventListener('abort', () => {
      behaviour.cancelled += 1;
    });
    return (await answer(behaviour, params.name, params.arguments ?? {}, server)) as never;
  });
  return server;
}

const text = (value: string) => ({ content: [{ type: 'text', text: value }] });

async function answer(
  behaviour: Behaviour,
  name: string,
  args: Record<string, unknown>,
  server: Server,
): Promise<unknown> {
  switch (behaviour.mode) {
    case 'hang_on_call':
      return new Promise(() => undefined);
    case 'die_on_call':
      process.exit(3);
      break;
    case 'answers_pairs':
      // The first is answered when the second is there, whatever time that takes.
      while (behaviour.calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      break;
    case 'big_result':
      return text('x'.repeat(300_000));
    case 'flood':
      for (let part = 0; part < 10; part += 1) process.stdout.write('y'.repeat(40 * 1024 * 1024));
      return new Promise(() => undefined);
    case 'not_a_result':
      return { content: 'wrong', isError: 'perhaps' };
    case 'error':
      return { ...text('The order is locked'), isError: true };
    case 'rich':
      return {
        content: [
          { type: 'text', text: 'Two things' },
          { type: 'image', data: 'AAAA', mimeType: 'image/png' },
          { type: 'resource_link', uri: 'https://shop.example/1', name: 'Invoice' },
          { type: 'resource', resource: { uri: 'file:///a', text: 'inside' } },
          { type: 'hologram' },
        ],
        structuredContent: { total: 59.9 },
      };
    case 'change':
      behaviour.mode = 'lies';
      await server.sendToolListChanged();
      return text('changed');
  }
  if (name === 'whoami') return text(JSON.stringify({ env: process.env, pid: process.pid, args }));
  if (name === 'ping') return text('pong');
  return {
    ...text(`order ${String(args.order)}`),
    structuredContent: { order: args.order, phone: args.phone },
  };
}
