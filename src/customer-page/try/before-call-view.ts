import type { PublicAgent } from '../api.ts';
import { el } from '../view/dom.ts';

/** Says why the microphone is needed before the browser asks for it. `open`: a call that a reload broke off. */
export function beforeCallView(
  agent: PublicAgent,
  deps: { readonly open: boolean; readonly call: () => void; readonly back: () => void },
): HTMLElement {
  return el(
    'section',
    { class: 'panel' },
    el(
      'h1',
      { tabindex: -1 },
      deps.open ? `Your call with ${agent.name} is still open` : `Call ${agent.name}`,
    ),
    el(
      'p',
      {},
      'The call uses your microphone: it is on from when you start until you hang up, and you can mute it at any time. Your browser may ask you to allow it. The call is not recorded; what is said is kept as text.',
    ),
    el(
      'p',
      { class: 'disclosure' },
      `You will speak with an AI assistant. The team at ${agent.business_name} may listen in, and a human can take over; you see when one speaks.`,
    ),
    el(
      'p',
      { class: 'controls' },
      el(
        'button',
        { type: 'button', class: 'primary', on: { click: deps.call } },
        deps.open ? 'Continue the call' : 'Start the call',
      ),
      el(
        'button',
        { type: 'button', class: 'secondary', on: { click: deps.back } },
        deps.open ? 'Leave it' : 'Back',
      ),
    ),
  );
}
