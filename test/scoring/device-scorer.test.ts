import { beforeAll, describe, expect, it } from 'vitest';
import { createDeviceScorer } from '../../src/scoring/device-scorer.ts';
import type { ConversationScorer, Turn, TurnScore } from '../../src/scoring/types.ts';

let scorer: ConversationScorer;

beforeAll(async () => {
  scorer = await createDeviceScorer();
});

/** `> ` is the agent. */
function conversation(...lines: string[]): Turn[] {
  return lines.map((line) =>
    line.startsWith('> ') ? { role: 'agent', text: line.slice(2) } : { role: 'customer', text: line },
  );
}

async function last(...lines: string[]): Promise<TurnScore> {
  const scores = await scorer.score(conversation(...lines));
  return scores.at(-1) ?? expect.fail('no score');
}

const LATE = [
  '> hi how can i help',
  'my parcel was due on monday and its still not here',
  '> it will take another week',
];

describe('scores', () => {
  it('gives one for each customer turn, in range', async () => {
    const scores = await scorer.score(
      conversation('> hello', 'hi', 'i need help', '> sure', 'thanks', '> bye'),
    );
    expect(scores).toHaveLength(3);
    for (const { satisfaction, sentiment } of scores) {
      expect(satisfaction).toBeGreaterThanOrEqual(0);
      expect(satisfaction).toBeLessThanOrEqual(100);
      expect(['good', 'neutral', 'critical']).toContain(sentiment);
    }
  });

  it('are none before the customer has spoken', async () => {
    expect(await scorer.score([])).toEqual([]);
    expect(await scorer.score(conversation('> hello, how can i help?'))).toEqual([]);
  });

  it('stand near the middle for a plain request', async () => {
    const score = await last('> hello how can i help', 'hi id like to change my delivery address please');
    expect(score.sentiment).toBe('neutral');
    expect(score.satisfaction).toBeGreaterThan(48);
    expect(score.satisfaction).toBeLessThan(72);
  });

  it('of earlier turns do not depend on later ones', async () => {
    const turns = conversation(
      ...LATE,
      'great another week fantastic service',
      '> i have sent a new one by courier',
      'oh thank you so much',
    );
    const whole = await scorer.score(turns);
    const fresh = await createDeviceScorer();
    expect(await fresh.score(turns.slice(0, 4))).toEqual(whole.slice(0, 2));
  });

  it('are the same whether turns come one by one or all at once', async () => {
    const turns = conversation(...LATE, 'that is too long', '> i refunded it', 'ok thank you');
    const stepwise = await createDeviceScorer();
    let scores: TurnScore[] = [];
    for (let length = 1; length <= turns.length; length += 1)
      scores = await stepwise.score(turns.slice(0, length));
    expect(scores).toEqual(await (await createDeviceScorer()).score(turns));
  });

  it('survive odd input', async () => {
    const odd = [
      '',
      '   ',
      '!!!???',
      '\u0000\u0007',
      '🙃🙃🙃',
      'a'.repeat(100_000),
      '¿dónde está mi pedido?',
      '在哪里',
      '__proto__ constructor',
    ];
    for (const text of odd) {
      const [score] = await scorer.score([{ role: 'customer', text }]);
      expect(Number.isFinite(score?.satisfaction)).toBe(true);
    }
  });
});

describe('sarcasm, irony and false friends', () => {
  it.each([
    ['great another week of waiting fantastic service', 'great a week is fine thanks for telling me'],
    ['Oh wonderful, I can hardly wait.', 'Okay, a week works for me.'],
    [
      'thank you so much for your assistance i will be taking my business elsewhere',
      'thank you so much for your assistance i will wait then',
    ],
    ['brilliant just brilliant', 'all right no problem'],
    ['how generous of you', 'that is kind of you'],
  ])('puts "%s" below "%s"', async (bitter, sincere) => {
    const low = await last(...LATE, bitter);
    const high = await last(...LATE, sincere);
    expect(low.satisfaction).toBeLessThan(high.satisfaction);
    expect(low.sentiment).toBe('critical');
  });

  it.each([
    'oh brilliant thank you so much',
    'my week was awful but youve been great',
    'not bad at all cheers',
    'no problem at all thank you for your help',
    'killer service thanks',
    'damn that was fast thank you',
  ])('takes "%s" after a solution as good', async (text) => {
    const score = await last(
      '> hi how can i help',
      'hi my card doesnt work',
      '> okay i have unlocked it it works again now',
      text,
    );
    expect(score.sentiment).toBe('good');
    expect(score.satisfaction).toBeGreaterThan(65);
  });

  it.each([
    'hi i want to cancel my order please',
    'hello i have a problem with my login',
    'i hate to bother you but where do i find my invoice',
    'stop the delivery please im on holiday',
    'hi the bill is wrong i think could you check it',
  ])('takes "%s" as neutral', async (text) => {
    expect((await last('> hello how can i help', text)).sentiment).toBe('neutral');
  });

  it.each([
    'this is the third time im calling about this',
    'ive been on hold for an hour and nobody helps me',
    'you people are a joke i want my money back',
    'i will be contacting my solicitor',
    'whatever forget it im done',
  ])('takes "%s" after a refusal as critical', async (text) => {
    const score = await last(
      '> hello',
      'hi i want a refund',
      '> unfortunately our policy does not allow that',
      text,
    );
    expect(score.sentiment).toBe('critical');
    expect(score.satisfaction).toBeLessThan(40);
  });
});

describe('the course of a conversation', () => {
  it('ends higher when the problem is solved than when it is refused', async () => {
    const opening = ['> hello', 'my fridge broke after two months'];
    const solved = await last(...opening, '> a new one comes tomorrow free of charge', 'okay thanks bye');
    const refused = await last(
      ...opening,
      '> unfortunately that is not covered theres nothing i can do',
      'okay thanks bye',
    );
    expect(solved.satisfaction).toBeGreaterThan(refused.satisfaction + 10);
  });

  it('falls with each refusal and rises with the solution', async () => {
    const scores = await scorer.score(
      conversation(
        '> hello',
        'hi id like my deposit back',
        '> unfortunately we cant do that',
        'why not i was promised it',
        '> im afraid that is our policy',
        'that is ridiculous i want to speak to a manager',
        '> you are right i have refunded the deposit it will be in your account tomorrow',
        'oh thank you so much finally somebody who helps',
      ),
    );
    const [start = 0, first = 0, second = 0, end = 0] = scores.map(({ satisfaction }) => satisfaction);
    expect(first).toBeLessThan(start);
    expect(second).toBeLessThan(first);
    expect(end).toBeGreaterThan(second + 25);
  });

  it('counts a repeat caller lower than a first one', async () => {
    const first = await last('> hello', 'hi my internet is not working');
    const repeat = await last(
      '> hello',
      'hi this is the fourth time im calling my internet is still not working',
    );
    expect(repeat.satisfaction).toBeLessThan(first.satisfaction - 5);
  });
});

describe('cost', () => {
  it('scores 200 open conversations again within a small part of a tick', async () => {
    const own = await createDeviceScorer();
    const conversations = Array.from({ length: 200 }, (_, at) =>
      conversation(
        ...Array.from(
          { length: 10 },
          (_, turn) =>
            `${turn % 2 === 0 ? '> ' : ''}line ${turn} of call ${at}: the order is late and i would like to know when it arrives`,
        ),
      ),
    );
    for (const turns of conversations) await own.score(turns);
    const grown = conversations.map((turns): Turn[] => [...turns, { role: 'customer', text: 'any news' }]);
    const timed = async (scoring: ConversationScorer) => {
      const started = performance.now();
      for (const turns of grown) await scoring.score(turns);
      return performance.now() - started;
    };
    const again = await timed(own);
    const anew = await timed(await createDeviceScorer());
    // The machine may be busy: the bound is generous, and what the memory saves is measured against doing without.
    expect(again).toBeLessThan(1_500);
    expect(again).toBeLessThan(anew / 2);
  });
});
