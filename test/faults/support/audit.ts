import { isAnswer, NOTHING_OPEN } from './shop.ts';
import type { Visit, World } from './world.ts';

export interface AuditTotals {
  messages: number;
  answers: number;
  toolRuns: number;
  unknownCalls: number;
}

const APOLOGY = /I lost the connection for a moment/;

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
  const messages = await sql<{ role: string; content: string; item_id: string }[]>`
    select role, content, item_id from interaction_messages where interaction_id = ${id} order by seq`;
  const calls = await sql<
    { call_id: string; tool_name: string; state: string; arguments: { order: string } }[]
  >`
    select call_id, tool_name, state, arguments from tool_calls where interaction_id = ${id}`;

  for (const message of sent) {
    const name = `"${message.text}"`;
    const stored = messages.filter(({ item_id }) => item_id === `customer:${message.id}`).length;
    if (stored !== 1) problems.push(`${name} is in the transcript ${stored} times`);
    if (!customer.acknowledged.has(message.id)) problems.push(`${name} was never acknowledged`);
    const told = customer.texts.filter(
      ({ role, final, text }) => role === 'agent' && final && isAnswer(text, message.text),
    );
    // One whose end was not seen counts when the transcript has it: it is stored before its end is shown.
    const kept = messages.filter(
      ({ role, content }) => role === 'agent' && isAnswer(content, message.text),
    ).length;
    // What was cut off before it was stored is given again by a successor; to a client a stream that its sender's
    // death ended may look complete. Nobody says the same twice, and nobody repeats what was stored.
    const speakers = new Set(told.map(({ from }) => from));
    if (told.length > speakers.size || speakers.size > deaths + 1)
      problems.push(`${name} was answered ${told.length} times`);
    if (kept !== 1) problems.push(`${name} has ${kept} answers in the transcript`);
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
  return [...problems.map((problem) => `${id}: ${problem}`), `they saw:\n${seen.join('\n')}`];
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
