import { get as httpGet, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requestCallback } from '../../src/database/callbacks.ts';
import { appendInterim, trimChanges } from '../../src/database/changes.ts';
import { completeInteraction } from '../../src/database/interactions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { finishToolCall, requestToolCall, startToolCall } from '../../src/database/tool-calls.ts';
import { newCall, startInteraction } from '../database/floor.ts';
import type { Agent, Business, Person } from '../support/fixtures.ts';
import { type OpenStream, openStream, type StreamEvent } from './event-stream.ts';
import {
  apiSettings,
  eventually,
  type Floor,
  forEachTry,
  setupFloor,
  startApi,
  type TestApi,
} from './support.ts';

let floor: Floor;
let second: TestApi;
let business: Business;
let supervisor: Person;
let cover: Person;
let admin: Person;
let colleague: Person;
let stranger: Person;
let agent: Agent;
const streams: OpenStream[] = [];

beforeAll(async () => {
  floor = await setupFloor();
  second = await startApi(apiSettings(floor.database, floor.livekit));
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness();
  const other = await database.createBusiness();
  [supervisor, cover, admin, colleague, stranger] = await Promise.all([
    database.createUser({ businessId: business.id }),
    database.createUser({ businessId: business.id }),
    database.createUser({ businessId: business.id, role: 'admin' }),
    database.createUser({ businessId: business.id }),
    database.createUser({ businessId: other.id, role: 'admin' }),
  ]);
  agent = await database.createAgent({
    businessId: business.id,
    supervisorId: supervisor.id,
    coverId: cover.id,
  });
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});
afterAll(async () => {
  await second?.stop();
  await floor?.stop();
});

async function watch(
  person: Person,
  options: { lastEventId?: string | undefined; query?: string; api?: TestApi } = {},
): Promise<OpenStream> {
  const stream = await openStream((options.api ?? floor.api).url, person.accessToken, options);
  streams.push(stream);
  return stream;
}

const start = (of: Agent = agent) => startInteraction(floor.database.service, of);
type Started = Awaited<ReturnType<typeof start>>;

let said = 0;
/** One thing said, whose event can be told from all others. */
async function say(interaction: Started, content = 'words'): Promise<string> {
  said += 1;
  const item = `item-${said}`;
  await appendRecords(floor.database.service, [
    {
      interaction_id: interaction.id,
      generation: interaction.generation,
      messages: [{ item_id: item, role: 'customer', content, spoken_at: '2026-03-01T09:30:00Z' }],
    },
  ]);
  return item;
}

const isItem = (item: string) => (event: StreamEvent) => event.data.item_id === item;
const items = (stream: OpenStream) => stream.of('message').map(({ data }) => data.item_id);

describe('the event stream', () => {
  it('is one that proxies must not hold back, and begins with ready', async () => {
    const stream = await watch(supervisor);
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(stream.headers.get('x-accel-buffering')).toBe('no');
    expect(stream.ready.data.at).toEqual(expect.any(String));
    expect(stream.ready.id).toEqual(expect.any(String));
  });

  it('needs a person', async () => {
    expect((await floor.api.call('/v1/events')).status).toBe(401);
    expect((await floor.api.call('/v1/events', { token: 'forged' })).status).toBe(401);
  });

  it('tells what a supervisor watches, in the form of the lists', async () => {
    const { service } = floor.database;
    const stream = await watch(supervisor);
    const interaction = await start();
    const entry = { interaction_id: interaction.id, generation: interaction.generation };
    await stream.next('it began', ({ name, data }) => name === 'interaction' && data.id === interaction.id);
    await stream.next('the agent is busy', ({ name, data }) => name === 'agent' && data.status === 'in_chat');

    const rows = [{ ...entry, item_id: 'turn-1', role: 'customer' as const, content: 'Where is' }];
    await appendInterim(service, { rows });
    const interim = await stream.next('what is being said', isItem('turn-1'));
    expect(interim.data).toEqual({
      interaction_id: interaction.id,
      item_id: 'turn-1',
      role: 'customer',
      content: 'Where is',
      final: false,
      interrupted: false,
      spoken_at: null,
      seq: null,
    });
    const messages = [{ item_id: 'turn-1', role: 'customer' as const, content: 'Where is my order?' }];
    await appendRecords(service, [{ ...entry, messages }]);
    const final = await stream.next(
      'what was said',
      ({ data }) => data.item_id === 'turn-1' && data.final === true,
    );
    expect(final.data).toMatchObject({ content: 'Where is my order?', seq: 1, interrupted: false });

    const metrics = { sentiment: 'neutral' as const, satisfaction_score: 64, feed_text: 'Asks for an order' };
    await recordMetrics(service, [{ ...entry, timestamp: '2026-03-01T09:30:05Z', ...metrics }]);
    const tick = await stream.next('the metrics', ({ name }) => name === 'metrics');
    expect(tick.data).toMatchObject({ interaction_id: interaction.id, agent_id: agent.id, ...metrics });

    const { call, permission } = await requestToolCall(service, newCall(interaction));
    const waiting = await stream.next('the permission', ({ name }) => name === 'permission');
    const listed = await floor.api.call('/v1/permissions', { token: supervisor.accessToken });
    expect(waiting.data).toEqual(listed.body.data.find(({ id }) => id === permission?.id));
    await floor.api.call(`/v1/permissions/${permission?.id}/decision`, {
      token: supervisor.accessToken,
      body: { decision: 'allowed' },
    });
    await stream.next('the decision', ({ name, data }) => name === 'permission' && data.status === 'allowed');
    await startToolCall(service, {
      ...interaction.key,
      callId: call.call_id,
      argumentsHash: call.arguments_hash,
    });
    await stream.next('it runs', ({ name, data }) => name === 'tool_call' && data.state === 'running');
    await finishToolCall(service, {
      ...interaction.key,
      callId: call.call_id,
      state: 'succeeded',
      output: 'refunded',
    });
    const done = await stream.next(
      'it ran',
      ({ name, data }) => name === 'tool_call' && data.state === 'succeeded',
    );
    expect(done.data).toMatchObject({
      call_id: call.call_id,
      output: 'refunded',
      arguments: { order: 1042 },
    });

    await requestCallback(service, {
      ...interaction.key,
      reason: 'wants a person',
      phoneNumber: '+31201234567',
    });
    const callback = await stream.next('the callback', ({ name }) => name === 'callback');
    expect(callback.data).toMatchObject({
      interaction_id: interaction.id,
      phone_number: '+31201234567',
      done_at: null,
    });

    await completeInteraction(service, {
      ...interaction.key,
      status: 'completed',
      endReason: 'customer_left',
    });
    const over = await stream.next(
      'it ended',
      ({ name, data }) => name === 'interaction' && data.status === 'completed',
    );
    const shown = await floor.api.call('/v1/interactions', { token: supervisor.accessToken });
    expect(over.data).toEqual(shown.body.data.find(({ id }) => id === interaction.id));
  });

  it('keeps what is said within its event, whatever it is', async () => {
    const stream = await watch(supervisor);
    const content = '</script><img src=x onerror=alert(1)>\n\nevent: reset\ndata: {}\n\r\n\u2028: "\'`\\ 💬';
    const item = await say(await start(), content);
    expect((await stream.next('the words', isItem(item))).data.content).toBe(content);
    expect(stream.of('reset')).toEqual([]);
  });

  it('narrows to one interaction when asked, and to none that one may not see', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    const stream = await watch(supervisor, { query: `?interaction_id=${one.id}` });
    await say(other);
    await stream.next('the words', isItem(await say(one)));
    expect(stream.events.every(({ data }) => data.interaction_id === one.id || data.id === one.id)).toBe(
      true,
    );
    const refused = await floor.api.call(`/v1/events?interaction_id=${one.id}`, {
      token: stranger.accessToken,
    });
    expect([refused.status, refused.body.code]).toEqual([404, 'interaction_not_found']);
  });

  it('counts as being there', async () => {
    const person = await floor.database.createUser({ businessId: business.id });
    await watch(person);
    await eventually('presence', async () => {
      const [row] = await floor.database.sql`select last_seen_at from users where id = ${person.id}`;
      return row?.last_seen_at === null ? undefined : true;
    });
  });

  it('is not opened more often by one person than allowed', async () => {
    const small = await startApi(
      apiSettings(floor.database, floor.livekit, {
        api: { limits: { ...floor.api.settings.api.limits, streamsPerPerson: 2 } },
      }),
    );
    try {
      const first = await watch(supervisor, { api: small });
      await watch(supervisor, { api: small });
      const third = await small.call('/v1/events', { token: supervisor.accessToken });
      expect([third.status, third.body.code]).toEqual([429, 'too_many_streams']);
      first.close();
      await eventually('a place is free', async () => {
        const stream = await watch(supervisor, { api: small }).catch(() => undefined);
        return stream?.status;
      });
    } finally {
      await small.stop();
    }
  });

  it('ends in good order when the process stops', async () => {
    const third = await startApi(apiSettings(floor.database, floor.livekit));
    const stream = await watch(supervisor, { api: third });
    await third.stop();
    await stream.end();
    expect(stream.ended).toBe(true);
  });
});

describe('who is told', () => {
  it('are the agent’s supervisor, its cover and admins, and nobody else', async () => {
    const interaction = await start();
    const people = [supervisor, cover, admin, colleague, stranger];
    const [own, covering, all, beside, away] = await Promise.all(people.map((person) => watch(person)));
    const item = await say(interaction);
    for (const stream of [own, covering, all]) await stream?.next('the words', isItem(item));
    // Something of their own agents has come through since.
    const [besideAgent, awayAgent] = await Promise.all([
      floor.database.createAgent({ businessId: business.id, supervisorId: colleague.id }),
      floor.database.createAgent({ businessId: stranger.businessId }),
    ]);
    const theirs = await Promise.all([say(await start(besideAgent)), say(await start(awayAgent))]);
    await beside?.next('their own', isItem(theirs[0]));
    await away?.next('their own', isItem(theirs[1]));
    expect(JSON.stringify([beside?.events, away?.events])).not.toContain(interaction.id);
  });

  it('is nobody any more who was taken off the agent, from that very change on', async () => {
    const { database } = floor;
    const [before, after] = await Promise.all([
      database.createUser({ businessId: business.id }),
      database.createUser({ businessId: business.id }),
    ]);
    const moved = await database.createAgent({ businessId: business.id, supervisorId: before.id });
    const interaction = await start(moved);
    const [loses, gains] = await Promise.all([watch(before), watch(after)]);
    await loses.next('what was seen', isItem(await say(interaction)));
    await database.sql`update agents set supervisor_id = ${after.id} where id = ${moved.id}`;
    const item = await say(interaction);
    await gains.next('what is seen now', isItem(item));
    await loses.next('to load anew', ({ name }) => name === 'reset');
    await gains.next('to load anew', ({ name }) => name === 'reset');
    expect(items(loses)).not.toContain(item);
  });

  it('is nobody who was removed: their stream ends', async () => {
    const { database } = floor;
    const person = await database.createUser({ businessId: business.id, role: 'admin' });
    const stream = await watch(person);
    await database.sql`update users set deleted_at = now() where id = ${person.id}`;
    await stream.end();
  });
});

describe('coming back', () => {
  it('goes on without a gap or a repeat, at this process or another', async () => {
    const interaction = await start();
    for (const api of [floor.api, second]) {
      const first = await watch(supervisor);
      const before = [await say(interaction), await say(interaction)];
      await first.next('before', isItem(before[1] ?? ''));
      first.close();
      const meanwhile = [await say(interaction), await say(interaction)];
      const back = await watch(supervisor, { lastEventId: first.lastEventId, api });
      const after = await say(interaction);
      await back.next('after', isItem(after));
      expect([...items(first), ...items(back)]).toEqual([...before, ...meanwhile, after]);
    }
  });

  it('goes on in the middle of what was committed at once', async () => {
    const interaction = await start();
    const first = await watch(supervisor);
    const messages = Array.from({ length: 8 }, (_, index) => ({
      item_id: `batch-${index}`,
      role: 'agent' as const,
      content: 'words',
    }));
    await appendRecords(floor.database.service, [
      { interaction_id: interaction.id, generation: interaction.generation, messages },
    ]);
    await first.next('the last', isItem(messages.at(-1)?.item_id ?? ''));
    const middle = first.of('message')[3];
    for (const api of [floor.api, second]) {
      const back = await watch(supervisor, { lastEventId: middle?.id, api });
      await back.next('the last', isItem(messages.at(-1)?.item_id ?? ''));
      expect(items(back)).toEqual(messages.slice(4).map(({ item_id }) => item_id));
    }
  });

  it('tells what a transaction brought that committed while one was away, though it had begun before', async () => {
    const [interaction, other] = await Promise.all([start(), start()]);
    const first = await watch(supervisor);
    const late = await floor.database.sql.reserve();
    try {
      await late`begin`;
      await late`insert into interaction_messages (interaction_id, item_id, seq, role, content)
        values (${other.id}, 'slow', 900, 'customer', 'slow')`;
      const quick = await say(interaction);
      await first.next('the quick one', isItem(quick));
      first.close();
      await late`commit`;
    } finally {
      late.release();
    }
    const back = await watch(supervisor, { lastEventId: first.lastEventId });
    await back.next('the slow one', isItem('slow'));
    expect(items(back)).toEqual(['slow']);
  });

  it('shows nothing that one may not see, whoever’s position it is', async () => {
    const interaction = await start();
    const first = await watch(supervisor);
    const item = await say(interaction);
    const second = await say(interaction);
    await first.next('the words', isItem(second));
    const position = first.of('message').find(isItem(item))?.id;
    const taken = await watch(stranger, { lastEventId: position });
    const own = await floor.database.createAgent({ businessId: stranger.businessId });
    await taken.next('their own', isItem(await say(await start(own))));
    expect(JSON.stringify(taken.events)).not.toContain(interaction.id);
  });

  it.each(['nonsense', '0a1b2c3d.5:3:', '0a1b2c3d.1:9:2,1', "x'; drop table users; --", '00000000.1:2:'])(
    'with %j, which is no position of this log, is told to load anew',
    async (lastEventId) => {
      const stream = await watch(supervisor, { lastEventId });
      await stream.next('reset', ({ name }) => name === 'reset');
      await stream.next('what comes after', isItem(await say(await start())));
    },
  );

  it('after longer than is kept is told to load anew', async () => {
    const first = await watch(supervisor);
    const interaction = await start();
    await first.next('the words', isItem(await say(interaction)));
    first.close();
    await say(interaction);
    await trimChanges(floor.database.service, { keepSeconds: 0 });
    await say(interaction);
    await trimChanges(floor.database.service, { keepSeconds: 0 });
    const fresh = await startApi(apiSettings(floor.database, floor.livekit));
    try {
      const back = await watch(supervisor, { lastEventId: first.lastEventId, api: fresh });
      await back.next('reset', ({ name }) => name === 'reset');
    } finally {
      await fresh.stop();
    }
  });

  it('is not needed when the log was lost: those who listen are told to load anew', async () => {
    const stream = await watch(supervisor);
    const interaction = await start();
    await stream.next('the words', isItem(await say(interaction)));
    await floor.database.sql`truncate floorwalker.changes, floorwalker.change_log`;
    await stream.next('reset', ({ name }) => name === 'reset');
    await stream.next('what comes after', isItem(await say(interaction)));
  });
});

describe('a listener that does not read', () => {
  it('is dropped when it is too far behind, and the others notice nothing', async () => {
    const interaction = await start();
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
    const { port } = new URL(floor.api.url);
    const headers = { authorization: `Bearer ${supervisor.accessToken}` };
    httpGet({ host: '127.0.0.1', port, path: '/v1/events', headers, agent: false }, resolve).on(
      'error',
      () => {},
    );
    const stalled = await promise;
    // Never read: the socket's buffers fill up.
    stalled.pause();
    const { promise: dropped, resolve: onDropped } = Promise.withResolvers<void>();
    stalled.on('error', () => onDropped());
    stalled.on('close', () => onDropped());
    const other = await watch(cover);
    const large = 'x'.repeat(60_000);
    let last = '';
    let gone = false;
    void dropped.then(() => {
      gone = true;
    });
    for (let round = 0; round < 300 && !gone; round += 1) last = await say(interaction, large);
    await other.next('the last', isItem(last));
    stalled.resume();
    await dropped;
    const metrics = await (await fetch(`${floor.api.metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(/floorwalker_event_streams_closed_total\{reason="slow"\} [1-9]/);
    expect(other.ended).toBe(false);
  });
});
