import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { EXAMPLE_PHONE, seedShopOrders } from '../../tools/orders/seed.ts';
import { makeAccessToken } from '../../tools/serving/token.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { pdf } from './knowledge-fixtures.ts';

// Each server as others get it: a package with one file, in a folder where nothing else is installed, asked by the
// command line of the MCP inspector.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url);
const INSPECTOR = fileURLToPath(
  new URL('node_modules/@modelcontextprotocol/inspector-cli/build/cli.js', ROOT),
);

let database: TestDatabase;
let businessId: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floorwalker-packages-'));
  const build = fileURLToPath(new URL('scripts/build-tools.mjs', ROOT));
  [database] = await Promise.all([setupDatabase(), run(process.execPath, [build, folder])]);
  businessId = (await database.createBusiness()).id;
  await seedShopOrders(database.service, businessId);
  const week = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'].map((day) => [day, [['09:00', '17:00']]]);
  await database.sql`
    insert into appointment_calendars (business_id, name, hours)
    values (${businessId}, 'Consultation', ${database.sql.json(Object.fromEntries(week))})`;
  await database.sql`
    insert into customers (business_id, phone_number, name) values (${businessId}, ${EXAMPLE_PHONE}, 'Ada Alves')`;
});
afterAll(async () => {
  await Promise.all([database.stop(), rm(folder, { recursive: true, force: true })]);
});

function environment(server: string, role = server): Record<string, string> {
  const { jwtSecret } = database;
  const prefix = server.toUpperCase();
  return {
    [`${prefix}_SUPABASE_URL`]: database.supabaseUrl,
    [`${prefix}_SUPABASE_KEY`]: database.publishableKey,
    [`${prefix}_ACCESS_TOKEN`]: makeAccessToken({
      role: `floorwalker_${role}`,
      businessId,
      jwtSecret,
      nowMs: Date.now(),
      days: 1,
    }),
  };
}

const main = (server: string) => join(folder, `floorwalker-${server}`, 'main.js');

/** What the inspector prints: the server's answer as JSON. */
async function inspect(server: string, args: readonly string[]): Promise<unknown> {
  const variables = Object.entries(environment(server)).flatMap(([name, value]) => [
    '-e',
    `${name}=${value}`,
  ]);
  const command = [INSPECTOR, '--cli', ...variables, process.execPath, main(server), ...args];
  // It looks for its own package.json from where it is started.
  const { stdout } = await run(process.execPath, command, { cwd: dirname(INSPECTOR) });
  return JSON.parse(stdout);
}

const CASES = [
  {
    server: 'orders',
    tools: ['find_order', 'track_shipping', 'refund_order', 'cancel_order'],
    call: ['find_order', `customer_phone=${EXAMPLE_PHONE}`, 'order_number=1042'],
    answer: { orders: [{ order_number: 1042, total: '59.90 EUR' }] },
  },
  {
    server: 'appointments',
    tools: ['find_slots', 'list_appointments', 'book_appointment', 'move_appointment', 'cancel_appointment'],
    call: ['find_slots', 'limit=2'],
    answer: { calendar: 'Consultation', slots: [{}, {}] },
  },
  {
    server: 'customers',
    tools: ['find_customer', 'list_notes', 'add_note', 'customer_health', 'report_signal'],
    call: ['find_customer', `customer_phone=${EXAMPLE_PHONE}`],
    answer: { customer: { name: 'Ada Alves' } },
  },
  {
    server: 'knowledge',
    tools: ['search_knowledge', 'read_document', 'list_documents'],
    call: ['search_knowledge', 'query=damaged parcels'],
    answer: { results: [{ document: 'Returns', heading: 'Returns › Damaged goods' }] },
  },
];

describe.each(CASES)('the package floorwalker-$server', ({ server, tools, call, answer }) => {
  test('lists its tools with honest annotations, and answers a call', async () => {
    if (server === 'knowledge') {
      await writeFile(
        join(folder, 'returns.md'),
        '# Returns\n\n## Damaged goods\n\nWe take back damaged parcels.\n',
      );
      await writeFile(join(folder, 'manual.pdf'), pdf(['Batteries last two years.'], 'Manual'));
      const { stdout } = await run(process.execPath, [main(server), 'ingest', 'returns.md', 'manual.pdf'], {
        cwd: folder,
        env: { ...process.env, ...environment(server, 'knowledge_writer') },
      });
      expect(stdout).toBe('2 read, 0 unchanged, 0 failed\n');
    }
    const listed = z
      .object({
        tools: z.array(
          z.looseObject({
            name: z.string(),
            annotations: z.looseObject({}),
            outputSchema: z.looseObject({}),
          }),
        ),
      })
      .parse(await inspect(server, ['--method', 'tools/list']));
    expect(listed.tools.map(({ name }) => name)).toEqual(tools);
    for (const { name, annotations } of listed.tools)
      expect(annotations, name).toMatchObject({ readOnlyHint: expect.any(Boolean), openWorldHint: false });
    const [tool, ...args] = call;
    const called = await inspect(server, [
      '--method',
      'tools/call',
      '--tool-name',
      tool ?? '',
      ...args.flatMap((pair) => ['--tool-arg', pair]),
    ]);
    expect(called).toMatchObject({ structuredContent: answer });
  });
});

test('npx runs a package, without a network; what can not be used of its settings it says in full', async () => {
  const npx = [
    'exec',
    '--offline',
    '--yes',
    '--package',
    join(folder, 'floorwalker-orders'),
    '--',
    'floorwalker-orders',
  ];
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    npm_config_cache: join(folder, 'cache'),
    npm_config_update_notifier: 'false',
  };
  const help = await run('npm', [...npx, '--help'], { cwd: folder, env });
  expect(help.stderr).toContain('floorwalker-orders --http');
  const refused = await run('npm', npx, { cwd: folder, env }).then(
    () => '',
    (error: unknown) => z.object({ stderr: z.string() }).parse(error).stderr,
  );
  expect(refused).toMatch(/ORDERS_SUPABASE_URL[\s\S]*ORDERS_SUPABASE_KEY/);
});
