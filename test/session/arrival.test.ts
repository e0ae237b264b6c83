import { randomUUID } from 'node:crypto';
import { ParticipantInfo, ParticipantInfo_State } from '@livekit/protocol';
import { RoomEvent } from '@livekit/rtc-node';
import { RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import { expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { Arrival } from '../../src/session/arrival.ts';
import { systemClock } from '../../src/session/clock.ts';
import { ManualClock } from '../support/clock.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { setupRooms } from '../support/own-room.ts';

const log = createLog({ level: 'silent', name: 'arrival' });
const livekit = setupLiveKit();
const join = setupRooms(livekit);

/** @returns for how long the agent does not know of a customer who is connected. */
async function unnoticedMs(isExpected: boolean): Promise<number> {
  const name = `room-${randomUUID()}`;
  const agent = await join(name, 'agent');
  const told = new Promise<number>((resolve) =>
    agent.once(RoomEvent.ParticipantConnected, () => resolve(Date.now())),
  );
  const arrival = new Arrival({
    roomName: name,
    customerIdentity: 'customer',
    isHere: () => agent.remoteParticipants.has('customer'),
    rooms: new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret),
    clock: systemClock,
    log,
  });
  if (isExpected) arrival.expect();
  await join(name, 'customer');
  const connectedAt = Date.now();
  const toldAt = await told;
  arrival.stop();
  return toldAt - connectedAt;
}

test('a customer who is expected is noticed sooner than LiveKit tells of those who publish nothing', async () => {
  const median = async (isExpected: boolean): Promise<number> => {
    const waits = await Promise.all(Array.from({ length: 7 }, () => unnoticedMs(isExpected)));
    return waits.sort((a, b) => a - b)[3] ?? Number.NaN;
  };
  const expected = await median(true);
  const unexpected = await median(false);
  expect(expected).toBeLessThan(unexpected / 2);
});

/** A room of which the server says each time what the test has put there. */
function setup() {
  const clock = new ManualClock();
  let state: ParticipantInfo_State | undefined;
  const asked: number[] = [];
  const changed: unknown[] = [];
  const startedAt = clock.now();
  const arrival = new Arrival({
    roomName: 'room',
    customerIdentity: 'customer',
    isHere: () => false,
    rooms: {
      async getParticipant() {
        asked.push(clock.now() - startedAt);
        if (state === undefined) throw new TwirpError('not found', 'none', 404, 'not_found');
        return new ParticipantInfo({ state });
      },
      async updateParticipant(_room: string, identity: string, options: unknown) {
        changed.push({ identity, options });
        return new ParticipantInfo();
      },
    },
    clock,
    log,
  });
  return {
    arrival,
    clock,
    asked,
    changed,
    isInState: (now: ParticipantInfo_State) => {
      state = now;
    },
  };
}

test('who does not come is asked for ever more seldom, and after 20 s no more', async () => {
  const { arrival, asked, clock } = setup();
  arrival.expect();
  await clock.advance(60_000);
  expect(asked.slice(0, 3)).toEqual([0, 100, 200]);
  expect(asked.length).toBeLessThan(16);
  expect(asked.at(-1)).toBeGreaterThan(15_000);
  expect(clock.waiting).toBe(0);
});

test('who is only joining is left alone until they are connected', async () => {
  const { arrival, changed, clock, isInState } = setup();
  arrival.expect();
  isInState(ParticipantInfo_State.JOINED);
  await clock.advance(500);
  expect(changed).toEqual([]);
  isInState(ParticipantInfo_State.ACTIVE);
  await clock.advance(500);
  expect(changed[0]).toEqual({
    identity: 'customer',
    options: { attributes: { 'floorwalker.expected': '1' } },
  });
});

test('something that they send makes the agent look at once, also long after it has stopped to look by itself', async () => {
  const { arrival, changed, clock, isInState } = setup();
  arrival.expect();
  await clock.advance(60_000);
  isInState(ParticipantInfo_State.ACTIVE);
  arrival.sign();
  await clock.advance(0);
  expect(changed).toHaveLength(1);
});

test('nobody is looked for who has come, or whom nobody waits for', async () => {
  const { arrival, asked, clock } = setup();
  arrival.expect();
  await clock.advance(100);
  arrival.stop();
  arrival.sign();
  const before = asked.length;
  await clock.advance(60_000);
  expect(asked).toHaveLength(before);
  expect(clock.waiting).toBe(0);
});
