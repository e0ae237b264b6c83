import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import postgres from 'postgres';
import { migrate } from '../src/database/migrate.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import { createLog } from '../src/log.ts';

/** The whole schema in one committed file, for reading and for reviewing what a migration changes. */
export const SNAPSHOT_FILE = fileURLToPath(new URL('../migrations/schema.sql', import.meta.url));

const HEADER = `-- The schema that the migrations add up to. Made by \`node scripts/schema-snapshot.ts\`; never applied, never edited.
-- Read from the catalogue, because the embedded PostgreSQL has no pg_dump.
`;

/** Each query gives one text a row, in a stable order; NOT NULL is shown with its column. */
const SECTIONS: readonly (readonly [title: string, query: string])[] = [
  [
    'Tables',
    `select format(E'create %stable %s (\\n%s\\n);', case c.relpersistence when 'u' then 'unlogged ' else '' end,
       c.oid::regclass, string_agg(line, E',\\n' order by kind, place)) as text
     from pg_class c
     join lateral (
       select 1 as kind, a.attnum::text as name, a.attnum::int as place, format('  %I %s%s%s', a.attname,
         format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' else '' end,
         coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')) as line
       from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       union all
       select 2, con.conname, row_number() over (order by con.contype desc, con.conname)::int,
         format('  constraint %I %s', con.conname, pg_get_constraintdef(con.oid))
       from pg_constraint con where con.conrelid = c.oid and con.contype in ('p', 'u', 'c', 'f', 'x')
     ) parts on true
     where c.relkind = 'r' and c.relnamespace::regnamespace::text in ('public', 'floorwalker')
     group by c.oid, c.relnamespace, c.relname order by c.relnamespace::regnamespace::text, c.relname`,
  ],
  [
    'Indexes',
    `select pg_get_indexdef(i.indexrelid) || ';' as text
     from pg_index i join pg_class c on c.oid = i.indexrelid
     where c.relnamespace::regnamespace::text in ('public', 'floorwalker')
       and not exists (select from pg_constraint con where con.conindid = i.indexrelid)
     order by c.relname`,
  ],
  [
    'Views',
    `select format(E'create view %s with (%s) as\\n%s', c.oid::regclass, array_to_string(c.reloptions, ', '),
       pg_get_viewdef(c.oid, true)) as text
     from pg_class c where c.relkind = 'v' and c.relnamespace::regnamespace::text in ('public', 'floorwalker')
     order by c.relname`,
  ],
  [
    'Functions',
    `select pg_get_functiondef(p.oid) || ';' as text
     from pg_proc p where p.pronamespace::regnamespace::text in ('public', 'floorwalker') and p.prokind = 'f'
     order by p.pronamespace::regnamespace::text collate "C", p.proname, pg_get_function_identity_arguments(p.oid) collate "C"`,
  ],
  [
    'Triggers',
    `select pg_get_triggerdef(t.oid) || ';' as text
     from pg_trigger t join pg_class c on c.oid = t.tgrelid
     where not t.tgisinternal and c.relnamespace::regnamespace::text in ('public', 'floorwalker')
     order by c.relname, t.tgname`,
  ],
  [
    'Row-level security',
    `select format('alter table %s enable row level security;', c.oid::regclass) as text
     from pg_class c where c.relrowsecurity and c.relnamespace::regnamespace::text in ('public', 'floorwalker')
     order by c.relnamespace::regnamespace::text, c.relname`,
  ],
  [
    'Policies',
    `select format('create policy %I on %I.%I for %s to %s%s%s;', policyname, schemaname, tablename, lower(cmd),
       array_to_string(roles, ', '), coalesce(' using ' || qual, ''), coalesce(' with check ' || with_check, '')) as text
     from pg_policies where schemaname in ('public', 'floorwalker') order by schemaname, tablename, policyname`,
  ],
  [
    'Rights',
    `select format('grant %s on %s to %s;', string_agg(lower(privilege), ', ' order by privilege), thing, grantee) as text
     from (
       select a.privilege_type as privilege, c.oid::regclass::text as thing, r.rolname as grantee
       from pg_class c cross join aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
       where c.relkind in ('r', 'v') and c.relnamespace::regnamespace::text in ('public', 'floorwalker')
       union all
       select a.privilege_type, 'function ' || p.oid::regprocedure, r.rolname
       from pg_proc p cross join aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee
       where p.pronamespace::regnamespace::text in ('public', 'floorwalker')
     ) rights
     where grantee in ('anon', 'authenticated', 'service_role') or grantee like 'floorwalker\\_%'
     group by thing, grantee order by thing collate "C", grantee collate "C"`,
  ],
];

/** Reads the schema of a migrated database. */
export async function schemaSnapshot(sql: postgres.Sql): Promise<string> {
  const sections: string[] = [];
  for (const [title, query] of SECTIONS) {
    const rows = await sql.unsafe<{ text: string }[]>(query);
    const body = rows.map(({ text }) => text.trimEnd()).join('\n\n');
    sections.push(`-- ${title}\n\n${body}\n`);
  }
  return `${HEADER}\n${sections.join('\n')}`;
}

async function main(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'floorwalker-schema-'));
  const server = await startPostgres({ dataDir, password: crypto.randomUUID(), temporary: true });
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  try {
    await migrate(server.url, { log: createLog({ level: 'warn' }) });
    await writeFile(SNAPSHOT_FILE, await schemaSnapshot(sql));
    console.log(`wrote ${SNAPSHOT_FILE}`);
  } finally {
    await sql.end();
    await server.stop();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
