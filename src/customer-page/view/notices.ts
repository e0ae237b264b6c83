import { troubleOf } from '../words.ts';
import { el } from './dom.ts';

export function busy(words: string): HTMLElement {
  return el('section', { class: 'panel' }, el('p', { class: 'status', role: 'status' }, words));
}

/** What went wrong and what can be done, with the buttons for it. */
export function failure(error: unknown, again: () => void, back?: () => void): HTMLElement {
  const trouble = troubleOf(error);
  const button = (words: string, kind: string, click: () => void) =>
    el('button', { type: 'button', class: kind, on: { click } }, words);
  return el(
    'section',
    { class: 'panel', role: 'alert' },
    el('h1', { tabindex: -1 }, trouble.what),
    el('p', {}, trouble.todo),
    el(
      'p',
      { class: 'controls' },
      trouble.again ? button('Try again', 'primary', again) : undefined,
      back ? button('Back', 'secondary', back) : undefined,
    ),
  );
}
