import { Room } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { waitUntil } from '../support/stack.ts';
import { audit } from './support/audit.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

const METRICS_MS = 1_000;
const LONG = { timeout: 240_000 };
const PATIENT = { deadlineMs: 60_000 };

let world: World;
beforeAll(async () => {
  // Leases and grace that a busy machine can keep.
  const figures = {
    leaseMs: 8_000,
    heartbeatMs: 2_000,
    metricsMs: METRICS_MS,
    takeoverGraceMs: 5_000,
    rejoinChatMs: 3_000,
    permissionTimeoutMs: 15_000,
  };
  world = await setupWorld({ workers: 1, figures });
}, 120_000);
afterAll(() => world?.stop(), 60_000);

const people: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(world.tail());
  for (const person of people.splice(0)) await person.leave();
});

async function ask(visit: Visit, words: string): Promise<void> {
  await visit.say(words);
  await visit.customer.waitForText(`Heard: ${words}`, PATIENT);
  await visit.customer.waitForAck(visit.sent.at(-1)?.id ?? '', PATIENT);
}

async function killWorkers(): Promise<void> {
  for (const worker of world.workers) if (worker.alive) await worker.killAll();
}

async function takeOver({ id }: Visit): Promise<Customer> {
  const as = world.stack.supervisor;
  const taken = await world.stack.request(`/v1/interactions/${id}/takeover`, { body: {}, as });
  expect(taken.status).toBe(200);
  const { url, token } = taken.body as { url: string; token: string };
  const person = await joinAsCustomer({ url, token, channel: 'chat' });
  people.push(person);
  return person;
}

async function handBack({ id }: Visit): Promise<void> {
  const as = world.stack.supervisor;
  const answer = await world.stack.request(`/v1/interactions/${id}/handback`, { body: {}, as });
  expect(answer.status).toBe(204);
}

const rowOf = async ({ id }: Visit) => {
  const [row] = await world.stack.database.sql`
    select status, end_reason, control, controlled_by_name, generation::int, claim_attempts
    from interactions where id = ${id}`;
  return row ?? {};
};

/** Ticks of the metrics, whole numbers as all processes count the same ones; those of later generations among them. */
async function ticksOf({ id }: Visit): Promise<{ tick: number; feed: string }[]> {
  const rows = await world.stack.database.sql<{ ms: number; feed: string }[]>`
    select (extract(epoch from "timestamp") * 1000)::float8 as ms, feed_text as feed
    from realtime_metrics where interaction_id = ${id} order by 1`;
  return rows.map(({ ms, feed }) => ({ tick: ms / METRICS_MS, feed }));
}

test(
  'a takeover outlives every worker: the person keeps control, the successor is silent and measures on',
  LONG,
  async () => {
    const { sql } = world.stack.database;
    const visit = await world.visit();
    await ask(visit, 'before');
    const human = await takeOver(visit);
    await human.waitForAck(await human.send('Sam here, I promise a gift.'), PATIENT);
    const before = await waitUntil(async () => {
      const ticks = await ticksOf(visit);
      return ticks.some(({ feed }) => feed.includes('a supervisor has taken over')) ? ticks : undefined;
    });
    await killWorkers();
    // Both write while nobody is there to store it.
    const line = await human.send('Nobody of the machines hears this.');
    await visit.say('nor this');
    await world.startWorker();
    await human.waitForAck(line, PATIENT);
    await visit.customer.waitForAck(visit.sent.at(-1)?.id ?? '', PATIENT);
    expect(await rowOf(visit)).toMatchObject({
      control: 'supervisor',
      controlled_by_name: 'Sam Supervisor',
      generation: 2,
    });
    // It measures on, at the ticks of its predecessor, and knows who has control.
    const ticks = await waitUntil(async () => {
      const now = await ticksOf(visit);
      return now.length >= before.length + 3 && now.at(-1)?.feed.includes('a supervisor has taken over')
        ? now
        : undefined;
    }, 60_000);
    expect(ticks.filter(({ tick }) => !Number.isInteger(tick))).toEqual([]);
    expect(new Set(ticks.map(({ tick }) => tick)).size).toBe(ticks.length);
    // Not a word of the agent's, and no apology for what the customer did not notice.
    const fromAgent = visit.customer.texts.filter(({ role }) => role === 'agent').map(({ text }) => text);
    expect(fromAgent.slice(1)).toEqual(['Heard: before']);

    // Written after all that, so that the customer is the one who waits.
    await visit.say('and now');
    await visit.customer.waitForAck(visit.sent.at(-1)?.id ?? '', PATIENT);
    await handBack(visit);
    await visit.customer.waitForText(/Heard: nor this\nHeard: and now/, PATIENT);
    expect(world.model.turns.at(-1)?.text).toContain('I promise a gift');
    const shown = visit.customer.texts.filter(({ role }) => role === 'supervisor').map(({ text }) => text);
    expect(shown).toEqual(['Sam here, I promise a gift.', 'Nobody of the machines hears this.']);
    const lines = await sql`
      select content, metadata ->> 'by_name' as by from interaction_messages
      where interaction_id = ${visit.id} and role = 'supervisor' order by spoken_at, seq`;
    expect(lines.map(({ content, by }) => [content, by])).toEqual([
      ['Sam here, I promise a gift.', 'Sam Supervisor'],
      ['Nobody of the machines hears this.', 'Sam Supervisor'],
    ]);
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
  },
);

test(
  'with no worker there, a person hands back or drops out: the next agent goes on, after the grace period',
  LONG,
  async () => {
    const [handed, dropped] = [await world.visit(), await world.visit()];
    await takeOver(handed);
    const human = await takeOver(dropped);
    for (const visit of [handed, dropped]) {
      await visit.say('are you there');
      await visit.customer.waitForAck(visit.sent[0]?.id ?? '', PATIENT);
    }
    await killWorkers();
    await handBack(handed);
    await human.leave();
    await world.startWorker();
    await handed.customer.waitForText('Heard: are you there', PATIENT);
    await dropped.customer.waitForText(/my colleague lost the connection[\s\S]*AI assistant again/, PATIENT);
    await dropped.customer.waitForText('Heard: are you there', PATIENT);
    for (const visit of [handed, dropped]) {
      expect(await rowOf(visit)).toMatchObject({ control: 'agent', controlled_by_name: null });
      await world.close(visit);
      expect(await audit(world, visit, 1)).toEqual([]);
    }
  },
);

test(
  'a deadline passes with no worker there: the call is refused, never runs, and the next agent says so',
  LONG,
  async () => {
    const { sql } = world.stack.database;
    const visit = await world.visit();
    await visit.say('refund night');
    const statusOf = async () => {
      const [row] = await sql`select status from tool_permissions where interaction_id = ${visit.id}`;
      return row?.status;
    };
    await waitUntil(statusOf, 60_000);
    await killWorkers();
    await waitUntil(async () => (await statusOf()) === 'timeout', 60_000);
    await world.startWorker();
    const { text } = await visit.customer.waitForText('Result of refund night: ', PATIENT);
    expect(text).not.toContain('ref-');
    const [call] = await sql`select state, refusal_reason from tool_calls where interaction_id = ${visit.id}`;
    expect(call).toEqual({ state: 'refused', refusal_reason: 'timeout' });
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
  },
);

test(
  'what people know of unknown calls reaches the customer, also when nobody was there to be told',
  LONG,
  async () => {
    const { recorder, stack } = world;
    const as = stack.supervisor;
    const answers = {
      done: 'happened',
      undone: 'did_not_happen',
      darkdone: 'happened',
      darkundone: 'did_not_happen',
      darkagain: 'run_again',
    };
    const visits = new Map<string, Visit>();
    for (const order of Object.keys(answers)) visits.set(order, await world.visit());
    const visitOf = (order: string): Visit => visits.get(order) as Visit;
    const release = recorder.hold('/charge');
    for (const [order, visit] of visits) await visit.say(`charge ${order}`);
    await waitUntil(
      () => [...visits.keys()].every((order) => recorder.calls.some(({ body }) => body.order === order)),
      60_000,
    );
    await killWorkers();
    release();
    await world.startWorker();
    for (const [order, { customer }] of visits)
      await customer.waitForText(`Result of charge ${order}: The outcome is unknown`, PATIENT);

    const resolve = async (order: keyof typeof answers): Promise<void> => {
      const open = await stack.request('/v1/tool-calls?state=unknown', { as });
      const calls = (open.body as { data: { id: string; interaction_id: string }[] }).data;
      const call = calls.find(({ interaction_id }) => interaction_id === visitOf(order).id);
      if (!call) throw new Error(`the supervisor was not asked about ${order}: ${JSON.stringify(open.body)}`);
      const body = { resolution: answers[order], note: 'looked at the bank' };
      const answer = await stack.request(`/v1/tool-calls/${call.id}/resolution`, { body, as });
      expect(answer.status).toBe(200);
    };
    const told = (order: string, words: string) => visitOf(order).customer.waitForText(words, PATIENT);
    await resolve('done');
    await resolve('undone');
    await told('done', 'Settled charge done: it did.');
    await told('undone', 'Settled charge undone: it did not.');

    await killWorkers();
    await resolve('darkdone');
    await resolve('darkundone');
    await resolve('darkagain');
    await world.startWorker();
    await told('darkdone', 'Settled charge darkdone: it did.');
    await told('darkundone', 'Settled charge darkundone: it did not.');
    await told('darkagain', 'Again darkagain: {');
    for (const [order, visit] of visits) {
      // Also whoever was told before the second death is back, and was not told again.
      await ask(visit, `and after ${order}`);
      const { agentTexts } = visit.customer;
      expect(agentTexts.filter((text) => /^(Settled|Again) /m.test(text))).toHaveLength(1);
      const runs = recorder.calls.filter(({ body }) => body.order === order).length;
      expect(runs).toBe(order === 'darkagain' ? 2 : 1);
      await world.close(visit);
      if (order !== 'darkagain') expect(await audit(world, visit, 2)).toEqual([]);
    }
  },
);

test(
  'a client that keeps nothing is asked to send again what may be lost; one that keeps it is not',
  LONG,
  async () => {
    const kept = await world.visit();
    await ask(kept, 'mine is kept');
    // As any client of LiveKit writes and reads: no ids of its own, and no acknowledgements.
    const created = await world.stack.create(world.agent);
    const room = new Room();
    const read: string[] = [];
    room.registerTextStreamHandler('lk.transcription', async (reader) => {
      const place = read.push('') - 1;
      try {
        for await (const part of reader) read[place] += part;
      } catch {
        // Whoever said it has died.
      }
    });
    const reads = (words: string) => waitUntil(() => read.some((text) => text.includes(words)), 60_000);
    const write = (words: string) => room.localParticipant?.sendText(words, { topic: 'lk.chat' });
    try {
      await room.connect(created.url, created.token, { autoSubscribe: true, dynacast: false });
      await reads('Welcome to the shop');
      await write('anybody');
      await reads('Heard: anybody');
      await killWorkers();
      await write('lost on its way');
      await world.startWorker();
      await reads('could you please send it again');
      await write('lost on its way');
      await reads('Heard: lost on its way');
      await ask(kept, 'and goes on');
      expect(kept.customer.agentTexts.join(' ')).not.toContain('send it again');
      await world.close(kept);
      expect(await audit(world, kept, 1)).toEqual([]);
    } finally {
      await room.disconnect();
    }
  },
);

test(
  'a conversation that ends every worker is given up: the customer is told, it is archived, nobody tries again',
  LONG,
  async () => {
    const { sql } = world.stack.database;
    const visit = await world.visit();
    await ask(visit, 'before');
    let deaths = 0;
    while (deaths < 9) {
      const { worker, job, generation } = await world.carrier(visit);
      worker.signal(job, 'SIGKILL');
      deaths += 1;
      await waitUntil(async () => (await rowOf(visit)).generation > generation, 60_000);
    }
    await visit.customer.waitForText(/lost the connection several times/, PATIENT);
    await visit.customer.waitFor(() => visit.customer.disconnected, PATIENT);
    const given = await rowOf(visit);
    expect(given).toMatchObject({ status: 'failed', end_reason: 'recovery_failed', claim_attempts: 10 });
    const replay = await world.stack.request(`/v1/archives/${visit.id}`, { as: world.stack.supervisor });
    expect(replay.status).toBe(200);
    const text = JSON.stringify(replay.body);
    for (const known of ['recovery_failed', 'given_up', 'Heard: before']) expect(text).toContain(known);
    // Others are served, and nobody has come back to this one meanwhile.
    const next = await world.visit();
    await ask(next, 'and me');
    expect(await rowOf(visit)).toEqual(given);
    const [{ archives } = { archives: 0 }] = await sql<{ archives: number }[]>`
      select count(*)::int as archives from interaction_archives where interaction_id = ${visit.id}`;
    expect(archives).toBe(1);
    await world.close(next);
  },
);
