import { expect, it } from 'vitest';
import { loadPrompts, PROMPTS_DIRECTORY } from '../../src/definitions/prompts.ts';
import { Filler } from '../../src/session/filler.ts';
import { Pause } from '../../src/session/pause.ts';
import type { Replies } from '../../src/session/replies.ts';
import { Silence } from '../../src/session/silence.ts';
import { ManualClock } from '../support/clock.ts';

const prompts = loadPrompts(PROMPTS_DIRECTORY, 'en');

function setup() {
  const clock = new ManualClock();
  const said: string[] = [];
  const room = { quiet: true, customersTurn: true, ended: 0, speaking: Promise.resolve() };
  const replies = {
    say(text: string) {
      said.push(text);
      return room.speaking;
    },
  } as unknown as Replies;
  const shared = { replies, prompts, isQuiet: () => room.quiet, clock };
  return {
    clock,
    said,
    room,
    silence: new Silence({
      ...shared,
      firstMs: 12_000,
      secondMs: 24_000,
      endMs: 45_000,
      isCustomersTurn: () => room.customersTurn,
      onEnd: () => {
        room.ended += 1;
      },
    }),
    pause: new Pause({ ...shared, channel: 'chat', reassuranceMs: 25_000, explained: false }),
    filler: new Filler({ ...shared, channel: 'chat', afterMs: 1_500, progressMs: 10_000 }),
  };
}

it('silence: asked at 12 s, asked again at 24 s, and let go at 45 s, after the goodbye was said', async () => {
  const { clock, said, room, silence } = setup();
  silence.start();
  await clock.advance(11_999);
  expect(said).toEqual([]);
  await clock.advance(1);
  expect(said).toHaveLength(1);
  await clock.advance(12_000);
  expect(said).toHaveLength(2);
  const goodbye = Promise.withResolvers<void>();
  room.speaking = goodbye.promise;
  await clock.advance(21_000);
  expect(said).toHaveLength(3);
  expect(new Set(said).size).toBe(3);
  expect(room.ended).toBe(0);
  goodbye.resolve();
  await clock.advance(0);
  expect(room.ended).toBe(1);
});

it('silence: a word of the customer begins everything anew', async () => {
  const { clock, said, room, silence } = setup();
  silence.start();
  await clock.advance(40_000);
  expect(said).toHaveLength(2);
  silence.customerHeard();
  await clock.advance(11_999);
  expect(said).toHaveLength(2);
  await clock.advance(1);
  expect(said[2]).toBe(said[0]);
  expect(room.ended).toBe(0);
});

it('silence: while others speak or decide, the time is not the customer’s', async () => {
  const { clock, said, room, silence } = setup();
  silence.start();
  room.customersTurn = false;
  await clock.advance(300_000);
  expect(said).toEqual([]);
  room.customersTurn = true;
  silence.turnPassed();
  await clock.advance(11_999);
  expect(said).toEqual([]);
  await clock.advance(1);
  expect(said).toHaveLength(1);
});

it('silence: the question of the agent itself does not count as a new beginning', async () => {
  const { clock, said, silence } = setup();
  silence.start();
  await clock.advance(12_000);
  silence.turnPassed();
  await clock.advance(12_000);
  expect(said).toHaveLength(2);
});

it('silence: nothing is said after it was closed', async () => {
  const { clock, said, silence } = setup();
  silence.start();
  silence.close();
  await clock.advance(60_000);
  expect(said).toEqual([]);
  expect(clock.waiting).toBe(0);
});

it('pause: says why once, reassures at intervals in other words, and stops with the last decision', async () => {
  const { clock, said, pause } = setup();
  pause.update(2);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/approval/);
  await clock.advance(75_000);
  expect(said).toHaveLength(4);
  expect(new Set(said).size).toBe(4);
  pause.update(1);
  await clock.advance(25_000);
  expect(said).toHaveLength(5);
  pause.update(0);
  expect(clock.waiting).toBe(0);
  await clock.advance(100_000);
  expect(said).toHaveLength(5);
});

it('pause: after somebody spoke the next reassurance is a whole interval away', async () => {
  const { clock, said, pause } = setup();
  pause.update(1);
  await clock.advance(24_000);
  pause.touched();
  await clock.advance(24_999);
  expect(said).toHaveLength(1);
  await clock.advance(1);
  expect(said).toHaveLength(2);
});

it('pause: words of comfort do not fall into another’s sentence', async () => {
  const { clock, said, room, pause } = setup();
  pause.update(1);
  room.quiet = false;
  await clock.advance(25_000);
  expect(said).toHaveLength(1);
  room.quiet = true;
  await clock.advance(25_000);
  expect(said).toHaveLength(2);
});

it('pause: a second wait is explained again, in other words; nobody spoken to outside a wait', async () => {
  const { clock, said, pause } = setup();
  pause.touched();
  await clock.advance(60_000);
  expect(said).toEqual([]);
  pause.update(1);
  pause.update(0);
  pause.update(1);
  expect(said).toHaveLength(2);
  expect(said[1]).not.toBe(said[0]);
});

it('filler: said once when tools run longer than 1.5 s, not when they are quick', async () => {
  const { clock, said, filler } = setup();
  filler.started('quick');
  await clock.advance(1_499);
  filler.finished('quick');
  filler.started('quick too');
  await clock.advance(1_499);
  filler.finished('quick too');
  await clock.advance(10_000);
  expect(said).toEqual([]);
  filler.started('slow');
  filler.started('beside');
  await clock.advance(1_500);
  filler.finished('beside');
  await clock.advance(30_000);
  expect(said).toHaveLength(1);
  filler.finished('slow');
  filler.started('later');
  await clock.advance(1_500);
  expect(said).toHaveLength(2);
  expect(said[1]).not.toBe(said[0]);
});

it('filler: silent while somebody speaks', async () => {
  const { clock, said, room, filler } = setup();
  room.quiet = false;
  filler.started('slow');
  await clock.advance(5_000);
  expect(said).toEqual([]);
});

it('progress: told after the filler and not more often than every 10 s, in words for the ear on a call', async () => {
  const { clock, said, room, filler } = setup();
  filler.started('slow');
  filler.progressed(5);
  expect(said).toEqual([]);
  await clock.advance(1_500);
  filler.progressed(10);
  expect(said).toHaveLength(1);
  await clock.advance(10_000);
  room.quiet = false;
  filler.progressed(40);
  expect(said).toHaveLength(1);
  room.quiet = true;
  filler.progressed(42);
  filler.progressed(43);
  expect(said).toHaveLength(2);
  expect(said[1]).toContain('42 %');
  await clock.advance(10_000);
  // Its end is told by its result.
  filler.progressed(100);
  filler.finished('slow');
  filler.progressed(60);
  expect(said).toHaveLength(2);
  expect(prompts.render('progress', { percent: '42' }, { channel: 'voice', turn: 1 })).toContain(
    '42 percent',
  );
});
