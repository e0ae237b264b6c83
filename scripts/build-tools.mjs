// Makes a package of each shipped tool server, with all it needs in one file: "npm run build:tools [-- FOLDER]", default
// dist/tools. `npx ./dist/tools/floorwalker-orders` runs one, `npm pack` and `npm publish` there give it to others.
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const TOOL_SERVERS = {
  orders: 'An MCP server for a small shop: finds, tracks, refunds and cancels orders.',
  appointments: 'An MCP server for calendars: offers free times, books, moves and cancels.',
  customers: 'An MCP server for what is known of customers: profile, notes, health, signals of risk.',
  knowledge: 'An MCP server that finds passages in Markdown, HTML, PDF and text, each with its source.',
};

/** @param {string} folder where the packages go, each into a folder of its name */
export async function buildToolServers(folder) {
  const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const [server, description] of Object.entries(TOOL_SERVERS)) {
    const name = `floorwalker-${server}`;
    const outDir = join(folder, name);
    await build({
      root,
      configFile: false,
      logLevel: 'warn',
      ssr: { noExternal: true, target: 'node' },
      build: {
        ssr: join(root, 'tools', server, 'main.ts'),
        outDir,
        emptyOutDir: true,
        target: 'node22',
        minify: true,
        rolldownOptions: { output: { entryFileNames: 'main.js', codeSplitting: false } },
      },
    });
    chmodSync(join(outDir, 'main.js'), 0o755);
    copyFileSync(join(root, 'tools', server, 'README.md'), join(outDir, 'README.md'));
    const manifest = {
      name,
      version,
      description,
      license,
      type: 'module',
      bin: { [name]: 'main.js' },
      engines: { node: '>=22' },
    };
    writeFileSync(join(outDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = resolve(process.argv[2] ?? join(root, 'dist/tools'));
  await buildToolServers(folder);
  console.log(`wrote ${folder}`);
}
