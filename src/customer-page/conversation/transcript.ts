export type Speaker = 'customer' | 'agent' | 'supervisor';

export interface Line {
  /** Stays the same while the line grows. */
  readonly id: string;
  readonly from: Speaker;
  readonly text: string;
  /** `sending`: no agent has stored it yet. `speaking`: more of it is to come. `broken`: it never ended. */
  readonly state: 'sending' | 'done' | 'speaking' | 'broken';
}

export interface Said {
  readonly id: string;
  readonly role: string;
  readonly text: string;
}

/** The prefix under which an agent stores the messages that a customer wrote (see `chat-input.ts`). */
const WRITTEN = 'customer:';

/**
 * What the customer's page shows of the conversation: what they wrote, what they hear, and, after a reload,
 * what the agent says was said before. The agent's history comes under other ids than the streams that the
 * page followed itself, so lines are recognised by who said them and what.
 */
export class Transcript {
  #lines: Line[] = [];

  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** Adds a line, or replaces the one with this id. */
  put(line: Line): void {
    const index = this.#lines.findIndex(({ id }) => id === line.id);
    if (index < 0) this.#lines = [...this.#lines, line];
    else this.#lines = this.#lines.with(index, line);
  }

  append(id: string, from: Speaker, added: string): void {
    const known = this.#lines.find((line) => line.id === id);
    this.put({ id, from, text: (known?.text ?? '') + added, state: 'speaking' });
  }

  settle(id: string, state: 'done' | 'broken'): void {
    const known = this.#lines.find((line) => line.id === id);
    if (!known) return;
    // A stream that ended without a word is nothing to show.
    if (known.text.trim() === '') this.#lines = this.#lines.filter((line) => line.id !== id);
    else this.put({ ...known, state });
  }

  /** The agent that was speaking is gone; what it had begun to say stays as it is. */
  breakOff(): void {
    for (const { id, state } of this.#lines) if (state === 'speaking') this.settle(id, 'broken');
  }

  /**
   * History is right about everything it has; what is newer stays behind it. What broke off and is not in it is said
   * again by whoever goes on, so it goes: nobody is to read it twice.
   */
  merge(history: readonly Said[]): void {
    const left = [...this.#lines];
    const said = history.flatMap(({ id, role, text }): Line[] => {
      if (!isSpeaker(role)) return [];
      const own = id.startsWith(WRITTEN) ? id.slice(WRITTEN.length) : id;
      const index = left.findIndex((line) => line.id === own || sameWords(line, role, text));
      const known = index < 0 ? undefined : left.splice(index, 1)[0];
      if (known?.state === 'speaking') return [known];
      return [{ id: known?.id ?? own, from: role, text, state: 'done' }];
    });
    this.#lines = [...said, ...left.filter(({ from, state }) => from !== 'agent' || state !== 'broken')];
  }
}

function isSpeaker(role: string): role is Speaker {
  return role === 'customer' || role === 'agent' || role === 'supervisor';
}

/** A line that broke off counts as the one that history has complete; what is being sent is known by its id. */
function sameWords(line: Line, role: Speaker, text: string): boolean {
  if (line.from !== role || line.state === 'sending') return false;
  const [shown, stored] = [words(line.text), words(text)];
  if (line.state === 'done') return shown === stored;
  return shown !== '' && (stored.startsWith(shown) || shown.startsWith(stored));
}

function words(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
