import { z } from 'zod';
import type { Agent } from '../../test/support/fixtures.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack, Visit } from '../stack.ts';
import { greeted } from './chat.ts';
import { answered } from './voice.ts';

/** So many takeovers happen in one conversation before the next is begun. */
const PER_CONVERSATION = 25;
/** Conversations at once: enough to be done in minutes, few enough that they do not disturb one another. */
const AT_ONCE = { chat: 2, voice: 2 } as const;
/** As many conversations may fail before the rest is given up. */
const MAY_FAIL = 3;
const REQUEST = 'Please tell me a story.';
/** Longer than any pause inside of what the agent says. */
const SILENCE_MS = 1_000;
const DEADLINE_MS = 30_000;
const momentSchema = z.coerce.number();

type Channel = 'chat' | 'voice';

interface Cut {
  readonly committedAt: number;
  readonly silentAt: number;
}

/** The agent is in the middle of its story: it has been heard or read for a while, and has much to say yet. */
async function inMidSentence({ customer }: Visit, channel: Channel, since: number): Promise<void> {
  if (channel === 'voice') await customer.waitForSound(since, { deadlineMs: DEADLINE_MS });
  else {
    await customer.waitFor(() => customer.texts.some(({ role, at }) => role === 'agent' && at > since), {
      what: 'the story',
    });
  }
  // People press the button at no particular moment of what is said.
  await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 700));
}

/** When the customer last heard or read something of the agent. */
async function silentSince({ customer }: Visit, channel: Channel): Promise<number> {
  if (channel === 'voice') return customer.waitForQuiet(SILENCE_MS, { deadlineMs: DEADLINE_MS });
  const cut = customer.texts.findLast(({ role }) => role === 'agent');
  if (!cut) throw new Error('the agent had said nothing');
  return customer.waitFor(() => cut.finishedAt, { what: 'the end of the story' });
}

async function takeOverOnce(
  stack: Stack,
  agent: Agent,
  visit: Visit,
  since: number,
  results: Measurements,
  cuts: Cut[],
): Promise<number> {
  const channel = agent.agentType;
  const person = stack.supervisorOf(agent);
  await inMidSentence(visit, channel, since);
  const askedAt = Date.now();
  await stack.request(`/v1/interactions/${visit.id}/takeover`, {}, person);
  const answeredAt = Date.now();
  const silentAt = await silentSince(visit, channel);
  const [row] = await stack.sql`
    select extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as moment from interaction_steps
    where interaction_id = ${visit.id} and step_type = 'takeover' order by id desc limit 1`;
  const committedAt = momentSchema.parse(row?.moment);
  cuts.push({ committedAt, silentAt });
  results.add(
    'takeover',
    `${channel}: commit to the agent's last ${channel === 'voice' ? 'sound' : 'word'}`,
    silentAt - committedAt,
  );
  results.add('takeover', `  ${channel}: request to commit`, committedAt - askedAt);
  results.add('takeover', `  ${channel}: request to answer`, answeredAt - askedAt);

  // Handed back in mid-sentence the agent goes on with what it was saying.
  const returnedAt = Date.now();
  await stack.request(`/v1/interactions/${visit.id}/handback`, {}, person);
  const handedBackAt = Date.now();
  await inMidSentence(visit, channel, returnedAt);
  const first =
    channel === 'voice'
      ? visit.customer.firstSoundAfter(returnedAt)
      : visit.customer.texts.find(({ role, at }) => role === 'agent' && at > returnedAt)?.at;
  results.add(
    'takeover',
    `${channel}: hand back to the agent's first ${channel === 'voice' ? 'sound' : 'word'}`,
    (first ?? handedBackAt) - handedBackAt,
  );
  return returnedAt;
}

/** What part of the time was the way to the session, and what the way from it, by the session's own record. */
async function addParts(
  stack: Stack,
  channel: Channel,
  interactionId: string,
  cuts: readonly Cut[],
  results: Measurements,
): Promise<void> {
  const rows = await stack.sql`
    select extract(epoch from (output ->> 'at')::timestamptz) * 1000 as moment from interaction_steps
    where interaction_id = ${interactionId} and step_type = 'silenced' order by id`;
  const decisions = rows.map(({ moment }) => momentSchema.parse(moment));
  for (const { committedAt, silentAt } of cuts) {
    // The session's clock knows whole milliseconds. A chat may be silent and handed back before the session has read
    // the row: then it has fallen silent on the bell alone, and written nothing down.
    const decidedAt = decisions.find((at) => at >= committedAt - 1 && at <= silentAt);
    if (decidedAt === undefined) continue;
    results.add('takeover', `  ${channel}: commit to the session's decision`, decidedAt - committedAt);
    results.add('takeover', `  ${channel}: the session's decision to the last of it`, silentAt - decidedAt);
  }
}

async function converse(
  stack: Stack,
  agent: Agent,
  results: Measurements,
  takeNext: () => boolean,
): Promise<void> {
  const visit = await stack.join(agent);
  const voice = agent.agentType === 'voice';
  const cuts: Cut[] = [];
  try {
    await (voice ? answered(visit) : greeted(visit));
    let since = Date.now();
    if (voice) {
      await visit.customer.waitForQuiet(SILENCE_MS, { deadlineMs: DEADLINE_MS });
      await visit.customer.say(REQUEST);
    } else await visit.customer.send(REQUEST);
    for (let round = 0; round < PER_CONVERSATION && takeNext(); round += 1) {
      since = await takeOverOnce(stack, agent, visit, since, results, cuts);
    }
    // An agent that is telling a story finishes its sentence before it says goodbye.
    await stack.request(`/v1/interactions/${visit.id}/takeover`, {}, stack.supervisorOf(agent));
  } finally {
    await stack.end(agent, visit, { rest: false });
  }
  await addParts(stack, agent.agentType, visit.id, cuts, results);
}

/** From a takeover's commit, by the database's own record of it, to the last thing that the customer hears of the agent. */
export async function measureTakeover(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  for (const channel of ['chat', 'voice'] as const) {
    const agent = await stack.createAgent({ agentType: channel });
    let left = options.takeovers;
    const failedBefore = results.failures.length;
    const takeNext = (): boolean => {
      left -= 1;
      if (left >= 0 && left % 10 === 0) results.tell(`takeover ${channel}: ${left} to go`);
      return left >= 0;
    };
    const line = async (): Promise<void> => {
      while (left > 0 && results.failures.length - failedBefore < MAY_FAIL) {
        await results.attempt('takeover', () => converse(stack, agent, results, takeNext));
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE[channel], left) }, line));
    await stack.rest();
  }
}
