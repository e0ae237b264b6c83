import { randomUUID } from 'node:crypto';
import { Room, RoomEvent } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { createHousekeeping } from '../../src/runtime/housekeeping.ts';
import { openInteraction } from '../api/gated-call.ts';
import { type Floor, setupFloor } from '../api/support.ts';
import { ManualClock } from '../support/clock.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { waitUntil } from '../support/stack.ts';

let floor: Floor;
let admin: Person;
let supervisor: Person;
let agent: Agent;
beforeAll(async () => {
  floor = await setupFloor();
  const { database } = floor;
  const { id: businessId } = await database.createBusiness();
  [admin, supervisor] = await Promise.all([
    database.createUser({ businessId, role: 'admin' }),
    database.createUser({ businessId }),
  ]);
  agent = await database.createAgent({ businessId, supervisorId: supervisor.id });
});
afterAll(() => floor?.stop());

const rooms: Room[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.disconnect();
});

async function join(token: string): Promise<{ here: () => boolean }> {
  const room = new Room();
  rooms.push(room);
  let here = true;
  room.on(RoomEvent.Disconnected, () => {
    here = false;
  });
  await room.connect(floor.livekit.url, token, { autoSubscribe: false, dynacast: false });
  return { here: () => here };
}

/** A process that is elected for housekeeping; each round is one look at who is where. */
function housekeeper() {
  const { url, apiKey, apiSecret } = floor.livekit;
  const config = loadConfig({
    LIVEKIT_URL: url,
    LIVEKIT_API_KEY: apiKey,
    LIVEKIT_API_SECRET: apiSecret,
    SUPABASE_URL: floor.database.supabaseUrl,
    SUPABASE_SECRET_KEY: floor.database.secretKey,
    OPENAI_API_KEY: 'unused',
  });
  const clock = new ManualClock();
  const log = createLog({ level: 'silent' });
  const db = floor.database.service;
  const housekeeping = createHousekeeping({ db, config, candidate: randomUUID(), clock, log });
  onTestFinished(() => housekeeping.stop());
  housekeeping.start();
  return async () => {
    await clock.advance(6_250);
    await waitUntil(() => clock.waiting > 0);
  };
}

const send = (path: string, as: Person, method: string, body?: unknown) =>
  floor.api.call(path, { method, token: as.accessToken, ...(body === undefined ? {} : { body }) });

it('whoever lost sight of a conversation is taken out of its room, as often as they come back', async () => {
  const cover = await floor.database.createUser({ businessId: supervisor.businessId });
  await send(`/v1/agents/${agent.id}/assignment`, admin, 'PATCH', { cover_id: cover.id });
  const { id } = await openInteraction(floor, agent);
  const tokenFor = async (person: Person) =>
    (await send(`/v1/interactions/${id}/monitor`, person, 'POST')).body.token;
  const tokens = await Promise.all([supervisor, cover, admin].map(tokenFor));
  const [mine = '', theirs = '', boss = ''] = tokens;
  const [stays, goes, watches] = await Promise.all([join(mine), join(theirs), join(boss)]);
  const round = housekeeper();
  await round();
  expect([stays.here(), goes.here(), watches.here()]).toEqual([true, true, true]);

  expect((await send(`/v1/people/${cover.id}`, admin, 'DELETE')).status).toBe(204);
  await round();
  await waitUntil(() => !goes.here());
  // The token they kept is good for some minutes more.
  const again = await join(theirs);
  await round();
  await waitUntil(() => !again.here());
  expect([stays.here(), watches.here()]).toEqual([true, true]);
});

it('whoever speaks with the customer is left there until they are done', async () => {
  const cover = await floor.database.createUser({ businessId: supervisor.businessId });
  await send(`/v1/agents/${agent.id}/assignment`, admin, 'PATCH', { cover_id: cover.id });
  const { id } = await openInteraction(floor, agent);
  const place = await send(`/v1/interactions/${id}/takeover`, cover, 'POST', {});
  const speaking = await join(place.body.token);
  await send(`/v1/agents/${agent.id}/assignment`, admin, 'PATCH', { cover_id: null });
  const round = housekeeper();
  await round();
  expect(speaking.here()).toBe(true);
  await floor.database.sql`update interactions set control = 'agent' where id = ${id}`;
  await round();
  await waitUntil(() => !speaking.here());
});
