import type { PublicAgent } from '../api.ts';
import { el } from '../view/dom.ts';

/** Whom one can talk to, by business. Says what they are: an AI, perhaps listened to by humans. */
export function agentsView(
  agents: readonly PublicAgent[],
  deps: { readonly rehearsal: boolean; readonly choose: (agent: PublicAgent) => void },
): HTMLElement {
  const businesses = [...new Set(agents.map(({ business_name }) => business_name))];
  return el(
    'section',
    { class: 'panel' },
    el('h1', { tabindex: -1 }, 'Whom would you like to talk to?'),
    el(
      'p',
      { class: 'disclosure' },
      'An AI assistant answers you. People of the team may follow the conversation and can take it over; you see when a human speaks.',
    ),
    deps.rehearsal
      ? el(
          'p',
          { class: 'rehearsal' },
          'This is a rehearsal: a script answers in place of a language model. It knows one shop and a few requests, such as a refund for order 1051.',
        )
      : undefined,
    agents.length === 0
      ? el(
          'p',
          { class: 'empty' },
          'No assistant is open to the public at the moment. Please come back later.',
        )
      : undefined,
    ...businesses.map((business) =>
      el(
        'section',
        { 'aria-label': business },
        el('h2', {}, business),
        el(
          'ul',
          { class: 'agents' },
          ...agents
            .filter(({ business_name }) => business_name === business)
            .map((agent) => card(agent, deps.choose)),
        ),
      ),
    ),
  );
}

function card(agent: PublicAgent, choose: (agent: PublicAgent) => void): HTMLElement {
  const chat = agent.agent_type === 'chat';
  return el(
    'li',
    { class: 'agent-card', lang: agent.language },
    el(
      'div',
      {},
      el('p', { class: 'agent-name' }, agent.name),
      el(
        'p',
        { class: 'note', lang: 'en' },
        `${chat ? 'Chat' : 'Voice call'} · ${languageName(agent.language)}`,
      ),
    ),
    el(
      'button',
      { type: 'button', class: 'primary', lang: 'en', on: { click: () => choose(agent) } },
      chat ? 'Chat' : 'Call',
      el('span', { class: 'visually-hidden' }, ` with ${agent.name}`),
    ),
  );
}

function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
