import { createServer, request as forward } from 'node:http';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventHub } from '../../src/api/events/hub.ts';
import { EventMetrics } from '../../src/api/events/metrics.ts';
import { createServiceClient } from '../../src/database/client.ts';
import { appendRecords } from '../../src/database/records.ts';
import { createLog } from '../../src/log.ts';
import { startInteraction } from '../database/floor.ts';
import { ManualClock } from '../support/clock.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type Gateway, setupGateway } from '../support/gateway.ts';
import { eventually, forEachTry } from './support.ts';

/** Far beyond what any test lets pass. */
const LONG_MS = 24 * 3_600_000;

let database: TestDatabase;
let gateway: Gateway;
let supervisor: Person;
let admin: Person;
let agent: Agent;
let interaction: Awaited<ReturnType<typeof startInteraction>>;
const hubs: EventHub[] = [];

beforeAll(async () => {
  database = await setupDatabase();
  gateway = await setupGateway(database.supabaseUrl);
});
forEachTry(async () => {
  const business = await database.createBusiness();
  supervisor = await database.createUser({ businessId: business.id });
  admin = await database.createUser({ businessId: business.id, role: 'admin' });
  agent = await database.createAgent({ businessId: business.id, supervisorId: supervisor.id });
  interaction = await startInteraction(database.service, agent);
});
afterEach(async () => {
  await gateway.open();
  await Promise.all(hubs.splice(0).map((hub) => hub.stop()));
});
afterAll(async () => {
  await gateway?.stop();
  await database?.stop();
});

interface Heard {
  readonly text: string;
  readonly ended: boolean;
  aborted: boolean;
}

/** A hub whose time stands still, and how to let it pass. */
function setupHub(databaseUrl = gateway.url): {
  hub: EventHub;
  clock: ManualClock;
  listen(given?: { expiresInMs?: number; read?: boolean; as?: Person; back?: string }): Promise<Heard>;
  /** Lets time pass in steps until it is heard. */
  until(label: string, heard: () => boolean, stepMs?: number): Promise<void>;
} {
  const clock = new ManualClock(Date.now());
  const hub = new EventHub({
    db: createServiceClient({ url: databaseUrl, secretKey: database.secretKey }),
    log: createLog({ level: 'silent' }),
    clock,
    metrics: new EventMetrics(new Registry()),
    pollMs: 100,
    streamsPerPerson: 10,
  });
  hubs.push(hub);
  return {
    hub,
    clock,
    listen: async ({ expiresInMs = LONG_MS, read = true, as = supervisor, back } = {}) => {
      const heard = { text: '', ended: false, aborted: false };
      const stream = await hub.open({
        personId: as.id,
        tokenExpiresAtMs: clock.now() + expiresInMs,
        lastEventId: back,
        abort: () => {
          heard.aborted = true;
        },
      });
      const decoder = new TextDecoder();
      if (read) {
        void (async () => {
          for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
            heard.text += decoder.decode(chunk, { stream: true });
          }
          heard.ended = true;
        })();
      }
      return heard;
    },
    until: (label, heard, stepMs = 100) =>
      eventually(label, async () => {
        if (heard()) return true;
        await clock.advance(stepMs);
        return heard() ? true : undefined;
      }).then(() => undefined),
  };
}

let said = 0;
async function say(content = 'words'): Promise<string> {
  said += 1;
  const item = `item-${said}`;
  const { id, generation } = interaction;
  const messages = [{ item_id: item, role: 'customer' as const, content }];
  await appendRecords(database.service, [{ interaction_id: id, generation, messages }]);
  return item;
}

describe('a stream, as time passes', () => {
  it('has a heartbeat every 15 seconds, and its place once a minute, while nothing happens', async () => {
    const { clock, listen, until } = setupHub();
    const heard = await listen();
    await until('ready', () => heard.text.includes('event: ready'));
    expect(heard.text.startsWith('retry: 2000\n\n')).toBe(true);
    const heartbeats = () => heard.text.split(': \n\n').length - 1;
    await clock.advance(16_000);
    await until('the first heartbeat', () => heartbeats() >= 1);
    await clock.advance(16_000);
    await until('the second heartbeat', () => heartbeats() >= 2);
    await clock.advance(30_000);
    await until('its place', () => /id: \S+\nevent: position\n/.test(heard.text));
  });

  it('ends with the token', async () => {
    const { clock, listen, until } = setupHub();
    const heard = await listen({ expiresInMs: 5_000 });
    await clock.advance(4_000);
    expect(heard.ended).toBe(false);
    await clock.advance(2_000);
    await until('the end', () => heard.ended);
  });

  it('is cut off when its listener is 10 seconds behind', async () => {
    const { clock, listen, until } = setupHub();
    const other = await listen();
    const stalled = await listen({ read: false });
    const item = await say();
    await until('the words', () => other.text.includes(item));
    await clock.advance(9_000);
    expect(stalled.aborted).toBe(false);
    await clock.advance(3_000);
    expect(stalled.aborted).toBe(true);
    expect(other.ended).toBe(false);
  });

  it('is cut off when more than 1 MB waits for its listener', async () => {
    const { listen, until } = setupHub();
    const other = await listen();
    const stalled = await listen({ read: false });
    for (let round = 0; round < 18; round += 1) {
      const item = await say('x'.repeat(60_000));
      await until('the words', () => other.text.includes(item));
      if (round === 15) expect(stalled.aborted).toBe(false);
    }
    expect(stalled.aborted).toBe(true);
    expect(other.aborted).toBe(false);
  });

  it('shows nothing of an agent 30 seconds after it was lost, even if that change was never told', async () => {
    const { clock, listen, until } = setupHub();
    const [heard, witness] = [await listen(), await listen({ as: admin })];
    const seen = await say();
    await until('what was seen', () => heard.text.includes(seen) && witness.text.includes(seen));
    const successor = await database.createUser({ businessId: agent.businessId });
    // As a change by hand would be that bypasses all triggers.
    const give = (to: string) =>
      database.sql.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        await tx`update agents set supervisor_id = ${to} where id = ${agent.id}`;
      });
    await give(successor.id);
    try {
      await clock.advance(30_000);
      const unseen = await say();
      await until('what others see', () => witness.text.includes(unseen));
      expect(heard.text).not.toContain(unseen);
      await until('to load anew', () => heard.text.includes('event: reset'));
      expect(witness.text).not.toContain('event: reset');
    } finally {
      await give(supervisor.id);
    }
  });
});

describe('while the database is away', () => {
  it('listeners are told so, stay, and hear what had happened when it is back', async () => {
    const { clock, listen, until } = setupHub();
    const heard = await listen();
    const before = await say();
    await until('the words', () => heard.text.includes(before));
    await gateway.close();
    await until('that it is away', () => heard.text.includes('event: delayed'), 500);
    // Written past the gateway.
    const meanwhile = await say();
    await clock.advance(20_000);
    expect(heard.ended).toBe(false);
    expect(heard.text).not.toContain(meanwhile);
    await gateway.open();
    await until('that it is back', () => heard.text.includes('event: live'), 500);
    expect(heard.text.indexOf(meanwhile)).toBeGreaterThan(0);
    expect(heard.text.indexOf(meanwhile)).toBeLessThan(heard.text.indexOf('event: live'));
    expect(heard.text.split(meanwhile)).toHaveLength(2);
    expect(heard.text).not.toContain('event: reset');
  });

  it('nobody can begin to listen', async () => {
    const { listen } = setupHub();
    await gateway.close();
    await expect(listen()).rejects.toMatchObject({ code: 'database_unavailable' });
    await gateway.open();
    await listen();
  });
});

describe('the reader', () => {
  it('is one for all listeners: ten ask the database no more than one does', async () => {
    let reads = 0;
    const front = createServer((request, response) => {
      if (request.url?.endsWith('/rpc/read_changes')) reads += 1;
      const { method, headers, url } = request;
      const onward = forward(`${database.supabaseUrl}${url}`, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const address = front.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const { clock, listen, until } = setupHub(`http://127.0.0.1:${port}`);
      const all = await Promise.all(Array.from({ length: 10 }, () => listen()));
      await until('a look', () => reads > 1);
      const [readsBefore, from] = [reads, clock.now()];
      const item = await say();
      await until('everybody has heard', () => all.every(({ text }) => text.includes(item)));
      // One look a poll at most, however many listen.
      expect(reads - readsBefore).toBeLessThanOrEqual((clock.now() - from) / 100 + 1);
    } finally {
      await Promise.all(hubs.splice(0).map((hub) => hub.stop()));
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
    }
  });

  it('rests when nobody has listened for half a minute, and nothing is left when it was stopped', async () => {
    const { clock, hub, listen, until } = setupHub();
    const heard = await listen({ expiresInMs: 2_000 });
    await until('the end', () => heard.ended);
    await until('rest', () => clock.waiting === 0, 1_000);
    const again = await listen();
    const item = await say();
    await until('the words', () => again.text.includes(item));
    await hub.stop();
    await until('the end', () => again.ended);
    expect(clock.waiting).toBe(0);
    await expect(listen()).rejects.toMatchObject({ code: 'shutting_down' });
  });
});

describe('a position that somebody made up', () => {
  const lastId = (heard: Heard) =>
    /(?:^|\n)id: (.+)\n/.exec(heard.text.slice(heard.text.lastIndexOf('\nid: ')))?.[1];

  it('does not have others told anything twice', async () => {
    const first = setupHub();
    const before = await first.listen();
    await first.until('ready', () => before.text.includes('event: ready'));
    const honest = lastId(before);
    await first.hub.stop();
    const missed = await say();
    const [change] = await database.sql<{ xid: string }[]>`
      select xid::text from floorwalker.changes where kind = 'message' order by id desc limit 1`;

    const { listen, until } = setupHub();
    const heard = await listen();
    const told = await say();
    await until('what was said', () => heard.text.includes(told));
    const [epoch, moment = ''] = (lastId(heard) ?? '').split('.');
    const xid = change?.xid ?? '';
    const forged = `${epoch}.${xid}:${moment.split(':')[1]}:${xid}`;
    const liar = await listen({ as: admin, back: forged });
    await until('an answer', () => liar.text.includes('event: ready'));

    const returned = await listen({ back: honest ?? '' });
    await until('all that was missed', () => returned.text.includes(told));
    expect(returned.text.split(`"${missed}"`)).toHaveLength(2);
    expect(returned.text.split(`"${told}"`)).toHaveLength(2);
  });
});
