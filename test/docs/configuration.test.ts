import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inspectConfig } from '../../src/config.ts';
import { agentSchema } from '../../src/definitions/agent-schema.ts';

const ROOT = new URL('../../', import.meta.url);
const DOCUMENTS = [
  'README.md',
  ...readdirSync(new URL('docs/', ROOT))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

/** The names of all settings that the configuration asks the environment for. */
function settingsRead(): string[] {
  const names = new Set<string>();
  const env = new Proxy<Record<string, string | undefined>>(
    {},
    {
      get(_, name) {
        if (typeof name === 'string') names.add(name);
        return undefined;
      },
    },
  );
  inspectConfig(env);
  return [...names];
}

/** The settings that the README's tables name; `…_SECOND_MS` stands for the name before it with another ending. */
function settingsDocumented(): string[] {
  const cells = [...read('README.md').matchAll(/^\| (`[A-Z][^|]*) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => {
    const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    const stem = (names[0] ?? '').replace(/_[A-Z]+_MS$/, '');
    return names.map((name) => name.replace('…', stem));
  });
}

describe('the README', () => {
  it('lists every setting there is, and none that there is not', () => {
    const documented = settingsDocumented().filter((name) => !name.startsWith('TOOL_SECRET_'));
    expect([...documented].sort()).toEqual(settingsRead().sort());
  });

  it('lists every setting of an agent, and every part of tool_config, that a definition may have', () => {
    const documented = [...read('docs/agents.md').matchAll(/^\| (`[a-z][^|]*) \|/gm)].flatMap(
      ([, cell = '']) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name),
    );
    expect(documented).toEqual(expect.arrayContaining(Object.keys(agentSchema.shape)));
  });
});

describe('the documents', () => {
  it.each(DOCUMENTS)('%s links only to files that exist', (document) => {
    const links = [...read(document).matchAll(/\]\(([^)#:]+)\)/g)].map(([, path = '']) => path);
    const base = new URL(document, ROOT);
    expect(links.filter((path) => !existsSync(new URL(path, base)))).toEqual([]);
  });
});

describe('.env.example', () => {
  it('names settings that exist, and all that a start needs', () => {
    const named = [...read('.env.example').matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name);
    const known = settingsRead();
    expect(named.filter((name) => !known.includes(name) && !name.startsWith('TOOL_SECRET_'))).toEqual([]);
    const required = inspectConfig({}).problems.map(({ setting }) => setting.split(' or ')[0] ?? '');
    expect(required.filter((name) => !named.includes(name))).toEqual([]);
  });
});
