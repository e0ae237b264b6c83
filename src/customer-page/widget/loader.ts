import { type FromShop, readFromFrame } from './protocol.ts';

/**
 * A frame that a browser refuses to show says nothing at all. Loaded is loaded, refused or not: a page of ours says
 * so at once, and one that has said nothing so long after is none of ours.
 */
const READY_AFTER_LOAD_MS = 3_000;
const LOADED_WITHIN_MS = 20_000;

const STYLE = `
:host { all: initial; position: fixed; inset: auto 16px 16px auto; z-index: 2147483000; font: 16px/1.4 system-ui, sans-serif; color-scheme: light dark; }
button { font: inherit; font-weight: 600; color: #fff; background: #1457c8; border: 0; border-radius: 999px; padding: 12px 20px; cursor: pointer; box-shadow: 0 4px 16px #0005; }
button:hover { background: #0f46a3; }
button:focus-visible { outline: 3px solid #1457c8; outline-offset: 3px; }
.dialog { position: fixed; right: 16px; bottom: 80px; width: min(400px, calc(100vw - 32px)); height: min(640px, calc(100dvh - 112px)); border-radius: 16px; overflow: hidden; box-shadow: 0 8px 40px #0006; background: Canvas; color: CanvasText; }
.dialog[hidden] { display: none; }
iframe { border: 0; width: 100%; height: 100%; display: block; }
.refused { padding: 24px; display: grid; gap: 16px; justify-items: start; }
.refused[hidden] { display: none; }
@media (max-width: 480px) { .dialog { inset: 0; width: auto; height: auto; border-radius: 0; } :host([open]) .launcher { display: none; } }
@media (prefers-contrast: more) { .dialog { border: 2px solid CanvasText; } }
`;

/** The button in the corner of a shop's page, and the frame that it opens. Nothing is loaded before it is needed. */
class Widget {
  readonly #host: string;
  readonly #agentId: string;
  readonly #label: string;
  readonly #root = document.createElement('div');
  readonly #launcher = document.createElement('button');
  readonly #dialog = document.createElement('div');
  readonly #frame = document.createElement('iframe');
  readonly #refused = document.createElement('div');
  #ready = false;
  #open = false;
  /** A page that the customer only walked to must not pull the focus into the chat. */
  #takeFocus = false;
  #unread = 0;
  /** Told by the frame once the customer talks: then the next page of the shop brings the frame back by itself. */
  #talking = false;

  constructor(host: string, agentId: string, label: string) {
    this.#host = host;
    this.#agentId = agentId;
    this.#label = label;
    this.#build();
    addEventListener('message', (event: MessageEvent<unknown>) => this.#hear(event));
    const remembered = this.#recall();
    this.#talking = remembered !== undefined;
    if (this.#talking) this.#load();
    if (remembered === 'open') this.#show(false);
  }

  #build(): void {
    const shadow = this.#root.attachShadow({ mode: 'open' });
    // Constructed, so that a policy against inline styles has nothing to refuse.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    const launcher = this.#launcher;
    launcher.type = 'button';
    launcher.className = 'launcher';
    launcher.setAttribute('aria-haspopup', 'dialog');
    launcher.addEventListener('click', () => (this.#open ? this.#hide() : this.#show(true)));
    const dialog = this.#dialog;
    dialog.className = 'dialog';
    dialog.setAttribute('role', 'dialog');
    dialog.setAttribute('aria-label', this.#label);
    dialog.hidden = true;
    dialog.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#hide();
    });
    this.#frame.title = this.#label;
    // Its scripts and its own storage; it can't move the shop's page elsewhere.
    this.#frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms');
    this.#refused.className = 'refused';
    this.#refused.setAttribute('role', 'alert');
    this.#refused.hidden = true;
    dialog.append(this.#refused);
    shadow.append(launcher, dialog);
    this.#relabel();
    document.body.append(this.#root);
  }

  #relabel(): void {
    const news = this.#unread === 0 ? '' : ` (${this.#unread} new)`;
    this.#launcher.textContent = this.#open ? 'Close chat' : `${this.#label}${news}`;
    this.#launcher.setAttribute('aria-expanded', String(this.#open));
  }

  #load(): void {
    if (this.#frame.isConnected) return;
    // After the hash nothing is sent to a server; the frame needs to know to whom it may speak.
    this.#frame.src = `${this.#host}/widget/${this.#agentId}#shop=${encodeURIComponent(location.origin)}`;
    this.#dialog.prepend(this.#frame);
    const refuseIn = (delayMs: number) =>
      setTimeout(() => {
        if (!this.#ready) this.#refuse();
      }, delayMs);
    refuseIn(LOADED_WITHIN_MS);
    this.#frame.addEventListener('load', () => refuseIn(READY_AFTER_LOAD_MS), { once: true });
  }

  #refuse(): void {
    const words = document.createElement('p');
    words.textContent = 'Chat is not available on this page.';
    const close = document.createElement('button');
    close.type = 'button';
    close.textContent = 'Close';
    close.addEventListener('click', () => this.#hide());
    this.#refused.replaceChildren(words, close);
    this.#refused.hidden = false;
    this.#frame.hidden = true;
    this.#frame.style.display = 'none';
  }

  #show(byPerson: boolean): void {
    this.#load();
    this.#open = true;
    this.#root.toggleAttribute('open', true);
    this.#dialog.hidden = false;
    this.#takeFocus = byPerson;
    if (byPerson) this.#frame.focus();
    this.#say({ floorwalker: 'shown', focus: byPerson });
    this.#changed();
  }

  #hide(): void {
    this.#open = false;
    this.#root.toggleAttribute('open', false);
    this.#dialog.hidden = true;
    this.#say({ floorwalker: 'hidden' });
    this.#changed();
    this.#launcher.focus();
  }

  #hear({ origin, source, data }: MessageEvent<unknown>): void {
    if (origin !== this.#host || source !== this.#frame.contentWindow) return;
    const message = readFromFrame(data);
    if (message?.floorwalker === 'ready') {
      this.#ready = true;
      if (this.#open) this.#say({ floorwalker: 'shown', focus: this.#takeFocus });
    } else if (message?.floorwalker === 'close') {
      this.#hide();
    } else if (message?.floorwalker === 'state') {
      this.#talking = message.talking;
      this.#unread = this.#open ? 0 : message.unread;
      this.#changed();
    }
  }

  #say(message: FromShop): void {
    if (this.#ready) this.#frame.contentWindow?.postMessage(message, this.#host);
  }

  #changed(): void {
    this.#relabel();
    this.#remember(this.#talking ? (this.#open ? 'open' : 'closed') : undefined);
  }

  get #key(): string {
    return `floorwalker.widget.${this.#agentId}`;
  }

  #recall(): string | undefined {
    try {
      return sessionStorage.getItem(this.#key) ?? undefined;
    } catch {
      return undefined;
    }
  }

  #remember(state: 'open' | 'closed' | undefined): void {
    try {
      if (state === undefined) sessionStorage.removeItem(this.#key);
      else sessionStorage.setItem(this.#key, state);
    } catch {
      // Without storage the chat has to be opened again on the next page.
    }
  }
}

function start(): void {
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement)) return;
  const { agent, label } = script.dataset;
  if (agent === undefined || !/^[0-9a-f-]{36}$/i.test(agent)) {
    console.error('floorwalker: the script tag needs data-agent="<id of a public chat agent>"');
    return;
  }
  const make = () => new Widget(new URL(script.src).origin, agent, label || 'Chat with us');
  if (document.body) make();
  else document.addEventListener('DOMContentLoaded', make, { once: true });
}

start();
