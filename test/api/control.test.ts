import { Room, RoomEvent } from '@livekit/rtc-node';
import { decodeJwt } from 'jose';
import { AccessToken } from 'livekit-server-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requestCallback } from '../../src/database/callbacks.ts';
import {
  agentIdentity,
  supervisorIdentity,
  TOPIC_CHAT,
  TOPIC_DOORBELL,
  TOPIC_HUSH,
} from '../../src/domain/identities.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { openInteraction } from './gated-call.ts';
import { eventually, type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let supervisor: Person;
let admin: Person;
let colleague: Person;
let agent: Agent;
let calls: Agent;

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  const { id: businessId } = await database.createBusiness();
  [supervisor, admin, colleague] = await Promise.all([
    database.createUser({ businessId, name: 'Sam' }),
    database.createUser({ businessId, role: 'admin', name: 'Ada' }),
    database.createUser({ businessId, name: 'Noor' }),
  ]);
  agent = await database.createAgent({ businessId, supervisorId: supervisor.id });
  calls = await database.createAgent({ businessId, agentType: 'voice' });
});
afterAll(() => floor?.stop());

const rooms: Room[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.disconnect();
});

async function join(token: string): Promise<Room> {
  const room = new Room();
  rooms.push(room);
  await room.connect(floor.livekit.url, token, { autoSubscribe: false, dynacast: false });
  return room;
}

async function joinAs(identity: string, room: string): Promise<Room> {
  const { apiKey, apiSecret } = floor.livekit;
  const token = new AccessToken(apiKey, apiSecret, { identity });
  token.addGrant({ roomJoin: true, room });
  return join(await token.toJwt());
}

const act = (person: Person, id: string, what: string, body: unknown = {}) =>
  floor.api.call(`/v1/interactions/${id}/${what}`, { body, token: person.accessToken });

/** What a participant hears of the doorbell; the counts grow. */
function bells(room: Room): { rings: number; hushes: number } {
  const heard = { rings: 0, hushes: 0 };
  room.on(RoomEvent.DataReceived, (_payload, from, _kind, topic) => {
    if (topic === TOPIC_DOORBELL && from === undefined) heard.rings += 1;
    if (topic === TOPIC_HUSH && from === undefined) heard.hushes += 1;
  });
  return heard;
}

describe('takeover', () => {
  it('gives a place in the room, rings for the agent, and at the hand back removes the person', async () => {
    const mine = await openInteraction(floor, agent);
    const session = await joinAs(agentIdentity(mine.id, mine.generation), mine.room);
    const customer = await joinAs('customer-somebody', mine.room);
    const heard = bells(session);
    const overheard = bells(customer);
    const { status, body } = await act(supervisor, mine.id, 'takeover');
    expect(status).toBe(200);
    expect(body.identity).toBe(supervisorIdentity(supervisor.id));
    await eventually('the bell', () => heard.hushes === 1 || undefined);
    const person = await join(body.token);
    const shownName = () => customer.remoteParticipants.get(supervisorIdentity(supervisor.id))?.name;
    expect(await eventually('the person', () => shownName())).toBe('Sam');
    const gone = new Promise((resolve) => person.once(RoomEvent.Disconnected, resolve));
    const shown = await floor.api.call(`/v1/interactions/${mine.id}`, { token: supervisor.accessToken });
    expect(shown.body).toMatchObject({
      control: 'supervisor',
      controlled_by: supervisor.id,
      controlled_by_name: 'Sam',
    });
    expect((await act(supervisor, mine.id, 'handback', { note: 'be kind' })).status).toBe(204);
    await gone;
    await eventually('the second bell', () => heard.rings === 1 || undefined);
    expect(overheard).toEqual({ rings: 0, hushes: 0 });
    expect((await act(supervisor, mine.id, 'handback')).body.code).toBe('control_not_held');
  });

  it('tells who has it already; an admin who insists gets it and the other is removed', async () => {
    const mine = await openInteraction(floor, agent);
    const { body } = await act(supervisor, mine.id, 'takeover');
    const person = await join(body.token);
    const gone = new Promise((resolve) => person.once(RoomEvent.Disconnected, resolve));
    const refused = await act(admin, mine.id, 'takeover');
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'control_held', controlled_by: supervisor.id, controlled_by_name: 'Sam' },
    });
    const insisted = await act(admin, mine.id, 'takeover', { insist: true });
    expect(insisted.body.identity).toBe(supervisorIdentity(admin.id));
    await gone;
  });

  it('of a chat is for text, of a call for the microphone, and never for more', async () => {
    const chat = await openInteraction(floor, agent);
    const call = await openInteraction(floor, calls);
    const texts = decodeJwt((await act(admin, chat.id, 'takeover')).body.token);
    const speaks = decodeJwt((await act(admin, call.id, 'takeover')).body.token);
    const none = {
      roomCreate: false,
      roomList: false,
      roomAdmin: false,
      roomRecord: false,
      ingressAdmin: false,
    };
    const common = {
      roomJoin: true,
      canSubscribe: true,
      canPublishData: true,
      hidden: false,
      canUpdateOwnMetadata: false,
    };
    expect(texts.video).toMatchObject({ ...none, ...common, room: chat.room, canPublish: false });
    expect(speaks.video).toMatchObject({
      ...none,
      ...common,
      room: call.room,
      canPublish: true,
      canPublishSources: ['microphone'],
    });
    expect((speaks.exp ?? 0) - (speaks.nbf ?? 0)).toBeLessThanOrEqual(600);
  });

  it.each(['takeover', 'handback', 'whisper', 'monitor'])(
    '%s of what one may not see is not there',
    async (what) => {
      const mine = await openInteraction(floor, agent);
      const answer = await act(colleague, mine.id, what, what === 'whisper' ? { text: 'x' } : {});
      expect(answer).toMatchObject({ status: 404, body: { code: 'interaction_not_found' } });
      const nobody = await floor.api.call(`/v1/interactions/${mine.id}/${what}`, { body: { text: 'x' } });
      expect(nobody.status).toBe(401);
    },
  );
});

describe('monitor', () => {
  it('is hidden from the customer, reads what they write, and can send nothing', async () => {
    const mine = await openInteraction(floor, agent);
    const customer = await joinAs('customer-somebody', mine.room);
    const { body } = await act(supervisor, mine.id, 'monitor');
    expect(body.identity).toMatch(new RegExp(`^monitor-${supervisor.id}-[0-9a-f]{8}$`));
    expect(decodeJwt(body.token).video).toMatchObject({
      hidden: true,
      canPublish: false,
      canPublishData: false,
      canSubscribe: true,
      room: mine.room,
    });
    const listener = await join(body.token);
    const read: string[] = [];
    listener.registerTextStreamHandler(TOPIC_CHAT, async (reader) => void read.push(await reader.readAll()));
    const leaked: string[] = [];
    customer.registerTextStreamHandler(
      TOPIC_CHAT,
      async (reader) => void leaked.push(await reader.readAll()),
    );
    await listener.localParticipant?.sendText('can anybody hear me', { topic: TOPIC_CHAT }).catch(() => {});
    await customer.localParticipant?.sendText('is anybody there', { topic: TOPIC_CHAT });
    await eventually('the customer’s words', () => read.includes('is anybody there') || undefined);
    expect([...customer.remoteParticipants.keys()]).toEqual([]);
    expect(leaked).toEqual([]);
    const [audit] = await floor.database.sql`
      select actor_id from audit_events where action = 'interaction.monitor' and subject_id = ${mine.id}`;
    expect(audit?.actor_id).toBe(supervisor.id);
  });
});

describe('whisper', () => {
  it('rings for the agent and is refused when it is empty or too long', async () => {
    const mine = await openInteraction(floor, agent);
    const session = await joinAs(agentIdentity(mine.id, mine.generation), mine.room);
    const heard = bells(session);
    const told = await act(supervisor, mine.id, 'whisper', { text: 'offer free shipping' });
    expect(told.status).toBe(202);
    await eventually('the bell', () => heard.rings === 1 || undefined);
    const [row] = await floor.database
      .sql`select content from whispers where id = ${String(told.body.whisper_id)}`;
    expect(row?.content).toBe('offer free shipping');
    for (const text of ['', '   ', 'x'.repeat(2_001)]) {
      expect((await act(supervisor, mine.id, 'whisper', { text })).status).toBe(400);
    }
  });
});

describe('callbacks', () => {
  it('are listed for those who reach the agent, longest waiting first, until somebody has called', async () => {
    const ask = async (phoneNumber: string, kind: 'live' | 'rehearsal' = 'live') => {
      const mine = await openInteraction(floor, agent, { kind });
      const key = { interactionId: mine.id, generation: mine.generation };
      return requestCallback(floor.database.service, { ...key, reason: 'a broken parcel', phoneNumber });
    };
    const list = async (person: Person, query = '') =>
      (await floor.api.call(`/v1/callbacks${query}`, { token: person.accessToken })).body;
    const first = await ask('+31612345678');
    const second = await ask('+31612345679');
    await ask('+31612345670', 'rehearsal');
    expect((await list(supervisor)).data.map(({ id }) => id)).toEqual([first.id, second.id]);
    const page = await list(supervisor, '?limit=1');
    expect((await list(supervisor, `?limit=1&cursor=${page.next_cursor}`)).data[0]).toMatchObject({
      id: second.id,
      phone_number: '+31612345679',
      reason: 'a broken parcel',
    });
    expect((await list(colleague)).data).toEqual([]);
    const done = await floor.api.call(`/v1/callbacks/${first.id}/done`, {
      body: { note: 'all well' },
      token: supervisor.accessToken,
    });
    expect(done.body).toMatchObject({ id: first.id, done_by_name: 'Sam', note: 'all well' });
    expect((await list(supervisor)).data.map(({ id }) => id)).toEqual([second.id]);
    expect((await list(admin, '?status=done')).data.map(({ id }) => id)).toEqual([first.id]);
    const refused = await floor.api.call(`/v1/callbacks/${second.id}/done`, {
      body: {},
      token: colleague.accessToken,
    });
    expect(refused).toMatchObject({ status: 404, body: { code: 'callback_not_found' } });
  });
});
