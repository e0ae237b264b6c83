// Writes the types of the API's client from the API's own document: "npm run client". A test fails when they drift.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generateClient } from './client/generate.ts';

const target = fileURLToPath(new URL('../src/console/client/schema.gen.ts', import.meta.url));
await writeFile(target, await generateClient());
console.log(`wrote ${target}`);
