import { CustomerApi, type PublicAgent } from '../api.ts';
import { OpenMicrophone } from '../call/microphone.ts';
import { begin, CustomerConversation } from '../conversation/conversation.ts';
import { Memory } from '../conversation/memory.ts';
import { callView } from '../view/call-view.ts';
import { chatView } from '../view/chat-view.ts';
import { el } from '../view/dom.ts';
import { busy, failure } from '../view/notices.ts';
import { agentsView } from './agents-view.ts';
import { beforeCallView } from './before-call-view.ts';

/** Where everything happens: choosing an agent, talking, and how it was. */
class TryPage {
  readonly #page: HTMLElement;
  readonly #memory = new Memory('try');
  readonly #api: CustomerApi;

  constructor(page: HTMLElement, api: CustomerApi) {
    this.#page = page;
    this.#api = api;
  }

  async start(): Promise<void> {
    const { kept } = this.#memory;
    if (kept?.agent.agent_type === 'chat') return this.#chat();
    if (kept) return this.#beforeCall(kept.agent, true);
    await this.#choose();
  }

  #show(node: HTMLElement, focus?: () => void): void {
    this.#page.replaceChildren(node);
    // The heading of what came up, so that a keyboard and a screen reader are where the eyes are.
    (focus ?? (() => node.querySelector<HTMLElement>('[tabindex="-1"]')?.focus()))();
  }

  async #choose(): Promise<void> {
    this.#show(busy('Looking for assistants…'));
    try {
      const business = new URLSearchParams(location.search).get('business');
      const agents = await this.#api.agents(business === null ? {} : { business });
      const choose = (agent: PublicAgent) =>
        agent.agent_type === 'chat' ? void this.#beginChat(agent) : this.#beforeCall(agent, false);
      this.#show(agentsView(agents, { rehearsal: this.#api.rehearsal, choose }));
    } catch (error) {
      this.#show(failure(error, () => void this.#choose()));
    }
  }

  async #beginChat(agent: PublicAgent): Promise<void> {
    this.#show(busy('Starting the chat…'));
    try {
      await this.#chat(await begin(this.#api, this.#memory, agent));
    } catch (error) {
      this.#show(
        failure(
          error,
          () => void this.#beginChat(agent),
          () => void this.#choose(),
        ),
      );
    }
  }

  async #chat(place?: Awaited<ReturnType<typeof begin>>): Promise<void> {
    const conversation = new CustomerConversation(this.#api, this.#memory);
    const view = chatView(conversation, { onOver: () => {}, onAgain: () => void this.#again() });
    this.#show(view.node, view.focus);
    await conversation.open(place);
  }

  #beforeCall(agent: PublicAgent, open: boolean): void {
    this.#show(
      beforeCallView(agent, {
        open,
        call: () => void this.#call(agent, open),
        back: () => void this.#again(),
      }),
    );
  }

  /** The microphone first: nobody is called by somebody who can't speak. */
  async #call(agent: PublicAgent, open: boolean): Promise<void> {
    this.#show(busy('Waiting for your microphone. If the browser asks, allow it.'));
    let microphone: OpenMicrophone | undefined;
    try {
      microphone = await OpenMicrophone.open();
      const place = open ? undefined : await begin(this.#api, this.#memory, agent);
      const conversation = new CustomerConversation(this.#api, this.#memory, microphone.track);
      const view = callView(conversation, microphone, { onAgain: () => void this.#again() });
      this.#show(view.node, view.focus);
      await conversation.open(place);
    } catch (error) {
      microphone?.close();
      this.#show(
        failure(
          error,
          () => void this.#call(agent, open),
          () => void this.#again(),
        ),
      );
    }
  }

  async #again(): Promise<void> {
    this.#memory.forget();
    await this.#choose();
  }
}

async function main(): Promise<void> {
  const page = document.querySelector<HTMLElement>('#page') ?? document.body.appendChild(el('main', {}));
  try {
    const api = await CustomerApi.connect('try');
    await new TryPage(page, api).start();
  } catch (error) {
    page.replaceChildren(failure(error, () => void main()));
  }
}

void main();
