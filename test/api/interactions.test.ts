import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent, Person } from '../support/fixtures.ts';
import { type OpenInteraction, openInteraction, requestGatedCall } from './gated-call.ts';
import { type Answer, type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let supervisor: Person;
let cover: Person;
let admin: Person;
let colleague: Person;
let stranger: Person;
let agent: Agent;
let talk: OpenInteraction;

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  const business = await database.createBusiness();
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
  talk = await openInteraction(floor, agent, { phoneNumber: '+441632960001' });
  const message = (n: number) => ({
    item_id: `item_${n}`,
    role: n % 2 === 0 ? 'agent' : 'customer',
    content: `Message ${n} <script>alert(1)</script>`,
  });
  const step = (n: number) => ({
    step_id: `step_${n}`,
    step_type: 'llm_call',
    name: 'reply',
    duration_ms: 12.4,
    tokens_input: 10,
    audio_seconds: 1.25,
  });
  const stored = await database.service.rpc('append_records', {
    p_batch: [
      {
        interaction_id: talk.id,
        generation: talk.generation,
        messages: [1, 2, 3, 4, 5].map(message),
        steps: [1, 2, 3].map(step),
      },
    ],
  });
  expect(stored.error).toBeNull();
});
afterAll(() => floor?.stop());

const get = (path: string, person: Person = supervisor) =>
  floor.api.call(path, { token: person.accessToken });

/** Follows the cursor to the last page. */
async function allPages(path: string, person: Person = supervisor): Promise<Answer['body'][]> {
  const rows: Answer['body'][] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await get(`${path}${cursor === '' ? '' : `&cursor=${cursor}`}`, person);
    expect(status).toBe(200);
    rows.push(...body.data);
    cursor = body.next_cursor;
  }
  return rows;
}

describe('who sees an interaction', () => {
  it('is the supervisor of its agent, the cover and admins; to others it is not there', async () => {
    const paths = ['', '/messages', '/steps'].map((part) => `/v1/interactions/${talk.id}${part}`);
    for (const path of paths) {
      const statuses = await Promise.all(
        [supervisor, cover, admin, colleague, stranger].map(
          async (person) => (await get(path, person)).status,
        ),
      );
      expect([path, ...statuses]).toEqual([path, 200, 200, 200, 404, 404]);
    }
    const { body } = await get(`/v1/interactions/${talk.id}`, stranger);
    expect(body.code).toBe('interaction_not_found');
  });

  it('decides what the list contains', async () => {
    const ids = async (person: Person) =>
      (await allPages('/v1/interactions?limit=50', person)).map(({ id }) => id);
    expect(await ids(supervisor)).toContain(talk.id);
    expect(await ids(colleague)).toEqual([]);
    expect(await ids(stranger)).toEqual([]);
  });

  it('also holds for ending it and for its disposition', async () => {
    for (const [action, body] of [
      ['end', {}],
      ['disposition', { disposition: 'mine' }],
    ] as const) {
      for (const person of [colleague, stranger]) {
        const answer = await floor.api.call(`/v1/interactions/${talk.id}/${action}`, {
          body,
          token: person.accessToken,
        });
        expect([action, answer.status, answer.body.code]).toEqual([action, 404, 'interaction_not_found']);
      }
    }
    const [row] = await floor.database.sql`
      select end_requested_at, disposition from interactions where id = ${talk.id}`;
    expect(row).toEqual({ end_requested_at: null, disposition: null });
  });
});

describe('one interaction', () => {
  it('comes with what waits, its newest metrics, and no secret', async () => {
    const call = await requestGatedCall(floor, agent, talk);
    await floor.database.service.rpc('record_metrics', {
      p_rows: [
        { at: '2026-01-01T00:00:05Z', score: 40 },
        { at: '2026-01-01T00:00:10Z', score: 61.5 },
      ].map(({ at, score }) => ({
        interaction_id: talk.id,
        generation: talk.generation,
        timestamp: at,
        sentiment: 'neutral',
        satisfaction_score: score,
        feed_text: 'Asks for a refund',
      })),
    });
    const { body } = await get(`/v1/interactions/${talk.id}`);
    expect(body).toMatchObject({
      id: talk.id,
      channel: 'chat',
      status: 'active',
      paused: true,
      phone_number: '+441632960001',
      archive: null,
      metrics: { satisfaction_score: 61.5 },
      permissions: [{ id: call.permissionId, status: 'pending' }],
    });
    expect(JSON.stringify(body)).not.toMatch(/resume_token|address_hash|lease|system_prompt/);
  });

  it('comes with its archive when it has ended', async () => {
    const ended = await openInteraction(floor, agent);
    await floor.database.service.rpc('complete_interaction', {
      p_interaction_id: ended.id,
      p_generation: ended.generation,
      p_status: 'completed',
      p_end_reason: 'customer_left',
    });
    const { body } = await get(`/v1/interactions/${ended.id}`);
    expect(body).toMatchObject({
      status: 'completed',
      archive: { summary_source: 'facts', fcr_status: true },
    });
  });

  it('is asked for by an id, and anything else is no request', async () => {
    for (const id of ["1' or '1'='1", '1;drop%20table%20interactions', 'null', '*', '..%2f..%2fhealthz']) {
      const { status, body } = await get(`/v1/interactions/${encodeURIComponent(decodeURIComponent(id))}`);
      expect([id, status, body.code]).toEqual([id, 400, 'invalid_request']);
    }
  });
});

describe('the transcript and the trace', () => {
  it('come in order, page by page, none twice', async () => {
    const messages = await allPages(`/v1/interactions/${talk.id}/messages?limit=2`);
    expect(messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(messages[0]?.content).toBe('Message 1 <script>alert(1)</script>');
    const steps = await allPages(`/v1/interactions/${talk.id}/steps?limit=2`);
    expect(steps.map(({ step_id }) => step_id)).toEqual(['step_1', 'step_2', 'step_3']);
    expect(steps[0]).toMatchObject({ duration_ms: 12, audio_seconds: 1.25, tokens_output: null });
  });

  it('refuse a cursor that they did not give out', async () => {
    const path = `/v1/interactions/${talk.id}/messages?cursor=`;
    for (const cursor of [
      'x',
      Buffer.from('["0 or 1=1"]').toString('base64url'),
      Buffer.from('{}').toString('base64url'),
    ]) {
      const { status, body } = await get(path + cursor);
      expect([status, body.code]).toEqual([400, 'invalid_request']);
    }
  });
});

describe('the list', () => {
  it('is newest first and loses none of those created in the same moment', async () => {
    const { database } = floor;
    const business = await database.createBusiness();
    const owner = await database.createUser({ businessId: business.id });
    const quiet = await database.createAgent({ businessId: business.id, supervisorId: owner.id });
    const made = await Promise.all(Array.from({ length: 7 }, () => openInteraction(floor, quiet)));
    await database.sql`
      update interactions set created_at = '2026-02-01T10:00:00.123456Z' where agent_id = ${quiet.id}`;
    const rows = await allPages('/v1/interactions?limit=3', owner);
    expect(rows.map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
  });

  it('does not move when interactions are created between two pages', async () => {
    const { database } = floor;
    const business = await database.createBusiness();
    const owner = await database.createUser({ businessId: business.id });
    const busy = await database.createAgent({ businessId: business.id, supervisorId: owner.id });
    const made: string[] = [];
    for (let i = 0; i < 4; i += 1) made.unshift((await openInteraction(floor, busy)).id);
    const first = await get('/v1/interactions?limit=2', owner);
    await openInteraction(floor, busy);
    const second = await get(`/v1/interactions?limit=2&cursor=${first.body.next_cursor}`, owner);
    expect([...first.body.data, ...second.body.data].map(({ id }) => id)).toEqual(made);
    expect(second.body.next_cursor).toBeNull();
  });

  it('filters, and leaves rehearsals out unless they are asked for', async () => {
    const { database } = floor;
    const business = await database.createBusiness();
    const owner = await database.createUser({ businessId: business.id, role: 'admin' });
    const [chat, voice] = await Promise.all([
      database.createAgent({ businessId: business.id }),
      database.createAgent({ businessId: business.id, agentType: 'voice' }),
    ]);
    const live = await openInteraction(floor, chat, { phoneNumber: '+441632960777' });
    const call = await openInteraction(floor, voice);
    const rehearsal = await openInteraction(floor, chat, { kind: 'rehearsal' });
    await database.service.rpc('complete_interaction', {
      p_interaction_id: call.id,
      p_generation: call.generation,
      p_status: 'completed',
      p_end_reason: 'customer_left',
    });
    const ids = async (query: string) =>
      (await allPages(`/v1/interactions?limit=50&${query}`, owner)).map(({ id }) => id);
    expect(await ids('')).toEqual([call.id, live.id]);
    expect(await ids('kind=rehearsal')).toEqual([rehearsal.id]);
    expect(await ids('status=active')).toEqual([live.id]);
    expect(await ids('status=completed,failed')).toEqual([call.id]);
    expect(await ids('channel=voice')).toEqual([call.id]);
    expect(await ids(`agent_id=${chat.id}`)).toEqual([live.id]);
    expect(await ids(`phone_number=${encodeURIComponent('+441632960777')}`)).toEqual([live.id]);
    expect(await ids('to=2020-01-01T00:00:00Z')).toEqual([]);
    expect(await ids('from=2020-01-01T00:00:00Z')).toEqual([call.id, live.id]);
  });

  it.each([
    'status=active,asleep',
    'limit=0',
    'limit=1000',
    'limit=1;drop',
    'agent_id=1',
    `phone_number=${encodeURIComponent("+1'; drop table users; --")}`,
    'from=yesterday',
    'kind=all',
  ])('refuses what it can not filter by: %s', async (query) => {
    const { status, body } = await get(`/v1/interactions?${query}`);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('a disposition', () => {
  it('is kept with its notes', async () => {
    const { status } = await floor.api.call(`/v1/interactions/${talk.id}/disposition`, {
      body: { disposition: 'refunded', notes: 'Was polite.' },
      token: cover.accessToken,
    });
    expect(status).toBe(204);
    const { body } = await get(`/v1/interactions/${talk.id}`);
    expect(body).toMatchObject({ disposition: 'refunded', supervisor_notes: 'Was polite.' });
  });
});

describe('agents and performance', () => {
  it('show a supervisor their own agents, and no prompt', async () => {
    const { body } = await get('/v1/agents');
    expect(body.data.map(({ id }) => id)).toEqual([agent.id]);
    expect(JSON.stringify(body)).not.toContain('system_prompt');
    expect((await get('/v1/agents', stranger)).body.data).toEqual([]);
  });

  it('give own figures to a supervisor and everybody’s to an admin', async () => {
    const own = await get('/v1/performance?period=month');
    expect(own.body.supervisors).toMatchObject([{ supervisor_id: supervisor.id }]);
    const all = await get('/v1/performance?period=today', admin);
    expect(all.body.supervisors).toHaveLength(3);
    expect((await get('/v1/performance?period=year')).status).toBe(400);
  });
});
