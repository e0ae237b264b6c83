import type { ConversationState } from '../conversation/conversation.ts';
import type { Line } from '../conversation/transcript.ts';
import { el, setText } from './dom.ts';

/** Closer to the end than this, the newest line is kept in view. */
const NEAR_END_PX = 80;

interface Shown {
  readonly item: HTMLLIElement;
  readonly text: HTMLElement;
  readonly note: HTMLElement;
  line: Line | undefined;
}

/**
 * The lines of a conversation. Sighted people see words as they come; a screen reader is told a line once it
 * is complete, through a live region of its own, because a growing line would be read over and over.
 */
export class TranscriptView {
  readonly node: HTMLElement;
  readonly #list = el('ol', { class: 'lines' });
  readonly #announcer = el('div', { class: 'visually-hidden', role: 'log', 'aria-live': 'polite' });
  readonly #scroller: HTMLElement;
  readonly #shown = new Map<string, Shown>();
  readonly #announced = new Set<string>();
  #names: (from: Line['from']) => string = () => '';

  constructor(label: string) {
    this.#scroller = el(
      'div',
      { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': label },
      this.#list,
    );
    this.node = el('div', { class: 'transcript' }, this.#scroller, this.#announcer);
  }

  show({ lines, agent, supervisor }: ConversationState): void {
    this.#names = (from) => {
      if (from === 'customer') return 'You';
      if (from === 'agent') return agent.name;
      return supervisor || 'A member of the team';
    };
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const follow = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.#remove(lines);
    for (const [index, line] of lines.entries()) this.#place(line, index);
    if (follow) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #remove(lines: readonly Line[]): void {
    const ids = new Set(lines.map(({ id }) => id));
    for (const [id, { item }] of this.#shown) {
      if (ids.has(id)) continue;
      item.remove();
      this.#shown.delete(id);
    }
  }

  #place(line: Line, index: number): void {
    const shown = this.#shown.get(line.id) ?? this.#create(line);
    if (this.#list.children[index] !== shown.item) {
      this.#list.insertBefore(shown.item, this.#list.children[index] ?? null);
    }
    if (shown.line === line) return;
    shown.line = line;
    shown.item.dataset.state = line.state;
    setText(shown.text, line.text);
    setText(shown.note, NOTES[line.state]);
    this.#announce(line);
  }

  #create(line: Line): Shown {
    const text = el('p', { class: 'words' });
    const note = el('p', { class: 'note' });
    const kind = line.from === 'agent' ? ' · AI' : line.from === 'supervisor' ? ' · human' : '';
    const who = el('p', { class: 'who' }, this.#names(line.from), el('span', { class: 'kind' }, kind));
    const item = el('li', { class: `line ${line.from}` }, who, text, note);
    const shown = { item, text, note, line: undefined };
    this.#shown.set(line.id, shown);
    return shown;
  }

  #announce(line: Line): void {
    if (line.from === 'customer' || line.state === 'speaking' || this.#announced.has(line.id)) return;
    this.#announced.add(line.id);
    this.#announcer.append(el('p', {}, `${this.#names(line.from)}: ${line.text}`));
    while (this.#announcer.childElementCount > 20) this.#announcer.firstElementChild?.remove();
  }
}

const NOTES: Record<Line['state'], string> = {
  sending: 'Sending…',
  done: '',
  speaking: '',
  broken: 'Broke off here.',
};
