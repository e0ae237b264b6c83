import { EventEmitter } from 'node:events';
import { type Room, RoomEvent } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { Presence } from '../../src/session/presence.ts';
import { ManualClock } from '../support/clock.ts';

const CUSTOMER = { identity: 'customer-1' };
const REJOIN_MS = 60_000;

/** Of a room what the presence looks at, so that LiveKit can be as late as it likes. */
function setup() {
  const remoteParticipants = new Map<string, { identity: string }>();
  const room = Object.assign(new EventEmitter(), { remoteParticipants });
  const clock = new ManualClock();
  const happened: string[] = [];
  const presence = new Presence({
    room: room as unknown as Room,
    customerIdentity: CUSTOMER.identity,
    joinMs: 120_000,
    rejoinMs: REJOIN_MS,
    onJoined: (first) => happened.push(first ? 'came' : 'came back'),
    onLeft: () => happened.push('left'),
    onGone: (everCame) => happened.push(everCame ? 'gone' : 'never came'),
    clock,
  });
  presence.start();
  return {
    presence,
    clock,
    happened,
    announce(): void {
      remoteParticipants.set(CUSTOMER.identity, CUSTOMER);
      room.emit(RoomEvent.ParticipantConnected, CUSTOMER);
    },
    leave(): void {
      remoteParticipants.delete(CUSTOMER.identity);
      room.emit(RoomEvent.ParticipantDisconnected, CUSTOMER);
    },
  };
}

it('who writes is here, and comes no second time when LiveKit tells of them', async () => {
  const { presence, announce, leave, clock, happened } = setup();
  presence.wrote(CUSTOMER.identity);
  expect([presence.present, ...happened]).toEqual([true, 'came']);
  announce();
  presence.wrote(CUSTOMER.identity);
  await clock.advance(10 * REJOIN_MS);
  expect(happened).toEqual(['came']);
  leave();
  announce();
  expect(happened).toEqual(['came', 'left', 'came back']);
});

it('what somebody else writes says nothing about the customer', async () => {
  const { presence, clock, happened } = setup();
  presence.wrote('supervisor-7');
  expect(presence.present).toBe(false);
  await clock.advance(120_000);
  expect(happened).toEqual(['never came']);
});

it('who wrote and was gone before LiveKit told of them is not waited for without end', async () => {
  const { presence, clock, happened } = setup();
  presence.wrote(CUSTOMER.identity);
  await clock.advance(REJOIN_MS);
  expect(happened).toEqual(['came', 'gone']);
});
