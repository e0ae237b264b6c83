import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentSnapshotSchema } from '../../src/database/rows.ts';
import { startInteraction } from '../database/floor.ts';
import type { Agent, Business, Person, ToolRow } from '../support/fixtures.ts';
import { type Answer, type Floor, forEachTry, setupFloor } from './support.ts';

const ORDERS = { transport: 'stdio', server: 'orders' };
const TOOLS: ToolRow[] = [
  { toolName: 'find_order', toolConfig: ORDERS },
  { toolName: 'refund_order', toolConfig: ORDERS, requiresPermission: true },
];

let floor: Floor;
let business: Business;
let admin: Person;
let supervisor: Person;
let cover: Person;
let strangeAdmin: Person;
beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness();
  const other = await database.createBusiness();
  const businessId = business.id;
  [admin, supervisor, cover, strangeAdmin] = await Promise.all([
    database.createUser({ businessId, role: 'admin', name: 'Ada' }),
    database.createUser({ businessId, name: 'Sam' }),
    database.createUser({ businessId, name: 'Kim' }),
    database.createUser({ businessId: other.id, role: 'admin' }),
  ]);
});
afterAll(() => floor?.stop());

/** An agent that the supervisor has for the time of one test: nobody has more than three. */
async function withAgent(work: (agent: Agent) => Promise<void>, tools = TOOLS): Promise<void> {
  const agent = await floor.database.createAgent({
    businessId: business.id,
    supervisorId: supervisor.id,
    coverId: cover.id,
    tools,
  });
  try {
    await work(agent);
  } finally {
    await floor.database.sql`update agents set deleted_at = now() where id = ${agent.id}`;
  }
}

type Form = Record<string, unknown> & { version: number; tools: Record<string, unknown>[] };

/** What a page would show of it, ready to be sent back. */
async function formOf(agent: Agent, as: Person): Promise<Form> {
  const { body } = await floor.api.call(`/v1/agents/${agent.id}`, { token: as.accessToken });
  const names = [
    'version',
    'name',
    'language',
    'public',
    'max_concurrent_interactions',
    'greeting',
    'system_prompt',
    'model_settings',
    'voice_settings',
    'tools',
  ];
  return Object.fromEntries(names.map((name) => [name, body[name]])) as Form;
}

const put = (agent: Agent, as: Person, body: unknown): Promise<Answer> =>
  floor.api.call(`/v1/agents/${agent.id}`, { method: 'PUT', token: as.accessToken, body });
const rollBack = (agent: Agent, as: Person, body: unknown): Promise<Answer> =>
  floor.api.call(`/v1/agents/${agent.id}/rollback`, { token: as.accessToken, body });
const versionsOf = async (agent: Agent) =>
  (await floor.api.call(`/v1/agents/${agent.id}/versions`, { token: admin.accessToken })).body.data;
const withTool = (form: Form, name: string, change: Record<string, unknown>): Form => ({
  ...form,
  tools: form.tools.map((tool) => (tool.tool_name === name ? { ...tool, ...change } : tool)),
});

describe('an edit', () => {
  it('takes effect for the next interaction and leaves those under way as they are', () =>
    withAgent(async (agent) => {
      const before = await startInteraction(floor.database.service, agent);
      const { status, body } = await put(agent, supervisor, {
        ...(await formOf(agent, supervisor)),
        greeting: 'Good day, {{customer_name}}',
        note: 'friendlier',
      });
      expect([status, body.greeting, body.version]).toEqual([200, 'Good day, {{customer_name}}', 2]);
      const after = await startInteraction(floor.database.service, agent);
      const greetings = [before, after].map(({ snapshot }) => agentSnapshotSchema.parse(snapshot).greeting);
      expect(greetings).toEqual(['Hello, how can I help?', 'Good day, {{customer_name}}']);
    }));

  it('is a version that says who made it, why and of what', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, supervisor);
      await put(agent, supervisor, { ...form, system_prompt: 'Be brief.', note: 'too long' });
      const [newest, first] = await versionsOf(agent);
      expect(newest).toMatchObject({
        version: 2,
        source: 'console',
        note: 'too long',
        changed_by: supervisor.id,
        changed_by_name: 'Sam',
        definition: { system_prompt: 'Be brief.', tools: form.tools },
      });
      expect(first).toMatchObject({
        source: 'first',
        changed_by: null,
        definition: { system_prompt: form.system_prompt },
      });
      const [audited] = await floor.database.sql`
        select actor_id, details from audit_events
        where action = 'agent.changed' and subject_id = ${agent.id} order by id desc limit 1`;
      expect(audited).toEqual({
        actor_id: supervisor.id,
        details: { system_prompt: { from: form.system_prompt, to: 'Be brief.' } },
      });
    }));

  it('of texts and a tool together is one version; one that changes nothing is none', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, admin);
      const both = withTool({ ...form, name: 'Otto' }, 'find_order', { requires_permission: true });
      expect((await put(agent, admin, both)).body.version).toBe(2);
      expect((await put(agent, admin, { ...both, version: 2 })).body.version).toBe(2);
      expect((await versionsOf(agent)).map(({ version }) => version)).toEqual([2, 1]);
    }));

  it('that comes too late changes nothing and says what has changed and by whom', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, supervisor);
      await put(
        agent,
        admin,
        withTool({ ...form, greeting: 'Hi' }, 'find_order', { requires_permission: true }),
      );
      const { status, body } = await put(agent, supervisor, { ...form, greeting: 'Hey' });
      expect([status, body.code]).toEqual([409, 'version_conflict']);
      expect(body).toMatchObject({
        version: 2,
        your_version: 1,
        changed_by_name: 'Ada',
        changed: {
          greeting: { from: 'Hello, how can I help?', to: 'Hi' },
          'tools.find_order': { from: { requires_permission: false }, to: { requires_permission: true } },
        },
      });
      expect(Object.keys(body.changed as object)).toHaveLength(2);
      expect((await formOf(agent, admin)).greeting).toBe('Hi');
    }));

  it('by two at once is made by one of them', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, admin);
      const answers = await Promise.all([
        put(agent, admin, { ...form, greeting: 'One' }),
        put(agent, supervisor, { ...form, greeting: 'Two' }),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    }));

  it.each([
    ['a variable that there is not', { greeting: 'Hi {{first_name}}' }, 'greeting', 'there is no variable'],
    [
      'a section that is not closed',
      { system_prompt: '{{#customer_name}}x' },
      'system_prompt',
      'never closed',
    ],
    ['no prompt', { system_prompt: ' ' }, 'system_prompt', 'does not fit'],
    ['a language that is none', { language: 'not a language' }, 'language', 'does not fit'],
    [
      'settings of a voice for a chat agent',
      { voice_settings: { stt_model: 'nova-3', tts_model: 'tts', voice: 'coral' } },
      'voice_settings',
      '',
    ],
    [
      'a tool that can not be read',
      { tools: [{ tool_name: 'x', requires_permission: true, tool_config: {} }] },
      'tools[0].tool_config.endpoint',
      '',
    ],
    [
      'a key in plain text',
      {
        tools: [
          {
            tool_name: 'x',
            requires_permission: true,
            tool_config: { endpoint: 'https://api.example', headers: { authorization: 'Bearer abc' } },
          },
        ],
      },
      'tools[0].tool_config.headers.authorization',
      'plain text',
    ],
  ])('with %s is refused in the words of `agents apply`', (_, change, field, words) =>
    withAgent(async (agent) => {
      const { status, body } = await put(agent, admin, { ...(await formOf(agent, admin)), ...change });
      expect([status, body.code]).toEqual([400, 'definitions_invalid']);
      expect(body.problems).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            field,
            problem: expect.stringContaining(words),
            remedy: expect.any(String),
          }),
        ]),
      );
      expect((await formOf(agent, admin)).version).toBe(1);
    }),
  );

  it('of a text is possible although a tool of an older form is there', () =>
    withAgent(
      async (agent) => {
        const form = await formOf(agent, supervisor);
        expect((await put(agent, supervisor, { ...form, greeting: 'Hi' })).status).toBe(200);
      },
      [{ toolName: 'old_tool', toolConfig: {} }],
    ));
});

describe('tools', () => {
  const refused = [
    ['remove a gate', (form: Form) => withTool(form, 'refund_order', { requires_permission: false }), 'gate'],
    [
      'remove a gated tool, for another row may stand for it',
      (form: Form) => ({ ...form, tools: form.tools.filter((tool) => tool.tool_name !== 'refund_order') }),
      'gate',
    ],
    [
      'change what a tool reaches',
      (form: Form) => withTool(form, 'find_order', { tool_config: { transport: 'stdio', server: 'other' } }),
      'endpoint',
    ],
    [
      'add a tool',
      (form: Form) => ({
        ...form,
        tools: [...form.tools, { tool_name: 'new', requires_permission: true, tool_config: ORDERS }],
      }),
      'endpoint',
    ],
  ] as const;

  it.each(refused)('a supervisor may not %s, and an admin may', (_, change, what) =>
    withAgent(async (agent) => {
      for (const person of [supervisor, cover]) {
        const { status, body } = await put(agent, person, change(await formOf(agent, person)));
        expect([status, body.code, body.change]).toEqual([403, 'tool_change_not_allowed', what]);
      }
      expect((await formOf(agent, admin)).tools).toHaveLength(2);
      const { status, body } = await put(agent, admin, change(await formOf(agent, admin)));
      expect([status, body.version]).toEqual([200, 2]);
    }),
  );

  it('a supervisor may gate, and drop where there is no gate', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, supervisor);
      const gated = withTool(form, 'find_order', { requires_permission: true });
      expect((await put(agent, supervisor, gated)).status).toBe(200);
      const back = await put(agent, supervisor, { ...form, version: 2 });
      expect(back.body.code).toBe('tool_change_not_allowed');
    }));

  it.each([
    ['rules', { policy: [{ effect: 'ask' }] }],
    ['bound arguments', { bind: { phone: 'customer.phone_number' } }],
  ])('with %s of its own is not dropped by a supervisor where another row stands for its server', (_, own) =>
    withAgent(
      async (agent) => {
        const form = await formOf(agent, supervisor);
        const without = (name: string) => ({
          ...form,
          tools: form.tools.filter(({ tool_name }) => tool_name !== name),
        });
        const { status, body } = await put(agent, supervisor, without('pay_back'));
        expect([status, body.code, body.change, body.tools]).toEqual([
          403,
          'tool_change_not_allowed',
          'gate',
          ['pay_back'],
        ]);
        expect((await put(agent, supervisor, without('find_order'))).status).toBe(200);
        expect((await put(agent, supervisor, { ...form, version: 2, tools: [] })).status).toBe(200);
      },
      [
        { toolName: 'pay_back', toolConfig: { ...ORDERS, tool: 'refund_order', ...own } },
        { toolName: 'find_order', toolConfig: ORDERS },
        {
          toolName: 'shop',
          toolConfig: { ...ORDERS, expand: true, known_tools: ['find_order', 'refund_order'] },
        },
      ],
    ),
  );

  const INLINE = { transport: 'stdio', command: 'sh', args: ['-c', 'id'] };
  it.each([
    ['an inline command', INLINE],
    ['a command beside a server', { ...ORDERS, command: 'sh' }],
  ])('nobody who signs in writes %s, whether through the API or past it', (_, toolConfig) =>
    withAgent(async (agent) => {
      const form = await formOf(agent, admin);
      const tools = [
        ...form.tools,
        { tool_name: 'shell', requires_permission: true, tool_config: toolConfig },
      ];
      expect((await put(agent, admin, { ...form, tools })).status).toBeGreaterThanOrEqual(400);
      const direct = await admin.client.rpc('edit_agent', {
        p_agent_id: agent.id,
        p_version: 1,
        p_definition: { ...form, tools },
      });
      expect(direct.error?.message).toBe('inline_command_refused');
    }),
  );

  it('with a command that an operator wrote can be edited around, and not brought back', () =>
    withAgent(
      async (agent) => {
        const form = await formOf(agent, admin);
        expect((await put(agent, admin, { ...form, greeting: 'Hi' })).status).toBe(200);
        expect((await put(agent, admin, { ...form, version: 2, tools: [] })).status).toBe(200);
        const { status, body } = await rollBack(agent, admin, { version: 1 });
        expect([status, body.code]).toEqual([403, 'inline_command_refused']);
      },
      [{ toolName: 'shell', toolConfig: INLINE }],
    ));
});

describe('a rollback', () => {
  it('is a new version with the old content and leaves people where they are', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, admin);
      await put(agent, admin, {
        ...withTool(form, 'refund_order', { requires_permission: false }),
        greeting: 'Hi',
      });
      await floor.database.sql`update agents set cover_id = null where id = ${agent.id}`;
      const { status, body } = await rollBack(agent, admin, { version: 1, expected_version: 3 });
      expect([status, body.version, body.greeting, body.tools, body.cover_id]).toEqual([
        200,
        4,
        form.greeting,
        form.tools,
        null,
      ]);
      const [newest] = await versionsOf(agent);
      expect(newest).toMatchObject({ source: 'rollback', restored_version: 1, changed_by_name: 'Ada' });
    }));

  it('that would remove a gate is for admins', () =>
    withAgent(async (agent) => {
      const form = await formOf(agent, supervisor);
      await put(agent, supervisor, withTool(form, 'find_order', { requires_permission: true }));
      const { status, body } = await rollBack(agent, supervisor, { version: 1 });
      expect([status, body.code, body.tools]).toEqual([403, 'tool_change_not_allowed', ['find_order']]);
      expect((await rollBack(agent, admin, { version: 1 })).status).toBe(200);
    }));

  it('to a version that is not there, or from one that is not the newest, is refused', () =>
    withAgent(async (agent) => {
      expect((await rollBack(agent, admin, { version: 9 })).body.code).toBe('version_not_found');
      await put(agent, admin, { ...(await formOf(agent, admin)), greeting: 'Hi' });
      const late = await rollBack(agent, admin, { version: 1, expected_version: 1 });
      expect([late.status, late.body.code]).toEqual([409, 'version_conflict']);
    }));
});

describe('the history', () => {
  it('also has what was applied from a file, and what was changed in the database itself', () =>
    withAgent(async (agent) => {
      const { service, sql } = floor.database;
      const form = await formOf(agent, admin);
      const { error } = await service.rpc('apply_agents', {
        p_agents: [
          {
            definition: {
              ...form,
              slug: agent.slug,
              agent_type: 'chat',
              business_id: business.id,
              supervisor_id: supervisor.id,
              greeting: 'From a file',
            },
            expected_version: 1,
            force: false,
          },
        ],
      });
      expect(error).toBeNull();
      await sql`update agents set greeting = 'By hand' where id = ${agent.id}`;
      expect(await versionsOf(agent)).toMatchObject([
        { version: 3, source: 'other', changed_by: null, definition: { greeting: 'By hand' } },
        { version: 2, source: 'apply', changed_by: null, definition: { greeting: 'From a file' } },
        { version: 1, source: 'first' },
      ]);
    }));

  it('is read a page at a time', () =>
    withAgent(async (agent) => {
      for (const greeting of ['a', 'b']) {
        await floor.database.sql`update agents set greeting = ${greeting} where id = ${agent.id}`;
      }
      const path = `/v1/agents/${agent.id}/versions?limit=2`;
      const first = await floor.api.call(path, { token: admin.accessToken });
      const rest = await floor.api.call(`${path}&cursor=${first.body.next_cursor}`, {
        token: admin.accessToken,
      });
      expect([first, rest].map(({ body }) => body.data.map(({ version }) => version))).toEqual([[3, 2], [1]]);
    }));

  it('can not be rewritten, not even with the secret key', () =>
    withAgent(async (agent) => {
      const { service } = floor.database;
      const changed = await service
        .from('agent_versions')
        .update({ note: 'x' })
        .eq('agent_id', agent.id)
        .select();
      const gone = await service.from('agent_versions').delete().eq('agent_id', agent.id).select();
      expect([changed.error?.code, gone.error?.code]).toEqual(['42501', '42501']);
    }));
});

describe('an agent of others', () => {
  it('is not there for another business, another supervisor or nobody', () =>
    withAgent(async (agent) => {
      const colleague = await floor.database.createUser({ businessId: business.id });
      const form = await formOf(agent, admin);
      for (const person of [strangeAdmin, colleague]) {
        const token = person.accessToken;
        const answers = await Promise.all([
          floor.api.call(`/v1/agents/${agent.id}`, { token }),
          put(agent, person, form),
          floor.api.call(`/v1/agents/${agent.id}/versions`, { token }),
          rollBack(agent, person, { version: 1 }),
        ]);
        expect(answers.map(({ body }) => body.code)).toEqual(Array(4).fill('agent_not_found'));
        const { data } = await person.client.from('agent_versions').select('id').eq('agent_id', agent.id);
        expect(data).toEqual([]);
      }
      expect((await floor.api.call(`/v1/agents/${agent.id}`)).status).toBe(401);
    }));
});
