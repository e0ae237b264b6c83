import type { ModelRequest } from './model.ts';

/** The tool that `shopModel` asks for, at a recorder's address. */
export function refundTool(url: string) {
  return {
    toolName: 'refund_order',
    requiresPermission: true,
    toolConfig: {
      endpoint: `${url}/refund`,
      method: 'POST',
      description: 'Refunds an order.',
      input_schema: {
        type: 'object',
        properties: { order: { type: 'string' }, amount: { type: 'number', maximum: 100 } },
        required: ['order'],
        additionalProperties: false,
      },
    },
  };
}

/** A model that asks for a refund when the customer does, and otherwise repeats what it was told. */
export function shopModel(request: ModelRequest) {
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  if (/refund/.test(request.lastUser) && request.toolNames.includes('refund_order')) {
    const [order = '1042'] = request.lastUser.match(/\d+/) ?? [];
    return { text: 'I will ask for that.', toolCalls: [{ name: 'refund_order', arguments: { order } }] };
  }
  return `Heard: ${request.lastUser}`;
}
