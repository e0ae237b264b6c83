import { expect, it } from 'vitest';
import { fixedWords } from '../../src/definitions/fixed-words.ts';
import { renderGreeting } from '../../src/definitions/opening.ts';
import { loadPrompts, PROMPTS_DIRECTORY } from '../../src/definitions/prompts.ts';

const book = loadPrompts(PROMPTS_DIRECTORY, 'en');
const business = { name: 'Harbour Goods', timeZone: 'Europe/Amsterdam' };
const NOW = new Date('2026-03-14T09:26:00Z');

function setup(greeting: string | null) {
  const agent = { name: 'Wren', systemPrompt: '', greeting, language: 'en' };
  const customer = { name: 'Ada Example', phoneNumber: '+31612345678', phoneSource: 'sip' } as const;
  const said = renderGreeting(book, { agent, business, customer, channel: 'voice', now: NOW }).text;
  return { said, isFixed: fixedWords(book, { agent, business }).include };
}

it('a greeting that is the same for everybody is fixed, whole and sentence by sentence', () => {
  const { said, isFixed } = setup('Good day, {{business_name}} here. How can I help you?');
  expect(isFixed(said)).toBe(true);
  expect(isFixed('Good day, Harbour Goods here.')).toBe(true);
  expect(isFixed('How can I help you?')).toBe(true);
});

it.each([
  [
    'Hello{{#customer_name}} {{customer_name}}{{/customer_name}}, this is {{agent_name}}.',
    'Hello Ada Example, this is Wren.',
  ],
  ['You call from {{customer_phone}}, I see.', 'You call from +31612345678, I see.'],
  ['It is {{local_date}} today.', 'It is Saturday 14 March 2026 today.'],
])('a sentence with something of the caller or the moment is not: %s', (greeting) => {
  const { said, isFixed } = setup(`${greeting} It is good that you call.`);
  expect(isFixed(said)).toBe(false);
  expect(isFixed(said.slice(0, said.indexOf('It is good')).trim())).toBe(false);
  expect(isFixed('It is good that you call.')).toBe(true);
});

it('the runtime’s own words are fixed in each wording, on lines of their own or not', () => {
  const { isFixed } = setup(null);
  expect(isFixed('One moment, please.')).toBe(true);
  expect(isFixed('Bear with me for a moment.')).toBe(true);
  expect(isFixed('Thank you for calling Harbour Goods.')).toBe(true);
  expect(isFixed('Thank  you for\ncalling Harbour Goods.')).toBe(true);
});

it('parts of words, nothing, and what only begins alike are not', () => {
  const { isFixed } = setup(null);
  expect(isFixed('ne moment')).toBe(false);
  expect(isFixed('  ')).toBe(false);
  expect(isFixed('Thank you for calling Harbour Goods. Your refund is on its way.')).toBe(false);
});

it('no prompt that takes something of a customer is fixed', () => {
  const { isFixed } = setup(null);
  const callback = book.render('callback_arranged', { last_digits: '5678' }, { channel: 'voice' });
  expect(isFixed(callback)).toBe(false);
  expect(isFixed(callback.slice(callback.indexOf("I've")))).toBe(false);
});
