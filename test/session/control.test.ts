import { EventEmitter } from 'node:events';
import type { Room } from '@livekit/rtc-node';
import { RoomEvent } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { supervisorIdentity } from '../../src/domain/identities.ts';
import { createLog } from '../../src/log.ts';
import type { Claim } from '../../src/session/claim.ts';
import { Control, type ControlDeps } from '../../src/session/control.ts';
import { ManualClock, settled } from '../support/clock.ts';

const GRACE_MS = 30_000;
const SAM = { id: 'sam', name: 'Sam' };

/** A room as far as control looks at it: who is in it, and who comes and goes. */
class RoomOfPeople extends EventEmitter {
  readonly remoteParticipants = new Map<string, { identity: string }>();

  come(person: string): void {
    const participant = { identity: supervisorIdentity(person) };
    this.remoteParticipants.set(participant.identity, participant);
    this.emit(RoomEvent.ParticipantConnected, participant);
  }

  go(identity: string): void {
    const participant = this.remoteParticipants.get(identity);
    this.remoteParticipants.delete(identity);
    if (participant) this.emit(RoomEvent.ParticipantDisconnected, participant);
  }
}

function setup(given: { holder?: typeof SAM | null; here?: string[] } = {}) {
  const clock = new ManualClock();
  const room = new RoomOfPeople();
  for (const person of given.here ?? []) room.come(person);
  const happened: string[] = [];
  const row = { control: 'agent' as 'agent' | 'supervisor', controlled_by: null as string | null };
  const database = { away: false };
  /** What the next polls still say, before they say what is true. */
  const polls: ReturnType<typeof news>[] = [];
  const news = () => ({ ...row, controlled_by_name: row.controlled_by });
  const control: Control = new Control({
    claim: {
      interactionId: 'i',
      generation: 1,
      room: 'room',
      customerIdentity: 'customer-i',
      holder: given.holder ?? null,
    } as Claim,
    room: room as unknown as Room,
    interactions: {
      async releaseControl(_key, holder) {
        if (database.away) throw new Error('away');
        if (row.controlled_by !== holder) return false;
        Object.assign(row, { control: 'agent', controlled_by: null });
        return true;
      },
    } as Partial<ControlDeps['interactions']> as ControlDeps['interactions'],
    leases: { refresh: async () => control.update(polls.shift() ?? news()) } as ControlDeps['leases'],
    rooms: {
      async removeParticipant(_room, identity) {
        happened.push(`expelled ${identity}`);
        room.go(identity);
      },
    } as ControlDeps['rooms'],
    graceMs: GRACE_MS,
    onAnnounced: () => happened.push('announced'),
    onUnfounded: () => happened.push('unfounded'),
    onTaken: ({ id }) => happened.push(`taken by ${id}`),
    onReturned: (why) => happened.push(why),
    clock,
    log: createLog({ level: 'silent' }),
  });
  if (given.holder) Object.assign(row, { control: 'supervisor', controlled_by: given.holder.id });
  control.start();
  const take = (person: string) => {
    Object.assign(row, { control: 'supervisor', controlled_by: person });
    control.update(news());
  };
  const giveBack = () => {
    Object.assign(row, { control: 'agent', controlled_by: null });
    control.update(news());
  };
  return { clock, room, control, happened, row, database, polls, news, take, giveBack };
}

it('a person takes control and hands it back: they are out of the room before the agent goes on', async () => {
  const { room, happened, take, giveBack } = setup();
  take('sam');
  room.come('sam');
  giveBack();
  await settled();
  expect(happened).toEqual(['taken by sam', 'expelled supervisor-sam', 'handed_back']);
});

it('an announced takeover silences before the row is read, whatever a poll that was under way says', async () => {
  const { control, happened, news, take } = setup();
  control.announced();
  control.update(news());
  take('sam');
  control.announced();
  control.update(news());
  expect(happened).toEqual(['announced', 'taken by sam']);
});

it('an announced takeover that the row knows nothing of is unfounded, once', async () => {
  const { control, happened, news } = setup();
  control.announced();
  for (let poll = 0; poll < 4; poll += 1) control.update(news());
  expect(happened).toEqual(['announced', 'unfounded']);
});

it('the same news again changes nothing', async () => {
  const { happened, take, giveBack } = setup();
  take('sam');
  take('sam');
  giveBack();
  giveBack();
  await settled();
  expect(happened).toEqual(['taken by sam', 'handed_back']);
});

it('a person who drops out keeps control until the grace period is over', async () => {
  const { clock, room, happened, row, take } = setup();
  take('sam');
  room.come('sam');
  room.go('supervisor-sam');
  await clock.advance(GRACE_MS - 1);
  expect(row.control).toBe('supervisor');
  await clock.advance(1);
  await settled();
  expect(row.control).toBe('agent');
  expect(happened).toEqual(['taken by sam', 'dropped_out']);
});

it('a person who is back in time keeps control', async () => {
  const { clock, room, happened, take } = setup();
  take('sam');
  room.come('sam');
  room.go('supervisor-sam');
  await clock.advance(GRACE_MS - 1);
  room.come('sam');
  await clock.advance(GRACE_MS);
  await settled();
  expect(happened).toEqual(['taken by sam']);
});

it('a person who never comes has the grace period too', async () => {
  const { clock, happened, take } = setup();
  take('sam');
  await clock.advance(GRACE_MS);
  await settled();
  expect(happened).toEqual(['taken by sam', 'dropped_out']);
});

it('while the database is away control stays where it is, and is given back when it returns', async () => {
  const { clock, happened, database, take } = setup();
  take('sam');
  database.away = true;
  await clock.advance(GRACE_MS);
  await settled();
  expect(happened).toEqual(['taken by sam']);
  database.away = false;
  await clock.advance(1_000);
  await settled();
  expect(happened).toEqual(['taken by sam', 'dropped_out']);
});

it('another who insists gets it: the first is expelled, and the agent stays silent', async () => {
  const { clock, room, happened, control, take } = setup();
  take('sam');
  room.come('sam');
  take('ada');
  room.come('ada');
  await clock.advance(GRACE_MS * 2);
  await settled();
  expect(happened).toEqual(['taken by sam', 'taken by ada', 'expelled supervisor-sam']);
  expect(control.holder?.id).toBe('ada');
});

it('a recovered session begins with the person in control, and waits for one who is not there', async () => {
  const here = setup({ holder: SAM, here: ['sam'] });
  await here.clock.advance(GRACE_MS * 2);
  await settled();
  expect(here.happened).toEqual(['taken by sam']);
  const gone = setup({ holder: SAM });
  expect(gone.happened).toEqual(['taken by sam']);
  await gone.clock.advance(GRACE_MS);
  await settled();
  expect(gone.happened).toEqual(['taken by sam', 'dropped_out']);
});

it('only the customer and the person in control are heard', async () => {
  const { control, take, giveBack } = setup();
  expect(control.roleOf('customer-i')).toBe('customer');
  expect(control.roleOf('customer-other')).toBeUndefined();
  expect(control.roleOf('monitor-sam-12345678')).toBeUndefined();
  expect(await control.roleOf('supervisor-sam')).toBeUndefined();
  take('sam');
  expect(await control.roleOf('supervisor-sam')).toBe('supervisor');
  expect(await control.roleOf('supervisor-ada')).toBeUndefined();
  giveBack();
  expect(await control.roleOf('supervisor-sam')).toBeUndefined();
});

it('first words that are faster than the news of the takeover count: the database is asked', async () => {
  const { control, row } = setup();
  Object.assign(row, { control: 'supervisor', controlled_by: 'sam' });
  expect(await control.roleOf('supervisor-sam')).toBe('supervisor');
});

it('a poll that looked before the takeover makes nobody an intruder', async () => {
  const { room, row, happened, polls, news } = setup();
  polls.push(news());
  Object.assign(row, { control: 'supervisor', controlled_by: 'sam' });
  room.come('sam');
  await settled();
  expect(happened).toEqual(['taken by sam']);
});

it('a person without control who comes with a token that is still good is expelled', async () => {
  const { room, happened } = setup();
  room.come('ada');
  await settled();
  expect(happened).toEqual(['expelled supervisor-ada']);
});
