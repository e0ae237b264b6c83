import type { ConversationState, CustomerConversation } from '../conversation/conversation.ts';
import { el, setText } from './dom.ts';
import { ratingView } from './rating-view.ts';
import { statusWords, whoAnswers } from './status.ts';
import { TranscriptView } from './transcript-view.ts';

/** As many bytes as an agent takes in one message, less room for letters that take several. */
const LONGEST_MESSAGE = 30_000;

/** A conversation in writing, from its first moment to the rating. */
export function chatView(
  conversation: CustomerConversation,
  deps: { readonly onOver: () => void; readonly onAgain: () => void },
): { node: HTMLElement; focus(): void } {
  const transcript = new TranscriptView('Conversation');
  const who = el('h1', { class: 'answering' });
  const status = el('p', { class: 'status', role: 'status' });
  const here = el(
    'button',
    { type: 'button', class: 'secondary', hidden: true, on: { click: () => void conversation.takeBack() } },
    'Continue here',
  );
  const input = el('textarea', {
    id: 'message',
    rows: 2,
    maxlength: LONGEST_MESSAGE,
    autocomplete: 'off',
    placeholder: 'Write a message',
    on: { keydown: (event) => sendOnEnter(event) },
  });
  const composer = el(
    'form',
    { class: 'composer', on: { submit: (event) => send(event) } },
    el('label', { for: 'message', class: 'visually-hidden' }, 'Your message'),
    input,
    el('button', { type: 'submit', class: 'primary' }, 'Send'),
  );
  const end = el(
    'button',
    { type: 'button', class: 'quiet', on: { click: () => void conversation.leave() } },
    'End chat',
  );
  const after = el('div', {});
  const node = el(
    'section',
    { class: 'conversation chat', 'aria-label': 'Chat' },
    el('header', { class: 'bar' }, who, end),
    transcript.node,
    el('div', { class: 'notices' }, status, here),
    composer,
    after,
  );

  function send(event: Event): void {
    event.preventDefault();
    const text = input.value.trim();
    if (text === '') return;
    conversation.write(text);
    input.value = '';
    input.focus();
  }

  function sendOnEnter(event: KeyboardEvent): void {
    // Shift-Enter is a new line; while an input method composes, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    composer.requestSubmit();
  }

  let over = false;
  const show = (state: ConversationState): void => {
    const { name, human } = whoAnswers(state);
    setText(who, name);
    who.classList.toggle('human', human);
    setText(status, statusWords(state));
    here.hidden = state.phase !== 'elsewhere';
    transcript.show(state);
    if (over || (state.phase !== 'ended' && state.phase !== 'unreachable')) return;
    over = true;
    composer.hidden = true;
    end.hidden = true;
    after.replaceChildren(
      ratingView({ rate: (score, comment) => conversation.rate(score, comment), again: deps.onAgain }),
    );
    deps.onOver();
  };
  conversation.onChange(show);
  return { node, focus: () => (over ? after.querySelector('input') : input)?.focus() };
}
