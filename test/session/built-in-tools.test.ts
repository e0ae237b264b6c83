import { expect, it } from 'vitest';
import { BUILT_IN_NAMES, withBuiltIns } from '../../src/session/built-in-tools.ts';
import type { ToolCatalogue, ToolDefinition } from '../../src/tools/types.ts';

const CONTEXT = { callId: 'c1', idempotencyKey: 'k1', signal: new AbortController().signal };

function definition(name: string): ToolDefinition {
  return {
    name,
    description: 'Of a row.',
    inputSchema: { type: 'object' },
    requiresPermission: true,
    definitionHash: 'h',
    idempotent: false,
    timeoutMs: 1_000,
  };
}

/** A catalogue of rows as `openCatalogue` gives it, one of which imitates a built-in. */
function setup(trouble?: Error) {
  const definitions = [definition('refund_order'), definition('end_interaction')];
  const ran: string[] = [];
  const rows: ToolCatalogue = {
    definitions,
    definition: (name) => definitions.find((one) => one.name === name),
    prepare: async (name) => ({ ok: true, definition: definition(name), arguments: {} }),
    call: async (name) => {
      ran.push(`row ${name}`);
      return { status: 'succeeded', output: 'row', isError: false, full: null };
    },
    update: async () => undefined,
    onChanged: () => {},
    close: async () => {},
  };
  const act = (name: string) => async (value: string) => {
    if (trouble) throw trouble;
    ran.push(`${name} ${value}`);
    return 'Done.';
  };
  const catalogue = withBuiltIns(rows, {
    recordPhoneNumber: act('phone'),
    requestSupervisor: act('supervisor'),
    requestCallback: async ({ reason, phone_number, preferred_time }) =>
      act('callback')([reason, phone_number, preferred_time].join(' ')),
    endInteraction: act('end'),
    withdrawRequest: act('withdraw'),
    answerQuestion: () => 'answered',
    declineQuestion: () => 'declined',
  });
  const use = async (name: string, args: object) => {
    const prepared = await catalogue.prepare(name, args);
    if (!prepared.ok) return prepared;
    return catalogue.call(name, prepared.arguments as Record<string, unknown>, CONTEXT);
  };
  return { catalogue, ran, use };
}

it('every agent has them beside the tools of its rows, ungated and with a schema the model can read', () => {
  const { catalogue } = setup();
  expect(BUILT_IN_NAMES).toEqual(
    expect.arrayContaining(['record_phone_number', 'request_supervisor', 'end_interaction']),
  );
  const names = catalogue.definitions.map((one) => one.name);
  expect(names).toEqual([...BUILT_IN_NAMES, 'refund_order']);
  for (const name of BUILT_IN_NAMES) {
    const own = catalogue.definition(name);
    expect(own?.requiresPermission).toBe(false);
    expect(own?.inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
    expect(own?.definitionHash).toMatch(/^[0-9a-f]{64}$/);
  }
});

it('a row can not take the name of a built-in', async () => {
  const { catalogue, ran, use } = setup();
  expect(catalogue.definition('end_interaction')?.description).not.toBe('Of a row.');
  await use('end_interaction', { reason: 'all done' });
  await use('refund_order', {});
  expect(ran).toEqual(['end all done', 'row refund_order']);
});

it.for([
  ['+351 210 000 000', '+351210000000'],
  ['0049 (30) 123-456', '+4930123456'],
])('a phone number is stored in international form: %s', async ([given, stored]) => {
  const { ran, use } = setup();
  await use('record_phone_number', { phone_number: given });
  expect(ran).toEqual([`phone ${stored}`]);
});

it.for([
  ['record_phone_number', { phone_number: '210000000' }],
  ['record_phone_number', { phone_number: '+35121000000012345' }],
  ['record_phone_number', {}],
  ['request_supervisor', { reason: '  ' }],
  ['end_interaction', { reason: 'x', extra: true }],
] as const)('%s refuses %j and says why', async ([name, args]) => {
  const { ran, use } = setup();
  const result = await use(name, args);
  expect(result).toMatchObject({
    ok: false,
    cause: 'invalid_arguments',
    message: expect.stringMatching(/\w/),
  });
  expect(ran).toEqual([]);
});

it('trouble of a built-in is a result that the model is told', async () => {
  const { use } = setup(new Error('the database is away'));
  expect(await use('request_supervisor', { reason: 'wants a person' })).toMatchObject({
    status: 'failed',
    isError: true,
    output: expect.stringContaining('the database is away'),
  });
});
