import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Agent } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let recorder: ToolRecorder;
let stack: Stack;

/** Calls the tool that the customer names, asks what a tool wants to know, and otherwise says which tools it has. */
function namedToolModel(request: ModelRequest) {
  if (request.toolNames.includes('answer_question')) {
    const [day] = /friday|fr/.exec(request.lastUser) ?? [];
    // One that tried again by itself would still be at it when the customer has written.
    const refused = request.toolResults.some(({ output }) => output.includes('Ask the customer again'));
    if (day === 'fr' && refused) return 'Which day exactly?';
    return day === undefined
      ? 'Which day suits you?'
      : { toolCalls: [{ name: 'answer_question', arguments: { answers: { day } } }] };
  }
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  const [, name] = /use (\w+)/.exec(request.lastUser) ?? [];
  if (name !== undefined && request.toolNames.includes(name)) {
    const times = /twice/.test(request.lastUser) ? 2 : 1;
    return { toolCalls: Array.from({ length: times }, () => ({ name, arguments: {} })) };
  }
  return `Tools: ${request.toolNames.join(' ')}`;
}

beforeAll(async () => {
  model = await setupModel(namedToolModel);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await recorder?.stop();
  await model?.stop();
}, 60_000);

const customers: { leave(): Promise<void> }[] = [];
afterEach(async () => {
  for (const customer of customers.splice(0)) await customer.leave();
});

const rest = (path: string, description = 'Does it.') => ({
  endpoint: `${recorder.url}/${path}`,
  method: 'POST',
  description,
});

/** A conversation under way, whose agent has the tool `look`. */
async function talk(requiresPermission = false) {
  const agent = await stack.createAgent({
    tools: [{ toolName: 'look', toolConfig: rest('look'), requiresPermission }],
  });
  const { customer, created } = await stack.join(agent);
  customers.push(customer);
  await customer.waitForText(/AI assistant/);
  await customer.send('what can you do?');
  await customer.waitForText(/Tools: .*look/);
  return { agent, customer, id: created.interaction_id };
}

/** Waits until the conversation has taken the edit that was just made. @returns how long it took */
async function untilTaken(agent: Agent, interactionId: string): Promise<number> {
  const { sql } = stack.database;
  const [step] = await waitUntil(async () => {
    const rows = await sql`
      select s.happened_at - (select max(updated_at) from agent_tools where agent_id = ${agent.id}) as after,
        extract(epoch from s.happened_at - (select max(updated_at) from agent_tools where agent_id = ${agent.id}))::float as seconds
      from interaction_steps s where s.interaction_id = ${interactionId} and s.step_type = 'tools_changed'
      order by s.id desc limit 1`;
    return rows.length > 0 && rows[0]?.seconds > 0 ? rows : undefined;
  });
  return Number(step?.seconds) * 1000;
}

test('a tool that is added, and one that is removed, count in the conversation within two seconds', async () => {
  const { agent, customer, id } = await talk();
  const { sql } = stack.database;
  await sql`insert into agent_tools (agent_id, tool_name, tool_config) values (${agent.id}, 'more', ${sql.json(rest('more'))})`;
  expect(await untilTaken(agent, id)).toBeLessThan(2_000);
  await customer.send('use more');
  await customer.waitForText(/Result: /);
  await sql`delete from agent_tools where agent_id = ${agent.id} and tool_name = 'look'`;
  await waitUntil(async () => {
    const rows =
      await sql`select output from interaction_steps where interaction_id = ${id} and step_type = 'tools_changed'`;
    return rows.length === 2 ? rows : undefined;
  });
  await customer.send('and now?');
  await customer.waitForText(/Tools: (?!.*look).*more/);
});

test('a gate that is put before a tool holds its next call', async () => {
  const { agent, customer, id } = await talk();
  const { sql } = stack.database;
  await sql`update agent_tools set requires_permission = true where agent_id = ${agent.id}`;
  await untilTaken(agent, id);
  await customer.send('use look');
  await customer.waitForText(/approval/);
  expect(
    await sql`select from tool_permissions where interaction_id = ${id} and status = 'pending'`,
  ).toHaveLength(1);
});

test('an approval that was given for the tool as it was does not run the tool as it is', async () => {
  const { agent, customer, id } = await talk(true);
  const { sql } = stack.database;
  await customer.send('use look');
  const [permission] = await waitUntil(async () => {
    const rows = await sql`select id from tool_permissions where interaction_id = ${id}`;
    return rows.length > 0 ? rows : undefined;
  });
  await sql`update agent_tools set tool_config = ${sql.json(rest('elsewhere', 'Does something else.'))} where agent_id = ${agent.id}`;
  await untilTaken(agent, id);
  const before = recorder.calls.length;
  const body = { decision: 'allowed' };
  await stack.request(`/v1/permissions/${permission?.id}/decision`, {
    body,
    as: await stack.supervisorOf(agent),
  });
  await customer.waitForText(/Result: Not run: the tool was changed/);
  expect(recorder.calls).toHaveLength(before);
});

/** Time enough for a busy machine to bring the question; the answer takes longer. */
const ASKING_SECONDS = 8;
const ASKING = fileURLToPath(new URL('../tools/servers/asking.ts', import.meta.url));

/** A conversation whose agent has the tools of a server that asks. */
async function talkWithAsking(tool: string) {
  const toolConfig = {
    transport: 'stdio',
    command: process.execPath,
    args: [ASKING],
    params: { timeout: ASKING_SECONDS },
  };
  const tools = [{ toolName: tool, toolConfig }];
  const agent = await stack.createAgent({ tools });
  const { customer, created } = await stack.join(agent);
  customers.push(customer);
  await customer.waitForText(/AI assistant/);
  // Its program may still be starting: until then the agent goes without.
  await waitUntil(async () => {
    const told = customer.agentTexts.length;
    await customer.send('what can you do?');
    await waitUntil(async () => (customer.agentTexts.length > told ? true : undefined));
    return new RegExp(`Tools: .*${tool}`).test(customer.agentTexts.at(-1) ?? '') ? true : undefined;
  }, 60_000);
  return { customer, id: created.interaction_id };
}

test('what a tool wants to know is asked in the conversation, again where the answer does not fit', async () => {
  const { customer, id } = await talkWithAsking('book');
  await customer.send('use book');
  await customer.waitForText(/Which day suits you\?/);
  // Longer than the tool may take: its time stands still while people answer.
  await waitUntil(async () => {
    const rows = await stack.database.sql`
      select from tool_calls where interaction_id = ${id}
        and started_at < clock_timestamp() - make_interval(secs => ${ASKING_SECONDS + 1})`;
    return rows.length > 0 ? rows : undefined;
  });
  await customer.send('fr');
  await waitUntil(async () => {
    const { sql } = stack.database;
    const rows =
      await sql`select from tool_calls where interaction_id = ${id} and tool_name = 'answer_question' and state = 'failed'`;
    return rows.length > 0 ? rows : undefined;
  });
  await customer.waitForText('Which day exactly?');
  await customer.send('on friday');
  await customer.waitForText(/Result: book: accept .*friday/);
});

test('nobody is asked for a password, whatever a tool wants', async () => {
  const { customer } = await talkWithAsking('login');
  await customer.send('use login');
  await customer.waitForText(/Result: login: decline/);
});

test('the same call twice in one turn runs once, and both have its outcome', async () => {
  const { customer, id } = await talk();
  const before = recorder.calls.length;
  await customer.send('use look twice');
  await customer.waitForText(/Result: /);
  expect(recorder.calls).toHaveLength(before + 1);
  const { sql } = stack.database;
  expect(await sql`select from tool_calls where interaction_id = ${id} and tool_name = 'look'`).toHaveLength(
    1,
  );
  // Another turn is another wish.
  await customer.send('once more, use look');
  await waitUntil(async () => (recorder.calls.length === before + 2 ? true : undefined));
});
