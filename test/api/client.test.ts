import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { generateClient } from '../../scripts/client/generate.ts';

const GENERATED = new URL('../../src/console/client/schema.gen.ts', import.meta.url);

it('the typed client is the one that the API’s document gives: run "npm run client" after a change of a route', async () => {
  expect(await readFile(GENERATED, 'utf8')).toBe(await generateClient());
});
