import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../support/stack.ts';
import { audit } from './support/audit.ts';
import { setupDatabaseProxy } from './support/database-proxy.ts';
import { setupLine } from './support/line.ts';
import { hasRead } from './support/screen.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

/** One that a busy machine keeps, and which a hand-over that works does not wait for. */
const LEASE_MS = 8_000;

let world: World;
beforeAll(async () => {
  world = await setupWorld({
    workers: 2,
    // Longer than a lost room is waited for, as in production: whoever lost the room must not think the customer gone.
    figures: {
      permissionTimeoutMs: 120_000,
      rejoinChatMs: LEASE_MS / 2 + 4_000,
      leaseMs: LEASE_MS,
      heartbeatMs: 2_000,
    },
  });
}, 120_000);
afterAll(() => world?.stop(), 60_000);

const LONG = { timeout: 200_000 };
const PATIENT = { deadlineMs: 60_000 };

async function ask(visit: Visit, words: string): Promise<void> {
  await visit.say(words);
  await visit.customer.waitForText(words, PATIENT);
}

/** Every worker there is now is replaced by a new one. */
async function replaceWorkers(end: 'drain' | 'killAll'): Promise<void> {
  const old = world.workers.filter(({ alive }) => alive);
  for (const worker of old) {
    await world.startWorker();
    await worker[end]();
  }
}

/** Of each session after the first, whether its predecessor had left in good order. */
async function successions({ id }: Visit): Promise<boolean[]> {
  const rows = await world.stack.database.sql<{ handed_over: boolean }[]>`
    select (output ->> 'handedOver')::boolean as handed_over from interaction_steps
    where interaction_id = ${id} and step_type = 'joined' and (output ->> 'recovered')::boolean order by id`;
  return rows.map(({ handed_over }) => handed_over);
}

/** Says something every second, and is answered, for as long as it takes. */
async function keepTalking(visit: Visit, until: () => boolean): Promise<void> {
  for (let count = 0; !until(); count += 1) {
    await ask(visit, `meanwhile ${count}`);
    const next = Date.now() + 1_000;
    await waitUntil(() => Date.now() >= next);
  }
}

test(
  'two workers restart one after the other under load: sentences are finished, nothing is lost, nobody apologises',
  LONG,
  async () => {
    const visits = await Promise.all([world.visit(), world.visit(), world.visit()]);
    const slowly = `slowly ${'and one more word '.repeat(5)}`.trim();
    await Promise.all(visits.map((visit) => ask(visit, 'before')));
    await Promise.all(visits.map((visit) => visit.say(slowly)));
    // In mid-sentence.
    for (const { customer } of visits) {
      await customer.waitFor(
        () => customer.texts.some(({ text }) => text.startsWith('Heard: slowly')),
        PATIENT,
      );
    }
    let restarted = false;
    const restart = replaceWorkers('drain').finally(() => {
      restarted = true;
    });
    await Promise.all([restart, ...visits.map((visit) => keepTalking(visit, () => restarted))]);
    await Promise.all(visits.map((visit) => ask(visit, 'after')));
    for (const visit of visits) {
      const said = visit.customer.texts.filter(({ text }) => text.includes('slowly'));
      expect(said.map(({ final, text }) => [final, text])).toEqual([[true, `Heard: ${slowly}`]]);
      expect((await world.carrier(visit)).generation).toBeGreaterThan(1);
      // Nobody waited for a lease: each gave it back, and its successor was told that nothing was cut off.
      const followed = await successions(visit);
      expect(followed.length).toBeGreaterThan(0);
      expect(followed).not.toContain(false);
      await world.close(visit);
      expect(await audit(world, visit, 0)).toEqual([]);
    }
  },
);

test('a sentence that is too long for the hand-over is gone on with, and not begun again', LONG, async () => {
  const visit = await world.visit();
  await ask(visit, 'before');
  // Fifteen seconds; a worker that has to go waits nine.
  const words = `slowly ${'and on and on and '.repeat(24)}`.trim();
  await visit.say(words);
  await visit.customer.waitFor(
    () => visit.customer.texts.some(({ text }) => text.startsWith('Heard: slowly')),
    PATIENT,
  );
  await replaceWorkers('drain');
  await visit.customer.waitFor(() => hasRead(visit.customer, words), {
    ...PATIENT,
    what: 'the whole sentence',
  });
  await world.close(visit);
  expect(await audit(world, visit, 1)).toEqual([]);
});

test(
  'a chat that was taken just before its worker stopped begins with the next one, which has nothing to excuse',
  LONG,
  async () => {
    const { proxy } = world;
    for (const worker of world.workers) if (worker.alive) await worker.drain();
    const old = await world.startWorker();
    // Claimed, and its process stands before the first thing that a session does.
    const hold = proxy.hold({ call: 'load_session', when: 'before' });
    const coming = world.visit();
    await hold.reached;
    const drained = old.drain();
    await old.line(({ msg }) => msg === 'conversations are handed over', 60_000);
    hold.release();
    await drained;
    await world.startWorker();
    const visit = await coming;
    expect((await world.carrier(visit)).worker).not.toBe(old);
    await ask(visit, 'here I am');
    const greetings = visit.customer.agentTexts.filter((text) => /Welcome to the shop/.test(text));
    expect(greetings).toHaveLength(1);
    await world.close(visit);
    expect(await audit(world, visit, 0)).toEqual([]);
  },
);

test(
  'a decision that falls while no worker lives takes effect when one returns, within its deadline',
  LONG,
  async () => {
    const visit = await world.visit();
    await visit.say('refund dark');
    const deadline = () => world.stack.database.sql`
    select expires_at from tool_permissions where interaction_id = ${visit.id}`;
    const [before] = await waitUntil(async () => {
      const rows = await deadline();
      return rows.length > 0 ? rows : undefined;
    });
    for (const worker of world.workers) if (worker.alive) await worker.killAll();
    await world.decide(visit, 'dark', 'allowed');
    expect(world.recorder.calls.filter(({ body }) => body.order === 'dark')).toEqual([]);
    await world.startWorker();
    await visit.customer.waitForText('Result of refund dark: {', PATIENT);
    expect(await deadline()).toEqual([before]);
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
  },
);

test(
  'a conversation whose worker and whose customer are gone is wrapped up from its transcript',
  LONG,
  async () => {
    const visit = await world.visit();
    await ask(visit, 'a last question');
    for (const worker of world.workers) if (worker.alive) await worker.killAll();
    await visit.customer.leave();
    await world.startWorker();
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
    const [archive] = await world.stack.database
      .sql`select facts from interaction_archives where interaction_id = ${visit.id}`;
    expect(archive?.facts).toMatchObject({ end_reason: 'customer_left', messages: { customer: 1 } });
  },
);

test('a worker that loses its network is succeeded, and silent when it comes back', LONG, async () => {
  const { url } = world.stack.livekit;
  const line = await setupLine(Number(new URL(url).port));
  const proxy = await setupDatabaseProxy(world.stack.database.supabaseUrl);
  try {
    for (const worker of world.workers) if (worker.alive) await worker.killAll();
    const cut = await world.startWorker({
      LIVEKIT_URL: `ws://127.0.0.1:${line.port}`,
      SUPABASE_URL: proxy.url,
    });
    const visit = await world.visit();
    await ask(visit, 'before');
    await world.startWorker();
    line.cut();
    proxy.cut();
    await ask(visit, 'meanwhile');
    line.mend();
    proxy.mend();
    // Its session has found out that it was succeeded.
    await cut.line(
      ({ interaction, generation, msg }) =>
        interaction === visit.id && generation === 1 && msg === 'session left the interaction',
      60_000,
    );
    await ask(visit, 'after');
    expect((await world.carrier(visit)).worker).not.toBe(cut);
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
    await cut.killAll();
  } finally {
    await Promise.all([line.stop(), proxy.stop()]);
  }
});

test(
  'what became of an unknown call is a question to the supervisor, whose answer reaches the customer',
  LONG,
  async () => {
    const visit = await world.visit();
    const release = world.recorder.hold('/charge');
    await visit.say('charge riddle');
    await waitUntil(() => world.recorder.calls.some(({ body }) => body.order === 'riddle'));
    const { worker, job } = await world.carrier(visit);
    worker.signal(job, 'SIGKILL');
    await visit.customer.waitForText('Result of charge riddle: The outcome is unknown', PATIENT);
    release();
    const as = world.stack.supervisor;
    await waitUntil(async () => {
      const [row] = await world.stack.database.sql`
      select 1 from tool_calls where interaction_id = ${visit.id} and state = 'unknown'`;
      return row;
    });
    const open = await world.stack.request('/v1/tool-calls?state=unknown', { as });
    const calls = (open.body as { data: { id: string; interaction_id: string }[] }).data;
    const call = calls.find(({ interaction_id }) => interaction_id === visit.id);
    if (!call) throw new Error(`the supervisor was not asked: ${JSON.stringify(open.body)}`);
    const answer = await world.stack.request(`/v1/tool-calls/${call.id}/resolution`, {
      body: { resolution: 'run_again', note: 'the bank has nothing' },
      as,
    });
    expect(answer.status).toBe(200);
    await waitUntil(() => world.recorder.calls.filter(({ body }) => body.order === 'riddle').length === 2);
    const states = () => world.stack.database.sql`
    select state from tool_calls where interaction_id = ${visit.id} order by requested_at`;
    await waitUntil(async () => (await states())[1]?.state === 'succeeded');
    const late = await world.stack.request(`/v1/tool-calls/${call.id}/resolution`, {
      body: { resolution: 'happened' },
      as,
    });
    expect(late).toMatchObject({ status: 409, body: { code: 'tool_call_already_resolved' } });
    await world.close(visit);
  },
);
