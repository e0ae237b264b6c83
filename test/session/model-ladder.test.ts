import { APIConnectionError, APIStatusError } from '@livekit/agents';
import { expect, it } from 'vitest';
import { type LadderStep, ModelHangs, ModelLadder } from '../../src/session/model-ladder.ts';
import { createLlm } from '../../src/session/models.ts';
import { ManualClock } from '../support/clock.ts';

const model = (name: string) => createLlm({ apiKey: 'x', baseUrl: undefined }, { llm_model: name });
const primary = model('first');
const fallback = model('second');
const offline = new APIConnectionError({ message: 'offline' });
const refused = new APIStatusError({ message: 'no such model', options: { statusCode: 404 } });

function setup(withFallback = true) {
  const clock = new ManualClock();
  const ladder = new ModelLadder({
    primary,
    fallback: withFallback ? fallback : undefined,
    clock,
    random: () => 0.5,
  });
  /** The models that are asked when each attempt ends with this error. */
  const climb = (error: unknown) => {
    const way = ladder.begin();
    const asked: string[] = [];
    let step: LadderStep | undefined = way.first();
    while (step !== undefined) {
      asked.push(`${step.model.model}${step.pauseMs > 0 ? ` after ${step.pauseMs}` : ''}`);
      step = way.after(error);
    }
    return asked;
  };
  return { clock, ladder, climb };
}

it('asks the same model again after a pause, then the fallback, twice as well', () => {
  expect(setup().climb(offline)).toEqual(['first', 'first after 400', 'second', 'second after 400']);
});

it('does not repeat what another try can not mend, nor wait twice for a model that hangs', () => {
  expect(setup().climb(refused)).toEqual(['first', 'second']);
  expect(setup().climb(new ModelHangs())).toEqual(['first', 'second', 'second after 400']);
});

it('has nobody else to ask without a fallback, and then gives a hanging model a second chance', () => {
  expect(setup(false).climb(offline)).toEqual(['first', 'first after 400']);
  expect(setup(false).climb(new ModelHangs())).toEqual(['first', 'first after 400']);
  expect(setup(false).climb(refused)).toEqual(['first']);
});

it('lets a model that failed rest for a minute: no turn waits for its failure, and then it is asked first again', async () => {
  const { clock, ladder, climb } = setup();
  climb(refused);
  expect(climb(refused)).toEqual(['second', 'first']);
  await clock.advance(61_000);
  expect(ladder.begin().first().model).toBe(primary);
  climb(refused);
  // It was asked again as the last resort, and answered: it is the first again at once.
  const way = ladder.begin();
  way.after(refused);
  way.answered();
  expect(ladder.begin().first().model).toBe(primary);
});
