import { type Api, answer, type Schemas } from '../client/api.ts';
import { asProblem, type Problem } from '../client/problem.ts';
import type { Interaction, LiveEvent, LiveMessage, Role, ToolCall } from '../live/events.ts';
import type { Live } from '../live/live.ts';
import { allPages } from '../live/load-floor.ts';
import { EMPTY_TRACK, extendTrack, type Track } from '../live/track.ts';

export interface Message {
  readonly itemId: string;
  /** Its place in the conversation; `null` while it is being said. */
  readonly seq: number | null;
  readonly role: Role;
  readonly content: string;
  readonly final: boolean;
  readonly interrupted: boolean;
  readonly atMs: number;
}

export type Call = ToolCall & Partial<Pick<Schemas['ToolCall'], 'id' | 'refusal_reason'>>;

export interface ConversationState {
  readonly loading: boolean;
  readonly problem: Problem | null;
  readonly interaction: (Interaction & Partial<Pick<Schemas['InteractionDetail'], 'archive'>>) | null;
  /** In the order of the conversation, unfinished ones last. */
  readonly messages: readonly Message[];
  readonly calls: readonly Call[];
  readonly track: Track;
  /** Counts what may have left traces: decisions, calls, takeovers. */
  readonly happened: number;
}

/** What is being said is followed by its end within seconds; if not, its speaker has died. */
const INTERIM_LASTS_MS = 20_000;

const EMPTY: ConversationState = {
  loading: true,
  problem: null,
  interaction: null,
  messages: [],
  calls: [],
  track: EMPTY_TRACK,
  happened: 0,
};

function byPlace(a: Message, b: Message): number {
  if (a.seq === null || b.seq === null)
    return Number(a.seq === null) - Number(b.seq === null) || a.atMs - b.atMs;
  return a.seq - b.seq;
}

/** One interaction as its page shows it: loaded once, then followed. Events that come while it loads are kept. */
export class Conversation {
  readonly #id: string;
  readonly #api: Api;
  readonly #live: Live;
  readonly #told = new Set<() => void>();
  readonly #messages = new Map<string, Message>();
  readonly #calls = new Map<string, Call>();
  #state: ConversationState = EMPTY;
  #waiting: LiveEvent[] | null = null;
  #ends: (() => void)[] = [];
  #loading: AbortController | undefined;

  constructor(id: string, api: Api, live: Live) {
    this.#id = id;
    this.#api = api;
    this.#live = live;
  }

  readonly subscribe = (tell: () => void): (() => void) => {
    this.#told.add(tell);
    return () => this.#told.delete(tell);
  };

  readonly state = (): ConversationState => this.#state;

  start(): void {
    this.#ends = [
      this.#live.onEvent((event) => this.#take(event)),
      // What was missed can't be told: everything anew.
      this.#live.onReload(() => void this.load()),
    ];
    void this.load();
  }

  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#loading?.abort();
  }

  async load(): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#waiting = [];
    try {
      const path = { path: { id: this.#id } };
      const { signal } = loading;
      const [interaction, messages, calls, track] = await Promise.all([
        answer(this.#api.GET('/v1/interactions/{id}', { params: path, signal })),
        allPages((cursor) => {
          const query = { limit: 200, ...(cursor ? { cursor } : {}) };
          return answer(
            this.#api.GET('/v1/interactions/{id}/messages', { params: { ...path, query }, signal }),
          );
        }),
        answer(this.#api.GET('/v1/interactions/{id}/tool-calls', { params: path, signal })),
        answer(this.#api.GET('/v1/interactions/{id}/track', { params: path, signal })),
      ]);
      if (signal.aborted) return;
      this.#messages.clear();
      this.#calls.clear();
      for (const { item_id, seq, role, content, interrupted, spoken_at, created_at } of messages) {
        const atMs = Date.parse(spoken_at ?? created_at);
        this.#messages.set(item_id, { itemId: item_id, seq, role, content, final: true, interrupted, atMs });
      }
      for (const call of calls.data) this.#calls.set(call.call_id, call);
      const waiting: readonly LiveEvent[] = this.#waiting ?? [];
      this.#waiting = null;
      this.#state = {
        ...this.#state,
        loading: false,
        problem: null,
        interaction,
        track: { ...track, feedText: track.feed_text ?? '' },
        happened: this.#state.happened + 1,
      };
      for (const event of waiting) this.#apply(event);
      this.#publish({});
    } catch (error) {
      if (loading.signal.aborted) return;
      this.#waiting = null;
      this.#publish({ loading: false, problem: asProblem(error) });
    }
  }

  #take(event: LiveEvent): void {
    if (!this.#concerns(event)) return;
    if (this.#waiting) this.#waiting.push(event);
    else this.#apply(event);
  }

  #concerns(event: LiveEvent): boolean {
    switch (event.kind) {
      case 'message':
        return event.message.interaction_id === this.#id;
      case 'tool_call':
        return event.call.interaction_id === this.#id;
      case 'metrics':
        return event.metrics.interaction_id === this.#id;
      case 'interaction':
        return event.interaction.id === this.#id;
      case 'permission':
        return event.permission.interaction_id === this.#id;
      default:
        return false;
    }
  }

  #apply(event: LiveEvent): void {
    if (event.kind === 'message') {
      this.#say(event.message);
      this.#publish({});
    } else if (event.kind === 'tool_call') {
      this.#calls.set(event.call.call_id, { ...this.#calls.get(event.call.call_id), ...event.call });
      this.#publish({ happened: this.#state.happened + 1 });
    } else if (event.kind === 'metrics') {
      const { timestamp, satisfaction_score: score, sentiment, feed_text: feedText } = event.metrics;
      const at = { seconds: Date.parse(timestamp) / 1_000, score, sentiment, feedText };
      this.#publish({ track: extendTrack(this.#state.track, at) });
    } else if (event.kind === 'interaction') {
      const { interaction } = event;
      const ended = interaction.ended_at !== null && this.#state.interaction?.ended_at === null;
      this.#publish({
        interaction: { ...this.#state.interaction, ...interaction },
        happened: this.#state.happened + 1,
      });
      // Its summary comes with its end, or a moment later.
      if (ended) setTimeout(() => void this.load(), 1_500);
    } else {
      this.#publish({ happened: this.#state.happened + 1 });
    }
  }

  #say(message: LiveMessage): void {
    const { item_id: itemId, seq, role, content, final, interrupted, spoken_at } = message;
    const known = this.#messages.get(itemId);
    // An interim part that was overtaken by its own end.
    if (known?.final && !final) return;
    const now = this.#live.now();
    const atMs = spoken_at ? Date.parse(spoken_at) : (known?.atMs ?? now);
    this.#messages.set(itemId, { itemId, seq, role, content, final, interrupted, atMs });
    for (const { itemId: old, final: said, atMs: since } of [...this.#messages.values()]) {
      if (!said && old !== itemId && now - since > INTERIM_LASTS_MS) this.#messages.delete(old);
    }
  }

  #publish(change: Partial<ConversationState>): void {
    const messages = [...this.#messages.values()].sort(byPlace);
    const calls = [...this.#calls.values()].sort(
      (a, b) => Date.parse(a.requested_at) - Date.parse(b.requested_at),
    );
    this.#state = { ...this.#state, messages, calls, ...change };
    for (const tell of [...this.#told]) tell();
  }
}
