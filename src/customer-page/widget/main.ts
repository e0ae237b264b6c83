import { CustomerApi, type PublicAgent, Refusal } from '../api.ts';
import { begin, CustomerConversation } from '../conversation/conversation.ts';
import { Memory } from '../conversation/memory.ts';
import { chatView } from '../view/chat-view.ts';
import { el, setText } from '../view/dom.ts';
import { busy, failure } from '../view/notices.ts';
import { type FromFrame, type FromShop, readFromShop } from './protocol.ts';

/** The page in the shop's frame: one agent, in writing. */
class WidgetPage {
  readonly #page: HTMLElement;
  readonly #agentId: string;
  readonly #shop: Shop;
  readonly #memory: Memory;
  #api: CustomerApi | undefined;
  #focus: () => void = () => {};
  #shown = false;
  #mayFocus = false;
  #seen = 0;
  #lines = 0;
  /** From the first word on: a page that is left at once must not make the shop forget that there is a chat. */
  #talking: boolean;

  constructor(page: HTMLElement, agentId: string, shop: Shop) {
    this.#page = page;
    this.#agentId = agentId;
    this.#shop = shop;
    this.#memory = new Memory(agentId);
    this.#talking = this.#memory.kept !== undefined;
    shop.onMessage((message) => {
      this.#shown = message.floorwalker === 'shown';
      this.#mayFocus = message.floorwalker === 'shown' && message.focus;
      if (this.#mayFocus) this.#focus();
      this.#tell();
    });
  }

  async start(): Promise<void> {
    this.#show(busy('Connecting…'));
    this.#shop.tell({ floorwalker: 'ready' });
    try {
      this.#api = await CustomerApi.connect('widget');
      if (this.#memory.kept) await this.#chat();
      else await this.#welcome();
    } catch (error) {
      this.#show(failure(error, () => void this.start()));
    }
  }

  #show(node: HTMLElement, focus?: () => void): void {
    const hadFocus = this.#page.contains(document.activeElement);
    this.#page.replaceChildren(node);
    this.#focus = focus ?? (() => node.querySelector<HTMLElement>('[tabindex="-1"], button')?.focus());
    if (this.#mayFocus || hadFocus) this.#focus();
  }

  /** Nothing is begun before the customer says so: a page that is only looked at costs nobody an interaction. */
  async #welcome(): Promise<void> {
    const [agent] = await this.#theApi.agents({ agent_id: this.#agentId });
    if (agent?.agent_type !== 'chat') throw new Refusal('agent_not_public');
    const start = el(
      'button',
      { type: 'button', class: 'primary', on: { click: () => void this.#begin(agent) } },
      'Start the chat',
    );
    this.#show(
      el(
        'section',
        { class: 'panel' },
        el('h1', { tabindex: -1 }, `Chat with ${agent.name}`),
        el(
          'p',
          { class: 'disclosure' },
          `An AI assistant of ${agent.business_name} answers you. The team may follow the chat and can take it over; you see when a human writes.`,
        ),
        this.#theApi.rehearsal
          ? el(
              'p',
              { class: 'rehearsal' },
              'This is a rehearsal: a script answers in place of a language model.',
            )
          : undefined,
        el('p', { class: 'controls' }, start),
      ),
      () => start.focus(),
    );
  }

  async #begin(agent: PublicAgent): Promise<void> {
    this.#show(busy('Starting the chat…'));
    try {
      await this.#chat(await begin(this.#theApi, this.#memory, agent));
    } catch (error) {
      this.#show(failure(error, () => void this.#begin(agent)));
    }
  }

  async #chat(place?: Awaited<ReturnType<typeof begin>>): Promise<void> {
    const conversation = new CustomerConversation(this.#theApi, this.#memory);
    const over = () => {
      this.#talking = false;
      this.#tell();
    };
    const view = chatView(conversation, { onOver: over, onAgain: () => void this.#again() });
    this.#talking = true;
    conversation.onChange(({ agent, lines }) => {
      setText(title(), agent.name);
      this.#lines = lines.filter(({ from, state }) => from !== 'customer' && state !== 'speaking').length;
      this.#tell();
    });
    this.#show(view.node, view.focus);
    await conversation.open(place);
  }

  async #again(): Promise<void> {
    this.#memory.forget();
    await this.start();
  }

  #tell(): void {
    if (this.#shown) this.#seen = this.#lines;
    const unread = Math.max(0, this.#lines - this.#seen);
    this.#shop.tell({ floorwalker: 'state', talking: this.#talking, unread });
  }

  get #theApi(): CustomerApi {
    if (!this.#api) throw new Refusal('unreachable');
    return this.#api;
  }
}

/** The page around the frame. A browser delivers what is sent to its exact origin, and to no other. */
class Shop {
  readonly #origin: string | undefined;
  #told = '';

  constructor(origin: string | undefined) {
    this.#origin = origin;
  }

  tell(message: FromFrame): void {
    const text = JSON.stringify(message);
    if (this.#origin === undefined || text === this.#told) return;
    this.#told = text;
    parent.postMessage(message, this.#origin);
  }

  onMessage(take: (message: FromShop) => void): void {
    addEventListener('message', ({ origin, source, data }: MessageEvent<unknown>) => {
      if (origin !== this.#origin || source !== parent) return;
      const message = readFromShop(data);
      if (message) take(message);
    });
  }
}

function title(): Element {
  return document.querySelector('#title') ?? document.body;
}

function main(): void {
  const asked = new URLSearchParams(location.hash.slice(1)).get('shop') ?? '';
  const shop = new Shop(URL.canParse(asked) && new URL(asked).origin === asked ? asked : undefined);
  const close = () => shop.tell({ floorwalker: 'close' });
  document.querySelector('#close')?.addEventListener('click', close);
  addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') close();
  });
  const page = document.querySelector<HTMLElement>('#page') ?? document.body;
  const agentId = location.pathname.split('/').at(-1) ?? '';
  void new WidgetPage(page, agentId, shop).start();
}

main();
