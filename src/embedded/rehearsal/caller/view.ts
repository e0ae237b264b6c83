import type { CallerEvent, ReceivedText, Sound } from './events.ts';

/** Louder than this is sound: codecs' comfort noise is far below, soft speech above. */
export const SOUND_DB = -45;
const KEPT_SOUNDS = 90_000; // Half an hour.

export interface WaitOptions {
  /** Default 20,000. */
  readonly deadlineMs?: number;
  /** What is awaited, for the error message. */
  readonly what?: string;
}

/** What a customer has read and heard so far, and waiting for more of it. */
export class CallerView {
  readonly texts: ReceivedText[] = [];
  /** What speech recognition made of the customer's own words. */
  readonly transcripts: { readonly at: number; readonly text: string; readonly final: boolean }[] = [];
  readonly acknowledged = new Set<string>();
  /** What was said before this customer (re)joined. */
  history: { readonly id: string; readonly role: string; readonly text: string }[] = [];
  /** Each history that came, and from which agent. */
  readonly histories: (CallerEvent & { readonly type: 'history' })[] = [];
  /** Agents in the room now, oldest first. */
  readonly agents: string[] = [];
  /** Every agent that was ever seen. */
  readonly agentsSeen: string[] = [];
  /** Of the agent. */
  readonly sounds: Sound[] = [];
  /** Of people: a supervisor who has taken the call over. */
  readonly voices: Sound[] = [];
  /** Places in the queue that this customer was told, each once in a row. */
  readonly queuePlaces: number[] = [];
  agentTrackAt: number | undefined;
  disconnected: { readonly at: number; readonly reason: string } | undefined;
  readonly #waiting = new Set<() => void>();

  apply(event: CallerEvent): void {
    this.#take(event);
    for (const check of [...this.#waiting]) check();
  }

  #take(event: CallerEvent): void {
    switch (event.type) {
      case 'text': {
        const known = this.texts.find(({ id }) => id === event.id);
        if (known) known.text += event.added;
        else {
          const { id, from, role, added } = event;
          this.texts.push({ id, from, role, at: event.at, text: added, final: false, finishedAt: undefined });
        }
        return;
      }
      case 'textEnd': {
        const known = this.texts.find(({ id }) => id === event.id);
        if (known) Object.assign(known, { final: true, finishedAt: event.at });
        return;
      }
      case 'transcript':
        this.transcripts.push({ at: event.at, text: event.text, final: event.final });
        return;
      case 'ack':
        this.acknowledged.add(event.id);
        return;
      case 'history':
        this.history = event.items;
        this.histories.push(event);
        return;
      case 'agentJoined':
        if (!this.agents.includes(event.identity)) this.agents.push(event.identity);
        if (!this.agentsSeen.includes(event.identity)) this.agentsSeen.push(event.identity);
        return;
      case 'agentLeft':
        this.agents.splice(
          0,
          this.agents.length,
          ...this.agents.filter((identity) => identity !== event.identity),
        );
        return;
      case 'agentTrack':
        this.agentTrackAt ??= event.at;
        return;
      case 'sound':
        this.#keep(event.agent ? this.sounds : this.voices, event);
        return;
      case 'queue':
        if (this.queuePlaces.at(-1) !== event.position) this.queuePlaces.push(event.position);
        return;
      case 'disconnected':
        this.disconnected = { at: event.at, reason: event.reason };
        return;
    }
  }

  #keep(sounds: Sound[], { at, identity, levelDb }: Sound): void {
    sounds.push({ at, identity, levelDb });
    if (sounds.length > KEPT_SOUNDS) sounds.splice(0, 1_000);
  }

  /** Complete texts of the agent, oldest first. */
  get agentTexts(): string[] {
    return this.texts.filter(({ role, final }) => role === 'agent' && final).map(({ text }) => text);
  }

  /**
   * Resolves with the first truthy value of `predicate`, asked now and after whatever happens.
   *
   * @throws Error naming what was awaited and the last texts, when the deadline passes.
   */
  waitFor<T>(predicate: () => T | undefined | null | false, options: WaitOptions = {}): Promise<T> {
    const { deadlineMs = 20_000, what = 'what was expected' } = options;
    return new Promise<T>((resolve, reject) => {
      const finish = (end: () => void) => {
        clearTimeout(timer);
        clearInterval(clock);
        this.#waiting.delete(check);
        end();
      };
      const check = () => {
        try {
          const value = predicate();
          if (value) finish(() => resolve(value));
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const timer = setTimeout(() => {
        const error = new Error(`${what} did not come within ${deadlineMs} ms. ${this.#describe()}`);
        finish(() => reject(error));
      }, deadlineMs);
      // Predicates may also look at the clock or at something else than this view.
      const clock = setInterval(check, 100);
      this.#waiting.add(check);
      check();
    });
  }

  /** Waits for a complete text of the agent that matches and was begun after `since` (Date.now()). */
  waitForText(
    pattern: RegExp | string,
    options: WaitOptions & { since?: number } = {},
  ): Promise<ReceivedText> {
    const matches = (text: string) =>
      typeof pattern === 'string' ? text.includes(pattern) : new RegExp(pattern).test(text);
    return this.waitFor(
      () =>
        this.texts.find(
          ({ role, final, at, text }) =>
            role === 'agent' && final && at >= (options.since ?? 0) && matches(text),
        ),
      { what: `a text of the agent with ${String(pattern)}`, ...options },
    );
  }

  waitForAck(id: string, options: WaitOptions = {}): Promise<true> {
    return this.waitFor(() => this.acknowledged.has(id), {
      what: `the acknowledgement of ${id}`,
      ...options,
    });
  }

  /** When the agent was first heard after `since`; undefined while it was not. */
  firstSoundAfter(since: number): number | undefined {
    return this.sounds.find(({ at, levelDb }) => at > since && levelDb > SOUND_DB)?.at;
  }

  /** When the agent was last heard at all. */
  lastSound(): number | undefined {
    return this.sounds.findLast(({ levelDb }) => levelDb > SOUND_DB)?.at;
  }

  /** How much of the stretch was sound, in milliseconds. */
  soundBetweenMs(from: number, to: number): number {
    return this.sounds.filter(({ at, levelDb }) => at > from && at <= to && levelDb > SOUND_DB).length * 20;
  }

  waitForSound(since: number, options: WaitOptions = {}): Promise<number> {
    return this.waitFor(() => this.firstSoundAfter(since), { what: 'a sound from the agent', ...options });
  }

  /** Waits until the agent has been silent for `quietMs`; resolves with the moment at which it fell silent. */
  waitForQuiet(quietMs: number, options: WaitOptions = {}): Promise<number> {
    const began = Date.now();
    return this.waitFor(
      () => {
        const last = this.lastSound() ?? began;
        return Date.now() - Math.max(last, began) >= quietMs ? last : undefined;
      },
      { what: `${quietMs} ms of silence from the agent`, ...options },
    );
  }

  #describe(): string {
    const texts = this.texts
      .slice(-5)
      .map(({ role, text, final }) => `${role}${final ? '' : ' (unfinished)'}: ${text}`);
    const end = this.disconnected ? ` Disconnected: ${this.disconnected.reason}.` : '';
    return `Agents here: ${this.agents.join(', ') || 'none'}. Last texts: ${texts.join(' | ') || 'none'}.${end}`;
  }
}
