import { expect, it } from 'vitest';
import { Questions } from '../../src/session/questions.ts';
import { InputSchemas } from '../../src/tools/input-schema.ts';
import { ManualClock, settled } from '../support/clock.ts';

it('a tool that asks the customer without end is told at some point that nobody answers', async () => {
  let asked = 0;
  const questions = new Questions({
    schemas: new InputSchemas(),
    onOpened: () => {
      asked += 1;
    },
    onClosed: () => {},
    clock: new ManualClock(),
  });
  const { signal } = new AbortController();
  const question = { message: 'Which colour?', schema: { type: 'object', properties: {} } };
  const answers: string[] = [];
  for (let time = 0; time < 30; time += 1) {
    const answer = questions.ask('call-1', question, signal);
    await settled();
    if (questions.open) questions.decline();
    answers.push((await answer).action);
  }
  expect(asked).toBe(20);
  expect(answers.filter((action) => action === 'decline')).toHaveLength(20);
  expect(answers.slice(20)).toEqual(Array.from({ length: 10 }, () => 'cancel'));
  const other = questions.ask('call-2', question, signal);
  await settled();
  questions.decline();
  expect(await other).toEqual({ action: 'decline' });
});
