import { troubleOf } from '../words.ts';
import { el, setText } from './dom.ts';

const WORDS = ['very bad', 'bad', 'all right', 'good', 'very good'];

/** How it was, once it is over. */
export function ratingView(deps: {
  readonly rate: (score: number, comment: string) => Promise<void>;
  readonly again: () => void;
}): HTMLElement {
  const status = el('p', { class: 'status', role: 'status' });
  const comment = el('textarea', { id: 'rating-comment', rows: 2, maxlength: 2000 });
  const send = el('button', { type: 'submit', class: 'primary' }, 'Send rating');
  const scores = WORDS.map((words, index) => {
    const score = String(index + 1);
    const input = el('input', { type: 'radio', name: 'score', value: score, required: true });
    return el(
      'label',
      { class: 'score', title: words },
      input,
      el('span', {}, score, el('span', { class: 'visually-hidden' }, `, ${words}`)),
    );
  });
  const form = el(
    'form',
    {
      class: 'rating',
      on: {
        submit: (event) => {
          event.preventDefault();
          const score = Number(new FormData(form).get('score'));
          send.disabled = true;
          deps.rate(score, comment.value.trim()).then(
            () => {
              form.replaceChildren(status);
              setText(status, 'Thank you for telling us.');
            },
            (error: unknown) => {
              send.disabled = false;
              const { what, todo } = troubleOf(error);
              setText(status, `Your rating was not kept. ${what} ${todo}`);
            },
          );
        },
      },
    },
    el(
      'fieldset',
      { class: 'scores' },
      el('legend', {}, 'How was it, from 1 (very bad) to 5 (very good)?'),
      ...scores,
    ),
    el('label', { for: 'rating-comment' }, 'Anything to add? (optional)'),
    comment,
    send,
    status,
  );
  const again = el(
    'button',
    { type: 'button', class: 'secondary', on: { click: deps.again } },
    'Start a new conversation',
  );
  return el('section', { class: 'after', 'aria-label': 'Rating' }, form, again);
}
