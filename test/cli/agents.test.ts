import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { registerAgentsCommand } from '../../src/cli/agents.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Business, Person } from '../support/fixtures.ts';
import { databaseEnv, runCommand } from './run-command.ts';

const SHIPPED = new URL('../../agents', import.meta.url).pathname;
const folders: string[] = [];
let db: TestDatabase;

beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db.stop());
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

interface Definition {
  slug?: string;
  name?: string;
  prompt?: string;
  greeting?: string;
  tools?: string;
}

function definition({
  slug = 'helper',
  name = 'Helper',
  prompt = 'You help.',
  greeting,
  tools,
}: Definition = {}): string {
  return [
    `slug: ${slug}`,
    `name: ${name}`,
    'agent_type: chat',
    `system_prompt: ${prompt}`,
    ...(greeting === undefined ? [] : [`greeting: ${greeting}`]),
    'model_settings: { llm_model: gpt-4.1-mini }',
    tools ??
      'tools: [{ tool_name: refund, requires_permission: true, tool_config: { transport: stdio, server: orders } }]',
    '',
  ].join('\n');
}

function files(texts: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'apply-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
  return folder;
}

async function setup(): Promise<{ business: Business; supervisor: Person }> {
  const business = await db.createBusiness();
  const supervisor = await db.createUser({ businessId: business.id, supervisorType: 'chat' });
  return { business, supervisor };
}

function apply(business: Business, path: string, ...options: string[]) {
  const args = ['agents', 'apply', path, '--business', business.slug, ...options];
  return runCommand(registerAgentsCommand, databaseEnv(db), args);
}

async function stored(business: Business) {
  const agents = await db.sql`
    select slug, name, system_prompt, greeting, version, applied_version, supervisor_id, cover_id, public
    from agents where business_id = ${business.id} order by slug`;
  const tools = await db.sql`
    select a.slug, t.tool_name, t.requires_permission from agent_tools t join agents a on a.id = t.agent_id
    where a.business_id = ${business.id} order by a.slug, t.tool_name`;
  return { agents: agents.map((row) => ({ ...row })), tools: tools.map((row) => ({ ...row })) };
}

describe('agents apply', () => {
  it('writes the shipped agents with their tools, each under the supervisor of its type', async () => {
    const { business, supervisor } = await setup();
    const voice = await db.createUser({ businessId: business.id, supervisorType: 'voice' });
    const { output, error } = await apply(business, SHIPPED);
    expect(error).toBeUndefined();
    expect(output).toMatch(
      /\+ agent chat-support[\s\S]*\+ tool refund_order \(needs permission\)[\s\S]*Created voice-support: version 1/,
    );
    const { agents, tools } = await stored(business);
    expect(agents).toMatchObject([
      { slug: 'chat-support', supervisor_id: supervisor.id, public: true, version: 1, applied_version: 1 },
      { slug: 'voice-support', supervisor_id: voice.id, public: true, version: 1, applied_version: 1 },
    ]);
    expect(tools.filter((tool) => tool.requires_permission).map((tool) => tool.tool_name)).toEqual([
      'cancel_order',
      'refund_order',
      'cancel_order',
      'refund_order',
    ]);
  });

  it('does nothing the second time', async () => {
    const { business } = await setup();
    const folder = files({ 'a.yaml': definition() });
    await apply(business, folder);
    const before = await stored(business);
    const { output, error } = await apply(business, folder);
    expect(error).toBeUndefined();
    expect(output).toMatch(/= agent helper \(chat\): no change\nNothing to do\./);
    expect(await stored(business)).toEqual(before);
  });

  it('prints the difference of a changed definition and writes exactly it', async () => {
    const { business } = await setup();
    await apply(business, files({ 'a.yaml': definition() }));
    const changed = definition({
      greeting: 'Hi',
      tools: 'tools: [{ tool_name: find, tool_config: { transport: stdio, server: orders } }]',
    });
    const { output, error } = await apply(business, files({ 'a.yaml': changed }));
    expect(error).toBeUndefined();
    expect(output).toMatch(
      /~ greeting: none → "Hi"\n {2}\+ tool find\n {2}- tool refund \(needs permission\)/,
    );
    expect(await stored(business)).toMatchObject({
      agents: [{ greeting: 'Hi', version: 2, applied_version: 2 }],
      tools: [{ tool_name: 'find', requires_permission: false }],
    });
  });

  it('with --dry-run shows the difference and changes nothing', async () => {
    const { business } = await setup();
    const { output, error } = await apply(business, files({ 'a.yaml': definition() }), '--dry-run');
    expect(error).toBeUndefined();
    expect(output).toMatch(/\+ agent helper[\s\S]*Dry run: nothing was changed/);
    expect((await stored(business)).agents).toEqual([]);
  });

  it.each([
    ['its row', (id: string) => db.sql`update agents set greeting = 'Edited' where id = ${id}`],
    [
      'a tool of it',
      (id: string) => db.sql`update agent_tools set requires_permission = false where agent_id = ${id}`,
    ],
  ])('refuses to overwrite an edit of %s, shows it, and overwrites it when forced', async (_, edit) => {
    const { business } = await setup();
    await apply(business, files({ 'a.yaml': definition() }));
    const [agent] = await db.sql<{ id: string }[]>`select id from agents where business_id = ${business.id}`;
    await edit(agent?.id ?? '');
    const before = await stored(business);

    const folder = files({ 'a.yaml': definition({ name: 'Renamed' }) });
    const refused = await apply(business, folder);
    expect(refused.error).toMatchObject({
      code: 'agent_version_conflict',
      message: 'helper was edited elsewhere since the last apply (version 1, now 2). Nothing was changed.',
    });
    expect(refused.output).toMatch(/"Edited" → none|requires_permission: false → true/);
    expect(await stored(business)).toEqual(before);

    expect((await apply(business, folder, '--force')).error).toBeUndefined();
    expect(await stored(business)).toMatchObject({
      agents: [{ name: 'Renamed', greeting: null, version: 3, applied_version: 3 }],
      tools: [{ requires_permission: true }],
    });
  });

  it('refuses to overwrite an agent that was never applied', async () => {
    const { business, supervisor } = await setup();
    const agent = await db.createAgent({ businessId: business.id, supervisorId: supervisor.id });
    const { error } = await apply(business, files({ 'a.yaml': definition({ slug: agent.slug }) }));
    expect(error).toMatchObject({
      code: 'agent_version_conflict',
      message: expect.stringMatching(/made elsewhere/),
    });
  });

  it('changes nothing when one of several definitions is wrong', async () => {
    const { business } = await setup();
    const folder = files({ 'a.yaml': definition(), 'b.yaml': 'slug: broken\n' });
    const { error } = await apply(business, folder);
    expect(error).toMatchObject({
      code: 'definitions_invalid',
      message: expect.stringMatching(/b\.yaml: name: is missing/),
    });
    expect((await stored(business)).agents).toEqual([]);
  });

  it('changes nothing when the database refuses the last of several', async () => {
    const { business } = await setup();
    const folder = files(
      Object.fromEntries(['a', 'b', 'c', 'd'].map((slug) => [`${slug}.yaml`, definition({ slug })])),
    );
    const { error } = await apply(business, folder);
    expect(error).toMatchObject({ code: 'too_many_agents' });
    expect((await stored(business)).agents).toEqual([]);
  });

  it('asks which supervisor when there are several, and takes the one that is named', async () => {
    const { business } = await setup();
    const other = await db.createUser({ businessId: business.id, supervisorType: 'chat' });
    const folder = files({ 'a.yaml': definition() });
    const { error } = await apply(business, folder);
    expect(error).toMatchObject({
      code: 'supervisor_invalid',
      remedy: expect.stringContaining('--supervisor EMAIL'),
    });

    expect((await apply(business, folder, '--supervisor', other.email)).error).toBeUndefined();
    expect((await stored(business)).agents).toMatchObject([{ supervisor_id: other.id }]);
  });

  it('gives and keeps a cover', async () => {
    const { business, supervisor } = await setup();
    const cover = await db.createUser({ businessId: business.id, supervisorType: 'chat' });
    const people = ['--supervisor', supervisor.email, '--cover', cover.email];
    await apply(business, files({ 'a.yaml': definition() }), ...people);
    const { error } = await apply(business, files({ 'a.yaml': definition({ name: 'Again' }) }));
    expect(error).toBeUndefined();
    expect((await stored(business)).agents).toMatchObject([
      { name: 'Again', supervisor_id: supervisor.id, cover_id: cover.id },
    ]);
  });

  it.each([
    ['an unknown business', (b: Business) => ({ ...b, slug: 'nobody' }), [], 'business_not_found'],
    [
      'an unknown supervisor',
      (b: Business) => b,
      ['--supervisor', 'nobody@example.com'],
      'supervisor_invalid',
    ],
  ])('refuses %s with what there is to do', async (_, change, options, code) => {
    const { business } = await setup();
    const { error } = await apply(change(business), files({ 'a.yaml': definition() }), ...options);
    expect(error).toMatchObject({
      code,
      remedy: expect.stringMatching(/floorwalker (business create|users invite)/),
    });
  });

  it('says which settings it lacks, and finds those of a running demo', async () => {
    const { business } = await setup();
    const folder = files({ 'a.yaml': definition() });
    const args = ['agents', 'apply', folder, '--business', business.slug, '--data', folder];
    const without = await runCommand(registerAgentsCommand, {}, args);
    expect(without.error).toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/SUPABASE_URL is not set[\s\S]*SUPABASE_SECRET_KEY/),
    });
    expect(String(without.error)).not.toMatch(/LIVEKIT/);

    const demo = { supabase_url: db.supabaseUrl, supabase_secret_key: db.secretKey };
    writeFileSync(join(folder, 'demo.json'), JSON.stringify(demo));
    const beside = await runCommand(registerAgentsCommand, {}, args);
    expect(beside.error).toBeUndefined();
    expect(beside.output).toMatch(/^Using the database of the demo/);
  });
});
