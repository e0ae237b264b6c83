import type { RoomServiceClient } from 'livekit-server-sdk';
import { expect, it } from 'vitest';
import { loadPrompts, PROMPTS_DIRECTORY } from '../../src/definitions/prompts.ts';
import { createLog } from '../../src/log.ts';
import { Allowance } from '../../src/session/allowance.ts';
import type { Claim } from '../../src/session/claim.ts';
import { Flood } from '../../src/session/flood.ts';
import type { Recorder } from '../../src/session/recorder.ts';
import { SenderLimits } from '../../src/session/sender-limits.ts';
import { ManualClock } from '../support/clock.ts';

const CUSTOMER = 'customer-1';

function setup(options: { generation?: number } = {}) {
  const clock = new ManualClock();
  const said: string[] = [];
  const steps: string[] = [];
  const allowed: (boolean | undefined)[] = [];
  const ended: string[] = [];
  // What is used of each.
  const claim = {
    channel: 'chat',
    generation: options.generation ?? 1,
    room: 'room',
    customerIdentity: CUSTOMER,
    business: { name: 'Harbour Goods' },
  } as Claim;
  const rooms = {
    updateParticipant: async (
      _room: string,
      _identity: string,
      { permission }: { permission: { canPublishData: boolean } },
    ) => void allowed.push(permission.canPublishData),
  } as unknown as RoomServiceClient;
  const flood = new Flood({
    claim,
    rooms,
    recorder: { step: (type: string) => void steps.push(type) } as unknown as Recorder,
    prompts: loadPrompts(PROMPTS_DIRECTORY, 'en'),
    say: (text) => said.push(text),
    onEndless: (words) => ended.push(words),
    clock,
    log: createLog({ level: 'silent' }),
  });
  const refuse = (count: number, from = CUSTOMER): void => {
    for (let time = 0; time < count; time += 1) flood.refused(from, 'messages');
  };
  return { clock, flood, refuse, said, steps, allowed, ended };
}

it('tells the customer once in a while, however much is refused, and that it is over', async () => {
  const { clock, refuse, said, steps } = setup();
  refuse(50);
  expect(said).toEqual([expect.stringMatching(/wait a moment/)]);
  await clock.advance(4_000);
  refuse(50);
  expect(said).toHaveLength(1);
  await clock.advance(4_000);
  refuse(50);
  await clock.advance(4_000);
  refuse(49);
  expect(said).toHaveLength(2);
  expect(steps).toEqual(['flood']);
  await clock.advance(11_000);
  expect(steps).toEqual(['flood', 'flood_over']);
});

it('stops at LiveKit what goes on all the same, lets it through again, and ends it the third time', async () => {
  const { clock, refuse, allowed, ended } = setup();
  refuse(199);
  expect(allowed).toEqual([]);
  refuse(100);
  expect(allowed).toEqual([false]);
  await clock.advance(15_000);
  expect(allowed).toEqual([false, true]);
  refuse(400);
  await clock.advance(15_000);
  expect(ended).toEqual([]);
  refuse(400);
  await clock.advance(0);
  expect(allowed).toEqual([false, true, false, true, false]);
  expect(ended).toEqual([expect.stringMatching(/Harbour Goods/)]);
});

it('lets a customer write again whom a predecessor, or itself, has left unheard', async () => {
  const successor = setup({ generation: 2 });
  successor.flood.start();
  expect(successor.allowed).toEqual([true]);
  const leaving = setup();
  leaving.refuse(200);
  leaving.flood.close();
  expect(leaving.allowed).toEqual([false, true]);
  leaving.refuse(400);
  expect(leaving.allowed).toEqual([false, true]);
});

it('others in the room change nothing for the customer', () => {
  const { refuse, said, steps, allowed } = setup();
  refuse(1_000, 'supervisor-1');
  expect([said, steps, allowed]).toEqual([[], [], []]);
});

it('an allowance is used up, and saved up again to its most', async () => {
  const clock = new ManualClock();
  const allowance = new Allowance({ most: 3, perSecond: 2, clock });
  expect([1, 2, 3, 4].map(() => allowance.take())).toEqual([true, true, true, false]);
  await clock.advance(1_000);
  expect(allowance.take(2)).toBe(true);
  await clock.advance(60_000);
  expect(allowance.take(4)).toBe(false);
  expect(allowance.take(3)).toBe(true);
});

it('a sender may have a hundred messages at once and is earned more by each answer; unfinished ones count as long as they are', async () => {
  const clock = new ManualClock();
  const limits = new SenderLimits(clock);
  const begin = (count: number) =>
    Array.from({ length: count }, () => limits.begins()).filter(Boolean).length;
  expect(begin(150)).toBe(100);
  await clock.advance(60_000);
  expect(begin(10)).toBe(0);
  for (let time = 0; time < 100; time += 1) limits.ended();
  expect(begin(150)).toBe(100);
  for (let time = 0; time < 100; time += 1) limits.ended();
  limits.answered();
  expect(begin(150)).toBe(10);
});
