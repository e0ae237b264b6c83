import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registerToolsCommand } from '../../src/cli/tools.ts';
import { decidePermission } from '../../src/database/permissions.ts';
import { type Floor, setupFloor } from '../database/floor.ts';
import { inline, STDIO_SERVER, until } from '../tools/support.ts';
import { databaseEnv, runCommand } from './run-command.ts';

let floor: Floor;

beforeAll(async () => {
  floor = await setupFloor();
  const { sql } = floor.db;
  const add = (name: string, config: object, gated = false) =>
    sql`insert into agent_tools (agent_id, tool_name, tool_config, requires_permission)
      values (${floor.agent.id}, ${name}, ${sql.json(config as never)}, ${gated})`;
  await add('find_order', inline('plain'));
  await add('refund', inline('plain'), true);
  await add('gone', { transport: 'stdio', server: 'nobody' });
});
afterAll(() => floor.db.stop());

const tools = (...args: string[]) =>
  runCommand(registerToolsCommand, { ...databaseEnv(floor.db), ALLOW_INLINE_STDIO: '1' }, [
    'tools',
    ...args,
    '--business',
    floor.business.slug,
  ]);

describe('floorwalker tools', () => {
  test('list says what there is and what needs permission', async () => {
    const { output, error } = await tools('list', floor.agent.slug);
    expect(error).toBeUndefined();
    expect(output).toMatch(/^find_order\(order, phone, note, tags\): may be retried/m);
    expect(output).toMatch(/^refund\(.*\): needs permission/m);
    expect(output).toMatch(/^gone.*\n {2}unavailable: it is not set up correctly/m);
    const { output: json } = await tools('list', floor.agent.slug, '--json');
    expect(JSON.parse(json)).toHaveLength(3);
  });

  test('doctor says which server answers, how fast, and fails when one does not', async () => {
    const { output, error } = await tools('doctor', floor.agent.slug);
    expect(output).toMatch(/✓ find_order: 1 tool, listed in \d+ ms/);
    expect(output).toContain('✗ gone');
    expect(error).toMatchObject({ code: 'tool_unavailable' });
    expect(STDIO_SERVER).toContain('stdio');
  });

  test('call runs an open tool at once and leaves a finished rehearsal', async () => {
    const { output, error } = await tools(
      'call',
      floor.agent.slug,
      'find_order',
      '{"order": 7, "phone": "+49"}',
    );
    expect(error).toBeUndefined();
    expect(output).toMatch(/^succeeded after \d+ ms\norder 7/);
    const { sql } = floor.db;
    const [interaction] = await sql`select kind, status from interactions where agent_id = ${floor.agent.id}`;
    expect(interaction).toMatchObject({ kind: 'rehearsal', status: 'completed' });
  });

  test('call of a gated tool waits for the supervisor, and does not run when it is denied', async () => {
    const { sql } = floor.db;
    // Of an earlier try.
    await sql`update tool_permissions set status = 'withdrawn', responded_at = now() where status = 'pending'`;
    const running = tools('call', floor.agent.slug, 'refund', '{"order": 7, "phone": "+49"}');
    let id = '';
    await until(async () => {
      const [row] = await sql`select id from tool_permissions where status = 'pending'`;
      id = row?.id ?? '';
      return id !== '';
    }, 'the permission');
    await decidePermission(floor.supervisor.client, { permissionId: id, decision: 'denied' });
    const { output } = await running;
    expect(output).toContain(`Waits for the agent's supervisor (permission ${id})`);
    expect(output).toMatch(/^refused \(denied\)/m);
  });

  test('names an agent that is not there', async () => {
    expect((await tools('list', 'nobody')).error).toMatchObject({ code: 'agent_not_found' });
  });
});
