import type { LocalAudioTrack } from 'livekit-client';
import * as z from 'zod/mini';
import { type CustomerApi, type Join, type PublicAgent, Refusal } from '../api.ts';
import type { Memory } from './memory.ts';
import { Outbox } from './outbox.ts';
import { type LinkEnd, type LinkEvents, loadLiveKit, type People, RoomLink } from './room-link.ts';
import { type Line, Transcript } from './transcript.ts';

/**
 * `waiting`: nobody has taken it yet. `away`: the agent's connection broke, another one is on its way.
 * `lost`: ours did. `elsewhere`: the same conversation was opened in another tab.
 */
export type Phase =
  | 'joining'
  | 'waiting'
  | 'talking'
  | 'away'
  | 'lost'
  | 'elsewhere'
  | 'ended'
  | 'unreachable';

export interface ConversationState {
  readonly phase: Phase;
  readonly agent: PublicAgent;
  readonly lines: readonly Line[];
  /** How many are served before this customer, while nobody has taken it. */
  readonly position: number | undefined;
  /** The human who has taken over; '' where no name is given. */
  readonly supervisor: string | undefined;
  readonly speaking: People['speaking'];
  readonly soundBlocked: boolean;
  /** It ended because of a fault of ours. */
  readonly failed: boolean;
}

const historySchema = z.array(z.object({ id: z.string(), role: z.string(), text: z.string() }));
/** How long an agent may be away before we ask whether the interaction is over, and how often we ask again. */
const AGENT_AWAY_MS = 1_000;
const ASK_AGAIN_MS = 5_000;
/** The API lets a customer back in for at most this long. */
const REJOIN_FOR_MS = 600_000;
const TELL_AT_MOST = 8;
const OVER = ['interaction_ended', 'interaction_not_found', 'resume_token_invalid'];

/** One interaction from the customer's side: joins, comes back after a lost connection, notices the end. */
export class CustomerConversation {
  readonly #api: CustomerApi;
  readonly #memory: Memory;
  readonly #key: { readonly id: string; readonly resumeToken: string };
  readonly #transcript = new Transcript();
  readonly #outbox: Outbox;
  readonly #listeners = new Set<(state: ConversationState) => void>();
  readonly #microphone: LocalAudioTrack | undefined;
  #state: ConversationState;
  #link: RoomLink | undefined;
  #left = false;
  #met = false;
  #agentHere = false;
  #askTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param memory holds the conversation that is to be continued; see `begin` */
  constructor(api: CustomerApi, memory: Memory, microphone?: LocalAudioTrack) {
    const { kept } = memory;
    if (!kept) throw new Error('there is no conversation to continue');
    this.#api = api;
    this.#memory = memory;
    this.#microphone = microphone;
    this.#key = { id: kept.interaction_id, resumeToken: kept.resume_token };
    this.#outbox = new Outbox(
      {
        send: async (message) => this.#link?.send(message),
        keep: (unstored) => memory.keep({ ...kept, unstored: [...unstored] }),
        now: () => Date.now(),
      },
      kept.unstored,
    );
    for (const { id, text } of kept.unstored)
      this.#transcript.put({ id, from: 'customer', text, state: 'sending' });
    this.#state = {
      phase: 'joining',
      agent: kept.agent,
      lines: this.#transcript.lines,
      position: undefined,
      supervisor: undefined,
      speaking: undefined,
      soundBlocked: false,
      failed: false,
    };
  }

  get state(): ConversationState {
    return this.#state;
  }

  /** @returns how to stop listening */
  onChange(listener: (state: ConversationState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** Joins with the place that was just made, or comes back after a reload. */
  async open(created?: Join): Promise<void> {
    if (created) this.#takePosition(created);
    await this.#comeBack(created);
  }

  write(text: string): void {
    const { id } = this.#outbox.write(text);
    this.#transcript.put({ id, from: 'customer', text, state: 'sending' });
    this.#showLines();
  }

  async allowSound(): Promise<void> {
    await this.#link?.allowSound();
  }

  async rate(score: number, comment: string): Promise<void> {
    await this.#api.rate(this.#key.id, this.#key.resumeToken, score, comment);
  }

  /** The customer goes, for good; what they had not sent is lost with them. */
  async leave(): Promise<void> {
    if (this.#left) return;
    const told = this.#tellThatItIsOver();
    await this.#finish('ended');
    await told;
  }

  /** Nobody who has ended a conversation is asked to wait for that; it is archived when we are reached again. */
  async #tellThatItIsOver(): Promise<void> {
    for (let attempt = 0; attempt < TELL_AT_MOST; attempt += 1) {
      try {
        return await this.#api.leave(this.#key.id, this.#key.resumeToken);
      } catch (error) {
        // Who is not reached at all waits for the customer as for one who lost their connection, and ends it then.
        if (!(error instanceof Refusal && error.passing)) return;
      }
      await pause(Math.min(500 * 2 ** attempt, 10_000));
    }
  }

  /** Another tab has the conversation; this one takes it back. */
  async takeBack(): Promise<void> {
    this.#change({ phase: 'joining' });
    await this.#comeBack();
  }

  #change(change: Partial<ConversationState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.#state);
  }

  #showLines(): void {
    this.#change({ lines: this.#transcript.lines });
  }

  #events(): LinkEvents {
    return {
      heard: (from, id, words) => {
        this.#transcript.append(id, from, words);
        this.#showLines();
      },
      settled: (id, how) => {
        this.#transcript.settle(id, how);
        this.#showLines();
      },
      understood: (id, text, final) => {
        this.#transcript.put({ id, from: 'customer', text, state: final ? 'done' : 'speaking' });
        this.#showLines();
      },
      acknowledged: (id) => {
        if (!this.#outbox.acknowledged(id)) return;
        this.#transcript.settle(id, 'done');
        this.#showLines();
      },
      history: (text) => {
        this.#transcript.merge(parseHistory(text));
        this.#showLines();
      },
      people: (people) => this.#seePeople(people),
      connection: (state) => {
        this.#change({ phase: state === 'lost' ? 'lost' : this.#phaseInRoom });
      },
      soundBlocked: (soundBlocked) => this.#change({ soundBlocked }),
      position: (position) => this.#takePosition({ position }),
      ended: (how) => void this.#linkEnded(how),
    };
  }

  get #phaseInRoom(): Phase {
    if (this.#agentHere) return 'talking';
    return this.#met ? 'away' : 'waiting';
  }

  #seePeople({ agentHere, supervisor, speaking }: People): void {
    if (this.#left) return;
    if (agentHere) {
      clearTimeout(this.#askTimer);
      if (!this.#agentHere) this.#outbox.agentAppeared();
      this.#agentHere = true;
      this.#met = true;
      this.#change({ phase: 'talking', position: undefined, supervisor, speaking });
      return;
    }
    this.#agentGone();
    this.#change({ supervisor, speaking });
    // At the end the agent leaves for good: only after a moment is its absence worth a word.
    this.#askWhetherOverIn(this.#met ? AGENT_AWAY_MS : ASK_AGAIN_MS);
  }

  #agentGone(): void {
    this.#agentHere = false;
    this.#outbox.agentGone();
    this.#transcript.breakOff();
    this.#showLines();
  }

  #askWhetherOverIn(delayMs: number): void {
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => void this.#askWhetherOver(), delayMs);
  }

  /** No agent is here: because all is said, because none is free yet, or because it died and another comes. */
  async #askWhetherOver(): Promise<void> {
    try {
      this.#takePosition(await this.#api.rejoin(this.#key.id, this.#key.resumeToken));
    } catch (error) {
      if (error instanceof Refusal && OVER.includes(error.code)) return this.#finish('ended', error.failed);
    }
    if (this.#left || this.#agentHere) return;
    this.#change({ phase: this.#phaseInRoom });
    this.#askWhetherOverIn(ASK_AGAIN_MS);
  }

  #takePosition({ position }: Pick<Join, 'position'>): void {
    if (!this.#met) this.#change({ position: position ?? undefined });
  }

  async #linkEnded(how: LinkEnd): Promise<void> {
    if (this.#left) return;
    clearTimeout(this.#askTimer);
    this.#agentGone();
    this.#change({ speaking: undefined, supervisor: undefined });
    if (how === 'elsewhere') return this.#change({ phase: 'elsewhere' });
    if (how === 'lost') this.#change({ phase: 'lost' });
    await this.#comeBack();
  }

  /** Until the customer is in the room again, or it turns out that there is nothing to come back to. */
  async #comeBack(first?: Join): Promise<void> {
    const until = Date.now() + REJOIN_FOR_MS;
    let place = first;
    for (let attempt = 0; Date.now() < until && !this.#left; attempt += 1) {
      try {
        place ??= await this.#api.rejoin(this.#key.id, this.#key.resumeToken);
        return await this.#join(place);
      } catch (error) {
        if (error instanceof Refusal && !error.passing) {
          return this.#finish(OVER.includes(error.code) ? 'ended' : 'unreachable', error.failed);
        }
        place = undefined;
        if (attempt > 0) this.#change({ phase: 'lost' });
      }
      await pause(Math.min(500 * 2 ** attempt, 10_000));
    }
    await this.#finish('unreachable');
  }

  async #join(place: Join): Promise<void> {
    const livekit = await loadLiveKit();
    await this.#link?.close();
    const link = new RoomLink(livekit, this.#key.id, this.#events());
    this.#link = link;
    try {
      await link.join(place, this.#microphone);
    } catch (error) {
      await link.close();
      throw error;
    }
    if (this.#left) return link.close();
    this.#change({ phase: this.#phaseInRoom });
    this.#takePosition(place);
  }

  async #finish(phase: 'ended' | 'unreachable', failed = false): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    clearTimeout(this.#askTimer);
    this.#outbox.close();
    this.#transcript.breakOff();
    this.#change({ phase, failed, lines: this.#transcript.lines, speaking: undefined });
    this.#microphone?.stop();
    await this.#link?.close();
    if (phase === 'ended') this.#memory.forget();
  }
}

/** Makes an interaction and remembers it, so that a reload finds it. @throws Refusal */
export async function begin(api: CustomerApi, memory: Memory, agent: PublicAgent): Promise<Join> {
  const created = await api.create(agent.id, agent.agent_type);
  const { interaction_id, resume_token } = created;
  memory.keep({ interaction_id, resume_token, agent, unstored: [] });
  return created;
}

function parseHistory(text: string): z.output<typeof historySchema> {
  try {
    return historySchema.safeParse(JSON.parse(text)).data ?? [];
  } catch {
    return [];
  }
}

/** Shorter when the browser says that the network is back. */
function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    addEventListener('online', done);
  });
}
