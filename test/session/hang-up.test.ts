import { randomUUID } from 'node:crypto';
import { Room } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/session/clock.ts';
import { leaveRoom, ownsRoom } from '../../src/session/hang-up.ts';

const id = randomUUID();
const key = { interactionId: id, generation: 2, room: `fw-${id}` };

/** Leaves a room that is to be closed for everybody; says whether it was. */
async function hangUp(given: {
  held: boolean | 'no answer';
  holds?: boolean;
  agents: number[];
  elsewhere?: number;
}) {
  const deleted: string[] = [];
  const { held, holds = held === true, agents, elsewhere } = given;
  const identities = [
    `customer-${id}`,
    ...agents.map((generation) => `agent-${id}-g${generation}`),
    ...(elsewhere ? [`agent-${randomUUID()}-g${elsewhere}`] : []),
  ];
  const services = {
    leases: {
      confirm: () => (held === 'no answer' ? new Promise<boolean>(() => {}) : Promise.resolve(held)),
      holds: () => holds,
    },
    rooms: {
      listParticipants: async () => identities.map((identity) => ({ identity })),
      deleteRoom: async (room: string) => void deleted.push(room),
    },
    clock: systemClock,
  };
  await leaveRoom(new Room(), undefined, {
    hangUp: key.room,
    // What LiveKit tells of a participant beside its identity is not looked at.
    mayHangUp: () => ownsRoom(key, services as unknown as Parameters<typeof ownsRoom>[1]),
    rooms: services.rooms,
    clock: systemClock,
  });
  return deleted.length === 1;
}

it.each([
  ['holds the lease and is alone', true, { held: true, agents: [2] }],
  ['sees its predecessor’s ghost', true, { held: true, agents: [1, 2] }],
  ['sees the agent of another conversation', true, { held: true, agents: [2], elsewhere: 9 }],
  ['has lost the lease', false, { held: false, agents: [2] }],
  ['sees its successor, whatever it believes', false, { held: true, agents: [2, 3] }],
  [
    'gets no answer from the database and held the lease before',
    true,
    { held: 'no answer', holds: true, agents: [2] },
  ],
  ['gets no answer and held nothing any more', false, { held: 'no answer', holds: false, agents: [2] }],
] as const)('a session that ends and %s closes the room: %s', async (_who, closes, given) => {
  expect(await hangUp({ ...given, agents: [...given.agents] })).toBe(closes);
});
