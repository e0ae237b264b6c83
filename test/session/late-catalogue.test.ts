import { expect, test } from 'vitest';
import { lateCatalogue } from '../../src/session/late-catalogue.ts';
import type { ToolCatalogue, ToolDefinition } from '../../src/tools/types.ts';

const tool: ToolDefinition = {
  name: 'look',
  description: '',
  inputSchema: { type: 'object' },
  requiresPermission: false,
  definitionHash: 'h',
  idempotent: true,
  timeoutMs: 1_000,
};

function opened(): ToolCatalogue {
  return {
    definitions: [tool],
    definition: () => tool,
    prepare: async () => ({ ok: true, definition: tool, arguments: {} }),
    call: async () => ({ status: 'succeeded', output: 'looked', isError: false, full: null }),
    onChanged: () => undefined,
    update: async () => undefined,
    close: async () => undefined,
  };
}

test('a conversation has no tools while its servers list them, and is told when they are there', async () => {
  const opening = Promise.withResolvers<ToolCatalogue>();
  const late = lateCatalogue(opening.promise);
  let changes = 0;
  late.onChanged(() => {
    changes += 1;
  });
  // It can be asked at any time, and answers at once: nobody waits for a slow server to speak.
  expect([late.definitions, late.definition('look')]).toEqual([[], undefined]);
  const call = late.call(
    'look',
    {},
    { callId: 'c', idempotencyKey: 'k', signal: new AbortController().signal },
  );
  opening.resolve(opened());
  await late.ready;
  expect(changes).toBe(1);
  expect(late.definitions.map(({ name }) => name)).toEqual(['look']);
  expect((await call).output).toBe('looked');
});
