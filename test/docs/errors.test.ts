import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CATALOGUE } from '../../src/errors.ts';

const ROOT = new URL('../../', import.meta.url);

interface Row {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly remedy: string;
}

function documented(): Row[] {
  const text = readFileSync(new URL('docs/errors.md', ROOT), 'utf8');
  return [...text.matchAll(/^\| ([a-z_]+) \| (\d+) \| (.*?) \| (.*?) \|$/gm)].map(
    ([, code = '', status = '', title = '', remedy = '']) => ({
      code,
      status: Number(status),
      title,
      remedy,
    }),
  );
}

describe('docs/errors.md', () => {
  it('says of each code exactly what the catalogue says', () => {
    const catalogue = Object.entries(ERROR_CATALOGUE).map(([code, entry]) => ({ code, ...entry }));
    const byCode = (a: Row, b: Row) => a.code.localeCompare(b.code);
    expect(documented().sort(byCode)).toEqual(catalogue.sort(byCode));
  });

  it('is in alphabetical order, so that a code is found at a glance', () => {
    const codes = documented().map(({ code }) => code);
    expect(codes).toEqual([...codes].sort());
  });

  it('has a remedy for each that is a sentence', () => {
    for (const { code, title, remedy } of documented()) {
      expect(title, code).toMatch(/^[A-Z].*[^.]$/);
      expect(remedy, code).toMatch(/^[A-Z`].*\.$/);
    }
  });

  it('has every code that a database function raises', () => {
    const raised = new Set<string>();
    for (const file of readdirSync(new URL('migrations/', ROOT)).filter((name) => name.endsWith('.sql'))) {
      const sql = readFileSync(new URL(`migrations/${file}`, ROOT), 'utf8');
      for (const [, code = ''] of sql.matchAll(/floorwalker\.fail\(\s*'([a-z_]+)'/g)) raised.add(code);
    }
    expect(raised.size).toBeGreaterThan(10);
    expect([...raised].filter((code) => !Object.hasOwn(ERROR_CATALOGUE, code))).toEqual([]);
  });
});
