import { expect, it } from 'vitest';
import { loadPrompts, PROMPTS_DIRECTORY } from '../../src/definitions/prompts.ts';
import { FloorwalkerError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { CallbackOffer } from '../../src/session/callback-offer.ts';
import { Conversation } from '../../src/session/conversation.ts';
import { Outbox } from '../../src/session/outbox.ts';
import { Recorder } from '../../src/session/recorder.ts';
import { ManualClock } from '../support/clock.ts';

function setup(known: string | null = null) {
  const clock = new ManualClock();
  const log = createLog({ level: 'silent' });
  const conversation = new Conversation();
  const sink = { appendRecords: async () => [], recordMetrics: async () => {} };
  const recorder = new Recorder({
    key: { interactionId: 'one', generation: 1 },
    conversation,
    outbox: new Outbox({ sink, clock, log }),
    clock,
  });
  const requested: string[] = [];
  const database = { away: false };
  const offer = new CallbackOffer({
    prompts: loadPrompts(PROMPTS_DIRECTORY, 'en'),
    channel: 'chat',
    conversation,
    recorder,
    phoneNumber: () => known,
    async requestCallback(number) {
      if (database.away) throw new FloorwalkerError('database_unavailable');
      requested.push(number);
    },
    log,
  });
  let turns = 0;
  /** The customer says something, and no model can answer. */
  const turn = (text: string) => {
    turns += 1;
    conversation.say({ id: `t${turns}`, role: 'customer', text, at: clock.now() + turns });
    return offer.instead();
  };
  return { offer, turn, requested, database };
}

it('apologises and offers to be called back, and arranges it on the number that the customer then gives', async () => {
  const { turn, requested } = setup();
  expect(await turn('where is order 1042')).toMatch(/sorry[\s\S]*called back[\s\S]*phone number/i);
  expect(await turn('please, it is +31 (0)6.')).not.toMatch(/asked a person/);
  expect(await turn('ok: 0031 6 1234-5678 after five')).toMatch(/call you back on the number ending in 5678/);
  expect(requested).toEqual(['+31612345678']);
});

it('does not take a number that was said before the offer for one to call', async () => {
  const { turn, requested } = setup();
  expect(await turn('my parcel is +31612345678')).toMatch(/sorry/i);
  expect(requested).toEqual([]);
});

it('arranges it on the number that is known when a second turn fails, and only once', async () => {
  const { turn, requested } = setup('+351210000042');
  expect(await turn('hello')).toMatch(/number ending in 0042/);
  expect(requested).toEqual([]);
  expect(await turn('hello?')).toMatch(/I've asked a person to call you back/);
  const third = await turn('still there?');
  expect(third).toMatch(/sorry/i);
  expect(third).not.toMatch(/called back|call you back/);
  expect(requested).toEqual(['+351210000042']);
});

it('begins anew when a model has answered in between', async () => {
  const { offer, turn, requested } = setup('+351210000042');
  await turn('hello');
  offer.answered();
  expect(await turn('hello again')).not.toMatch(/I've asked/);
  expect(requested).toEqual([]);
});

it('promises nothing that could not be recorded', async () => {
  const { turn, requested, database } = setup('+351210000042');
  database.away = true;
  await turn('hello');
  expect(await turn('hello?')).not.toMatch(/I've asked/);
  database.away = false;
  expect(await turn('hello??')).toMatch(/I've asked a person/);
  expect(requested).toHaveLength(1);
});
