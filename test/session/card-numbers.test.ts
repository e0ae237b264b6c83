import { expect, it } from 'vitest';
import { maskCardNumbers } from '../../src/domain/card-numbers.ts';

it.for([
  ['my card is 4111111111111111', 'my card is [card number ending in 1111]'],
  [
    '4111 1111 1111 1111 and 5500-0055-5555-5559',
    '[card number ending in 1111] and [card number ending in 5559]',
  ],
  ['amex 3782 822463 10005.', 'amex [card number ending in 0005].'],
  ['(4222222222222)', '([card number ending in 2222])'],
])('masks %s', ([text, masked]) => {
  expect(maskCardNumbers(text ?? '')).toBe(masked);
});

it.for([
  'order 1042, parcel 00340434161094042557',
  'call me on +351 210 000 000',
  'the number 4111 1111 1111 1112 fails its check',
  'iban-like DE89 3704 0044 0532 0130 00',
  '12345678901234567890123456789',
])('leaves %s as it is', (text) => {
  expect(maskCardNumbers(text)).toBe(text);
});
