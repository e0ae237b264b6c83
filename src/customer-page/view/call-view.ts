import type { OpenMicrophone } from '../call/microphone.ts';
import type { ConversationState, CustomerConversation } from '../conversation/conversation.ts';
import { el, setText } from './dom.ts';
import { ratingView } from './rating-view.ts';
import { statusWords, whoAnswers } from './status.ts';
import { TranscriptView } from './transcript-view.ts';

/** A call: who speaks, the customer's own level, captions of both sides, mute and hang up. */
export function callView(
  conversation: CustomerConversation,
  microphone: OpenMicrophone,
  deps: { readonly onAgain: () => void },
): { node: HTMLElement; focus(): void } {
  const captions = new TranscriptView('Captions of the call');
  const who = el('h1', { class: 'answering' });
  const status = el('p', { class: 'status', role: 'status' });
  const heard = el('p', { class: 'note' });
  const bar = el('div', { class: 'level-bar' });
  const level = el('div', { class: 'level', 'aria-hidden': 'true' }, bar);
  const sound = el(
    'button',
    { type: 'button', class: 'primary', hidden: true, on: { click: () => void conversation.allowSound() } },
    'Turn on sound',
  );
  const here = el(
    'button',
    { type: 'button', class: 'secondary', hidden: true, on: { click: () => void conversation.takeBack() } },
    'Continue here',
  );
  const mute = el(
    'button',
    { type: 'button', class: 'secondary', 'aria-pressed': 'false', on: { click: () => void toggle() } },
    'Mute',
  );
  const hangUp = el(
    'button',
    { type: 'button', class: 'danger', on: { click: () => void conversation.leave() } },
    'Hang up',
  );
  const controls = el('div', { class: 'controls' }, mute, hangUp);
  const meter = el(
    'div',
    { class: 'meter' },
    el('p', { class: 'meter-name' }, 'Your microphone'),
    level,
    heard,
  );
  const after = el('div', {});
  const node = el(
    'section',
    { class: 'conversation call', 'aria-label': 'Call' },
    el('header', { class: 'bar' }, who),
    captions.node,
    el('div', { class: 'notices' }, status, sound, here),
    meter,
    controls,
    after,
  );

  async function toggle(): Promise<void> {
    const muted = await microphone.mute(mute.getAttribute('aria-pressed') !== 'true');
    mute.setAttribute('aria-pressed', String(muted));
    setText(heard, muted ? 'Muted: nobody hears you.' : '');
  }

  microphone.onLevel(({ level: loudness, everHeard, silentSeconds }) => {
    bar.style.transform = `scaleX(${loudness.toFixed(3)})`;
    if (mute.getAttribute('aria-pressed') === 'true') return;
    if (everHeard) setText(heard, 'Your microphone works.');
    else if (silentSeconds > 8) setText(heard, 'Nothing is heard from your microphone. Is it the right one?');
  });

  let over = false;
  const show = (state: ConversationState): void => {
    const { name, human } = whoAnswers(state);
    setText(who, state.speaking === undefined ? name : `${name} speaks`);
    who.classList.toggle('human', human);
    who.classList.toggle('speaking', state.speaking !== undefined);
    setText(status, statusWords(state));
    sound.hidden = !state.soundBlocked;
    here.hidden = state.phase !== 'elsewhere';
    captions.show(state);
    if (over || (state.phase !== 'ended' && state.phase !== 'unreachable')) return;
    over = true;
    microphone.close();
    controls.hidden = true;
    meter.hidden = true;
    after.replaceChildren(
      ratingView({ rate: (score, comment) => conversation.rate(score, comment), again: deps.onAgain }),
    );
  };
  conversation.onChange(show);
  return { node, focus: () => (over ? after.querySelector('input') : hangUp)?.focus() };
}
