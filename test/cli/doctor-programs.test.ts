import { expect, test } from 'vitest';
import { checkPrograms } from '../../src/cli/doctor/programs.ts';

const program = { command: 'server', args: [], env: {} };
const shop = { ...program, runAs: { uid: 1, gid: 1 } };
const look = async (tools: Parameters<typeof checkPrograms>[0], works: boolean) =>
  (await checkPrograms(tools, async () => works)).map(({ status, message }) => [status, message] as const);

test('programs that could read the secrets of the worker are named, where nothing keeps them from it', async () => {
  const [found] = await look({ servers: { shop, desk: program }, allowInlineStdio: true }, false);
  expect(found?.[0]).toBe('warn');
  expect(found?.[1]).toContain('desk, inline commands');
  expect(found?.[1]).not.toContain('shop');
});

test('there is nothing to say of programs with a user or a namespace of their own, or of none', async () => {
  expect(await look({ servers: { shop }, allowInlineStdio: false }, false)).toEqual([]);
  expect(await look({ servers: {}, allowInlineStdio: false }, false)).toEqual([]);
  expect(
    (await look({ servers: { desk: program }, allowInlineStdio: false }, true)).map(([status]) => status),
  ).toEqual(['ok']);
});
