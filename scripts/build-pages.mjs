// Builds the pages that the API serves, each into a folder below dist/pages: "npm run build:pages [-- console]".
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { PAGES, WIDGET_LOADER } from '../vite.config.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const asked = process.argv.slice(2);

// React's development build is twice the size and reports to a console that nobody reads.
process.env.NODE_ENV = 'production';
for (const [mode, source] of Object.entries(PAGES)) {
  const present = existsSync(join(root, source, 'index.html'));
  if (asked.length > 0 ? !asked.includes(mode) : !present) continue;
  await build({ configFile: join(root, 'vite.config.ts'), mode, logLevel: 'warn' });
  if (mode === 'widget') await build({ ...WIDGET_LOADER, mode });
}
