import { initializeLogger } from '@livekit/agents';
import { expect, it, onTestFinished } from 'vitest';
import { loadPrompts, PROMPTS_DIRECTORY } from '../../src/definitions/prompts.ts';
import { createLog } from '../../src/log.ts';
import { createLlm } from '../../src/session/models.ts';
import { summarise, transcriptText } from '../../src/session/wrap-up.ts';
import { ManualClock } from '../support/clock.ts';
import { type ExpectedCall, setupModel } from '../support/model.ts';

initializeLogger({ pretty: false, level: 'silent' });

const GOOD = {
  summary: 'The customer asked where order 1042 is. It arrives on Monday.',
  issues: [{ issue: 'late parcel', status: 'resolved', priority: 'low' }],
  tags: {
    topics: ['orders'],
    sentiment: 'good',
    issues: [{ tag: 'late_delivery', status: 'resolved' }],
    new_issue_tags: [],
  },
  csat_score: 82,
};

async function setup(...replies: ExpectedCall['reply'][]) {
  const model = await setupModel(replies.map((reply) => ({ reply })));
  onTestFinished(() => model.stop());
  const clock = new ManualClock();
  const file = () =>
    summarise(
      {
        businessName: 'Harbour Goods',
        channel: 'chat',
        language: 'en',
        facts: '{"end_reason":"agent_ended"}',
        transcript: 'Customer: where is 1042?',
      },
      {
        model: createLlm({ apiKey: 'test', baseUrl: model.openaiBaseUrl }, { llm_model: 'any' }),
        prompts: loadPrompts(PROMPTS_DIRECTORY, 'en'),
        vocabulary: { topics: ['orders', 'billing'], issues: ['late_delivery', 'refund_request'] },
        timeoutMs: 10_000,
        clock,
        log: createLog({ level: 'silent' }),
      },
    );
  return { model, clock, file };
}

it('files what the model answers, and shows it facts, transcript and vocabulary', async () => {
  const { model, file } = await setup(JSON.stringify(GOOD));
  expect(await file()).toEqual(GOOD);
  const asked = model.requests[0]?.text ?? '';
  for (const part of ['agent_ended', 'where is 1042?', 'billing', 'refund_request', 'Harbour Goods'])
    expect(asked).toContain(part);
  model.assertExhausted();
});

it.for([
  ['a code fence and words around it', `Here you are:\n\`\`\`json\n${JSON.stringify(GOOD)}\n\`\`\`\nDone.`],
  ['a trailing comma and single quotes', JSON.stringify(GOOD).replaceAll('"', "'").replace(/}$/, ',}')],
])('repairs JSON with %s without asking again', async ([, text]) => {
  const { model, file } = await setup(text ?? '');
  expect(await file()).toEqual(GOOD);
  model.assertExhausted();
});

it('an answer in another form is asked for once more, with what was wrong', async () => {
  const { model, file } = await setup(JSON.stringify({ ...GOOD, csat_score: 'very' }), JSON.stringify(GOOD));
  expect(await file()).toEqual(GOOD);
  expect(model.requests[0]?.text).not.toContain('expected number');
  expect(model.requests[1]?.text).toContain('expected number');
  model.assertExhausted();
});

it('two useless answers leave the archive with its facts', async () => {
  const { model, file } = await setup('I would rather not.', '[]');
  expect(await file()).toBeUndefined();
  model.assertExhausted();
});

it('a tag outside the vocabulary counts as new; a topic outside it is dropped', async () => {
  const tags = {
    topics: ['orders', 'weather'],
    sentiment: 'critical',
    issues: [
      { tag: 'Broken Seal!', status: 'unresolved' },
      { tag: 'late delivery', status: 'resolved' },
    ],
    new_issue_tags: ['never_used'],
  };
  const { file } = await setup(JSON.stringify({ ...GOOD, tags }));
  expect((await file())?.tags).toEqual({
    topics: ['orders'],
    sentiment: 'critical',
    issues: [
      { tag: 'broken_seal', status: 'unresolved' },
      { tag: 'late_delivery', status: 'resolved' },
    ],
    new_issue_tags: ['broken_seal'],
  });
});

it('a model that hangs is given up after its time, twice', async () => {
  const { model, clock, file } = await setup({ hang: true }, { hang: 'midway', text: '{"summary":' });
  const filed = file();
  await model.waitForTurns(1);
  await clock.advance(10_000);
  await model.waitForTurns(2);
  await clock.advance(10_000);
  expect(await filed).toBeUndefined();
});

it('the transcript is one line a turn, and of a long one the newest part', () => {
  const said = (role: 'customer' | 'agent' | 'supervisor', text: string, at: number) =>
    ({ kind: 'said', id: `${at}`, role, text, interrupted: false, at }) as const;
  const items = [said('customer', 'one\ntwo', 1), said('supervisor', 'three', 2), said('agent', 'four', 3)];
  expect(transcriptText(items)).toBe('Customer: one two\nHuman colleague: three\nAgent: four');
  expect(transcriptText(items, 11)).toBe('(beginning left out)\nAgent: four');
});
