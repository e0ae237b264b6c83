import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setupDatabase, type TestDatabase } from '../support/database.ts';

const text = readFileSync(new URL('../../docs/state-machines.md', import.meta.url), 'utf8');

interface Machine {
  readonly column: string;
  readonly drawn: readonly string[];
  readonly listed: readonly string[];
}

/** A machine is a line with its column, perhaps a drawing, and a table of its states. */
function readMachines(): Machine[] {
  const parts = text.split(/^(?=`[a-z_]+\.[a-z_]+`)/m).slice(1);
  return parts.map((part) => {
    const column = /^`([a-z_.]+)`/.exec(part)?.[1] ?? '';
    const drawing = /```mermaid\n([\s\S]*?)```/.exec(part)?.[1] ?? '';
    const drawn = [...drawing.matchAll(/^ {2}(\S+) --> ([a-z_[\]*]+)/gm)].flatMap(
      ([, from = '', to = '']) => [from, to],
    );
    const table = /\n\|[^\n]*\|\n\|---[^\n]*\n((?:\|[^\n]*\n)+)/.exec(part)?.[1] ?? '';
    const listed = [...table.matchAll(/^\| ([a-z_]+) \|/gm)].map(([, state = '']) => state);
    return { column, drawn: [...new Set(drawn)].filter((state) => state !== '[*]'), listed };
  });
}

const machines = readMachines();
let db: TestDatabase;

beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db.stop());

/** The values that the CHECK constraint of a column lists. */
async function allowedBy(column: string): Promise<string[]> {
  const [table = '', name = ''] = column.split('.');
  const rows = await db.sql<{ definition: string }[]>`
    select pg_get_constraintdef(c.oid) as definition
    from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
    where c.contype = 'c' and c.conrelid = ${`public.${table}`}::regclass and a.attname = ${name}`;
  return rows.flatMap(({ definition }) =>
    [...definition.matchAll(/'([a-z_]+)'::text/g)].map(([, value = '']) => value),
  );
}

describe('docs/state-machines.md', () => {
  it('has every machine', () => {
    expect(machines.map(({ column }) => column)).toEqual([
      'interactions.status',
      'tool_calls.state',
      'tool_calls.refusal_reason',
      'tool_permissions.status',
      'tool_permissions.supervisor_response',
      'interactions.control',
      'agents.status',
    ]);
  });

  it.each(machines)(
    'lists for $column exactly the states that the database allows',
    async ({ column, listed }) => {
      expect([...listed].sort()).toEqual((await allowedBy(column)).sort());
    },
  );

  it.each(machines.filter(({ drawn }) => drawn.length > 0))(
    'draws for $column every state and no other',
    (machine) => {
      expect([...machine.drawn].sort()).toEqual([...machine.listed].sort());
    },
  );
});
