import { initializeLogger, llm, voice } from '@livekit/agents';
import { expect, it } from 'vitest';
import { HeadStart } from '../../src/session/head-start.ts';

initializeLogger({ pretty: false, level: 'silent' });

function setup() {
  const option = { enabled: false, maxRetries: 0 };
  const state = { mayBegin: true };
  const known = new Set<string>();
  const headStart = new HeadStart({
    option,
    isKnown: (id) => known.has(id),
    mayBegin: () => state.mayBegin,
  });
  /** What the framework does with a result of recognition. */
  const hears = (text: string, isFinal = true) => {
    headStart.heard(text, isFinal, 'en-US');
    if (!isFinal || !option.enabled || option.maxRetries === 0) return undefined;
    const handle = voice.SpeechHandle.create();
    expect(headStart.created(handle)).toBe(true);
    return handle;
  };
  /** The model is shown the words before the turn is over. */
  const begin = (request = 'what the model is shown') => {
    const handle = hears('Where is my order?');
    const guess = headStart.about(llm.ChatMessage.create({ role: 'user', content: 'Where is my order?' }));
    if (!handle || !guess) throw new Error('nothing was begun');
    guess.asks(request);
    return { handle, guess };
  };
  return { headStart, option, state, known, hears, begin, context: new llm.ChatContext() };
}

it.each([
  ['Where is my order?', true, true],
  ['Where is my order?', false, false],
  ['I would like to know', true, false],
  ['My number is.', true, false],
])('after "%s" (final: %s) an answer is begun at once: %s', (text, isFinal, begins) => {
  expect(setup().hears(text, isFinal) !== undefined).toBe(begins);
});

it('none is begun while something else is under way', () => {
  const { hears, state } = setup();
  state.mayBegin = false;
  expect(hears('Where is my order?')).toBeUndefined();
});

it('what is said later of the agent’s own accord is no guess', async () => {
  const { headStart, option } = setup();
  headStart.heard('Where is my order?', true, 'en');
  await Promise.resolve();
  expect(option.enabled).toBe(false);
  expect(headStart.created(voice.SpeechHandle.create())).toBe(false);
});

it('it is good for a turn about which the model would be asked the same', async () => {
  const { begin, context, headStart } = setup();
  const { guess, handle } = begin();
  expect(headStart.completed(context, () => 'what the model is shown')).toBe(guess);
  expect(context.items).toEqual([]);
  guess.use();
  expect(await guess.settled()).toBe(true);
  expect(handle.interrupted).toBe(false);
  expect(headStart.find(handle.id)).toBe(guess);
});

it.each([
  ['the model would be asked something else', () => 'what the model is shown, and a whisper'],
  ['the agent has to be silent', undefined],
])('it is void, and the framework gives it up, where %s', async (_when, now) => {
  const { begin, context, headStart } = setup();
  const { guess, handle } = begin();
  expect(headStart.completed(context, now)).toBeUndefined();
  expect(context.items).toHaveLength(1);
  expect(handle.interrupted).toBe(true);
  expect(await guess.settled()).toBe(false);
});

it.each([
  [
    'the caller goes on',
    ({ headStart }: ReturnType<typeof setup>) => headStart.heard('because', false, 'en'),
  ],
  [
    'the agent says something else',
    ({ headStart }: ReturnType<typeof setup>) => headStart.created(voice.SpeechHandle.create()),
  ],
])('it is void from the moment at which %s', async (_what, happens) => {
  const all = setup();
  const { guess, handle } = all.begin();
  happens(all);
  expect(handle.interrupted).toBe(true);
  expect(await guess.settled()).toBe(false);
  expect(all.headStart.completed(all.context, () => 'what the model is shown')).toBeUndefined();
  expect(all.context.items).toHaveLength(1);
});

it('one that the framework has given up is not taken, though nothing else has changed', () => {
  const { begin, context, headStart } = setup();
  begin().handle.interrupt();
  expect(headStart.completed(context, () => 'what the model is shown')).toBeUndefined();
  expect(context.items).toHaveLength(1);
});

it('one about which the model has not been asked yet is not taken', () => {
  const { context, headStart, hears } = setup();
  hears('Where is my order?');
  expect(headStart.completed(context, () => 'what the model is shown')).toBeUndefined();
});

it('sounds without words leave it as it is', () => {
  const { begin, context, headStart } = setup();
  const { guess } = begin();
  headStart.heard('', false, 'en');
  expect(headStart.completed(context, () => 'what the model is shown')).toBe(guess);
});

it('a turn that is part of the conversation is asked about as usual', () => {
  const { headStart, hears, known } = setup();
  hears('Where is my order?');
  const message = llm.ChatMessage.create({ role: 'user', content: 'Where is my order?' });
  known.add(message.id);
  expect(headStart.about(message)).toBeUndefined();
});
