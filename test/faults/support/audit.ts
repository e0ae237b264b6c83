import { screenOf } from './screen.ts';
import { ALL_SAID, APOLOGY, isAnswer, NOTHING_OPEN } from './shop.ts';
import type { Visit, World } from './world.ts';

export interface AuditTotals {
  messages: number;
  answers: number;
  toolRuns: number;
  unknownCalls: number;
}

/**
 * Compares what the customer sent and saw, what the tools really did, and what the database says. Returns every
 * contradiction; none is what has to be proven.
 */
export async function audit(
  world: World,
  visit: Visit,
  deaths: number,
  totals?: AuditTotals,
): Promise<string[]> {
  const { sql } = world.stack.database;
  const { customer, sent, id } = visit;
  const problems: string[] = [];
  const messages = await sql<{ role: string; content: string; item_id: string; cut_off: boolean }[]>`
    select role, content, item_id, metadata ? 'cut_off' as cut_off
    from interaction_messages where interaction_id = ${id} order by seq`;
  const ofAgent = messages.filter(({ role }) => role === 'agent');
  const pieces = ofAgent.filter(({ cut_off }) => cut_off).map(({ content }) => content);
  const stored = linesOf(
    ofAgent.map(({ content }) => content),
    pieces,
  );
  const shown = linesOf(screenOf(customer), pieces);
  const calls = await sql<
    { call_id: string; tool_name: string; state: string; arguments: { order: string } }[]
  >`
    select call_id, tool_name, state, arguments from tool_calls where interaction_id = ${id}`;

  for (const message of sent) {
    const name = `"${message.text}"`;
    const received = messages.filter(({ item_id }) => item_id === `customer:${message.id}`).length;
    if (received !== 1) problems.push(`${name} is in the transcript ${received} times`);
    if (!customer.acknowledged.has(message.id)) problems.push(`${name} was never acknowledged`);
    const kept = stored.filter((line) => isAnswer(line, message.text)).length;
    if (kept !== 1) problems.push(`${name} has ${kept} answers in the transcript`);
    const told = shown.filter((line) => isAnswer(line, message.text)).length;
    if (told !== 1) problems.push(`${name} has ${told} answers on the customer's page`);
    if (totals) totals.answers += kept;
  }
  if (totals) totals.messages += sent.length;

  for (const call of calls) {
    const name = `${call.tool_name} ${call.arguments.order}`;
    const runs = world.recorder.calls.filter(
      ({ path, body }) => path === `/${call.tool_name}` && body.order === call.arguments.order,
    );
    if (totals) totals.toolRuns += runs.length;
    if (totals && call.state === 'unknown') totals.unknownCalls += 1;
    const same = calls.filter(
      (other) => other.tool_name === call.tool_name && other.arguments.order === call.arguments.order,
    );
    if (same.length !== 1) problems.push(`${name} was called ${same.length} times`);
    if (!['succeeded', 'failed', 'refused', 'unknown'].includes(call.state)) {
      problems.push(`${name} was left ${call.state}`);
    }
    if (call.state === 'succeeded' && runs.length === 0) problems.push(`${name} succeeded and never ran`);
    if (call.state === 'refused' && runs.length > 0) problems.push(`${name} was refused and ran`);
    const keys = new Set(runs.map(({ idempotencyKey }) => idempotencyKey));
    if (runs.length > 1 && (call.tool_name !== 'look_up' || keys.size !== 1))
      problems.push(`${name} ran ${runs.length} times with ${keys.size} keys`);
  }

  if (customer.texts.some(({ text }) => text === NOTHING_OPEN)) problems.push('it spoke without a reason');
  problems.push(...orderOfSpeakers(visit));
  const apologies = customer.texts.filter(({ text }) => APOLOGY.test(text)).length;
  if (apologies > deaths) problems.push(`${apologies} apologies for ${deaths} deaths`);
  const [archive] = await sql`
    select i.status, count(a.id)::int as archives, count(*) filter (where p.status = 'pending')::int as pending
    from interactions i left join interaction_archives a on a.interaction_id = i.id
    left join tool_permissions p on p.interaction_id = i.id where i.id = ${id} group by i.id`;
  if (archive?.status !== 'completed') problems.push(`it ended as ${archive?.status}`);
  const [{ archives } = { archives: 0 }] = await sql<{ archives: number }[]>`
    select count(*)::int as archives from interaction_archives where interaction_id = ${id}`;
  if (archives !== 1) problems.push(`it has ${archives} archives`);
  if (archive?.pending > 0) problems.push('a permission is still pending');
  if (problems.length === 0) return [];
  const seen = customer.texts.map(
    ({ from, final, text }) => `${from.slice(-2)}${final ? '' : ' (unfinished)'}: ${text}`,
  );
  return [
    ...problems.map((problem) => `${id}: ${problem}`),
    `they saw:\n${seen.join('\n')}`,
    `their page:\n${shown.join('\n')}`,
    `the transcript:\n${ofAgent.map(({ content, cut_off }) => `${cut_off ? '(cut off) ' : ''}${content}`).join('\n')}`,
  ];
}

/** What an agent said, line by line; the rest of what broke off follows it in the same line. */
function linesOf(texts: readonly string[], pieces: readonly string[]): string[] {
  let whole = '';
  for (const text of texts) {
    if (APOLOGY.test(text)) continue;
    const ends = pieces.includes(text) && !text.endsWith(ALL_SAID);
    whole += ends ? text : `${text}\n`;
  }
  return whole.split('\n');
}

/** Nobody begins to speak after a successor has: ghosts, orphans and woken zombies stay silent. */
function orderOfSpeakers({ customer }: Visit): string[] {
  const problems: string[] = [];
  let newest = 0;
  for (const { from, role, text } of customer.texts) {
    if (role !== 'agent') continue;
    const generation = Number(/-g(\d+)$/.exec(from)?.[1] ?? 0);
    if (generation < newest) problems.push(`generation ${generation} said "${text}" after ${newest}`);
    newest = Math.max(newest, generation);
  }
  return problems;
}
