import type { Api } from '../client/api.ts';
import { type Connection, EventStream } from './event-stream.ts';
import {
  type Agent,
  type Callback,
  type Interaction,
  type LiveEvent,
  type Permission,
  type Role,
  readEvent,
} from './events.ts';
import { type LoadedFloor, loadFloor } from './load-floor.ts';
import { Topics } from './topics.ts';
import { EMPTY_TRACK, extendTrack, type Track } from './track.ts';

export interface Speech {
  readonly role: Role;
  /** By the server's clock. */
  readonly atMs: number;
  /** False while they are still speaking. */
  readonly final: boolean;
}

export interface LiveDeps {
  readonly api: Api;
  readonly accessToken: () => Promise<string>;
}

/** What changes is told under these names, or under `of(id)` for one interaction. */
export const FLOOR = 'floor';
export const CONNECTION = 'connection';
export const AGENTS = 'agents';
export const CALLBACKS = 'callbacks';
export const of = (interactionId: string): string => `interaction ${interactionId}`;

const isOpen = ({ status }: Interaction): boolean => status === 'queued' || status === 'active';

/**
 * The floor as it is now: what was loaded, brought up to date by the stream of events. The stream is opened first and
 * the state loaded after, so that nothing can happen in between; what arrives meanwhile is applied when it is there.
 */
export class Live {
  readonly #deps: LiveDeps;
  readonly #stream: EventStream;
  readonly #topics = new Topics();
  readonly #events = new Set<(event: LiveEvent) => void>();
  readonly #reloads = new Set<() => void>();
  readonly #interactions = new Map<string, Interaction>();
  readonly #agents = new Map<string, Agent>();
  readonly #permissions = new Map<string, Permission>();
  readonly #callbacks = new Map<string, Callback>();
  readonly #tracks = new Map<string, Track>();
  readonly #speech = new Map<string, Speech>();
  #connection: Connection = { state: 'connecting' };
  #loaded = false;
  #resumed = false;
  #loading: AbortController | undefined;
  #waiting: LiveEvent[] = [];
  #clockAheadMs = 0;

  constructor(deps: LiveDeps) {
    this.#deps = deps;
    this.#stream = new EventStream({
      open: (lastEventId, signal) => this.#open(lastEventId, signal),
      onEvent: (message) => {
        const event = readEvent(message);
        if (event) this.#take(event);
      },
      onConnection: (connection) => this.#connect(connection),
    });
  }

  start(): void {
    this.#stream.start();
  }

  stop(): void {
    this.#stream.stop();
    this.#loading?.abort();
    this.#loading = undefined;
  }

  renew(): void {
    this.#stream.renew();
  }

  goOffline(): void {
    this.#stream.goOffline();
  }

  listen(topic: string, tell: () => void): () => void {
    return this.#topics.listen(topic, tell);
  }

  version(topic: string): number {
    return this.#topics.version(topic);
  }

  /** Each event as it is applied, in order; events of before the loaded state included. */
  onEvent(listener: (event: LiveEvent) => void): () => void {
    this.#events.add(listener);
    return () => this.#events.delete(listener);
  }

  /** After the state was loaded anew: what happened in between was not told. */
  onReload(listener: () => void): () => void {
    this.#reloads.add(listener);
    return () => this.#reloads.delete(listener);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** False until the first state is there. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The server's time: deadlines are its own. */
  now(): number {
    return Date.now() + this.#clockAheadMs;
  }

  interaction(id: string): Interaction | undefined {
    return this.#interactions.get(id);
  }

  agent(id: string): Agent | undefined {
    return this.#agents.get(id);
  }

  openInteractions(): Interaction[] {
    return [...this.#interactions.values()];
  }

  agents(): Agent[] {
    return [...this.#agents.values()];
  }

  callbacks(): Callback[] {
    return [...this.#callbacks.values()];
  }

  track(id: string): Track {
    return this.#tracks.get(id) ?? EMPTY_TRACK;
  }

  speech(id: string): Speech | undefined {
    return this.#speech.get(id);
  }

  pending(): Permission[] {
    return [...this.#permissions.values()];
  }

  pendingOf(id: string): Permission[] {
    const own = this.pending().filter((permission) => permission.interaction_id === id);
    return own.sort((a, b) => a.expires_at.localeCompare(b.expires_at));
  }

  /** What a request has just answered need not wait for its event. */
  settle(event: LiveEvent): void {
    this.#apply(event);
  }

  #connect(connection: Connection): void {
    this.#connection = connection;
    this.#topics.touch(CONNECTION);
  }

  async #open(lastEventId: string | undefined, signal: AbortSignal): Promise<Response> {
    const authorization = `Bearer ${await this.#deps.accessToken()}`;
    const headers: Record<string, string> = { accept: 'text/event-stream', authorization };
    if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
    this.#resumed = this.#loaded && lastEventId !== undefined;
    return fetch('/v1/events', { headers, signal, cache: 'no-store' });
  }

  #take(event: LiveEvent): void {
    if (event.kind === 'ready') {
      this.#clockAheadMs = Date.parse(event.at) - Date.now();
      // Without an id to go on from, what happened since is not among the events that follow.
      if (!this.#resumed) void this.#load();
      return;
    }
    if (event.kind === 'reset') {
      void this.#load();
      return;
    }
    if (event.kind === 'delayed' || event.kind === 'caught-up') {
      this.#connect({ state: event.kind === 'delayed' ? 'delayed' : 'live' });
      return;
    }
    if (this.#loading) this.#waiting.push(event);
    else this.#apply(event);
  }

  async #load(): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#waiting = [];
    try {
      const floor = await loadFloor(this.#deps.api, loading.signal);
      if (loading.signal.aborted) return;
      const first = !this.#loaded;
      this.#replace(floor);
      this.#loading = undefined;
      for (const event of this.#waiting.splice(0)) this.#apply(event);
      if (!first) for (const listener of [...this.#reloads]) listener();
    } catch {
      if (loading.signal.aborted) return;
      // The connection that broke this will break the stream too, or the server says no to both: start anew.
      this.#loading = undefined;
      this.#connect({ state: 'lost', reason: 'broken' });
      setTimeout(() => {
        if (!this.#loading) void this.#load();
      }, 2_000);
    }
  }

  #replace(floor: LoadedFloor): void {
    const ids = new Set([...this.#interactions.keys(), ...floor.interactions.map(({ id }) => id)]);
    for (const map of [
      this.#interactions,
      this.#agents,
      this.#permissions,
      this.#callbacks,
      this.#tracks,
      this.#speech,
    ]) {
      map.clear();
    }
    for (const interaction of floor.interactions) this.#interactions.set(interaction.id, interaction);
    for (const agent of floor.agents) this.#agents.set(agent.id, agent);
    for (const permission of floor.permissions) this.#permissions.set(permission.id, permission);
    for (const callback of floor.callbacks) this.#callbacks.set(callback.id, callback);
    for (const [id, track] of floor.tracks) this.#tracks.set(id, track);
    for (const [id, speech] of floor.speech) this.#speech.set(id, speech);
    this.#loaded = true;
    if (this.#connection.state === 'lost') this.#connection = { state: 'live' };
    for (const topic of [FLOOR, AGENTS, CALLBACKS, CONNECTION, ...[...ids].map(of)])
      this.#topics.touch(topic);
  }

  #apply(event: LiveEvent): void {
    this.#change(event);
    for (const listener of [...this.#events]) listener(event);
  }

  #change(event: LiveEvent): void {
    switch (event.kind) {
      case 'interaction':
        this.#changeInteraction(event.interaction);
        break;
      case 'permission':
        this.#changePermission(event.permission);
        break;
      case 'metrics': {
        const { interaction_id: id, timestamp, sentiment, satisfaction_score, feed_text } = event.metrics;
        const at = {
          seconds: Date.parse(timestamp) / 1_000,
          score: satisfaction_score,
          sentiment,
          feedText: feed_text,
        };
        this.#tracks.set(id, extendTrack(this.track(id), at));
        this.#touch(id);
        break;
      }
      case 'message': {
        const { interaction_id: id, role, final } = event.message;
        if (role === 'system') break;
        this.#speech.set(id, { role, final, atMs: this.now() });
        this.#touch(id);
        break;
      }
      case 'agent':
        this.#agents.set(event.agent.id, event.agent);
        this.#topics.touch(AGENTS);
        break;
      case 'callback':
        if (event.callback.done_at !== null) this.#callbacks.delete(event.callback.id);
        else this.#callbacks.set(event.callback.id, event.callback);
        this.#topics.touch(CALLBACKS);
        break;
      default:
        break;
    }
  }

  #changeInteraction(interaction: Interaction): void {
    const { id } = interaction;
    if (interaction.kind === 'live' && isOpen(interaction)) {
      this.#interactions.set(id, interaction);
    } else {
      this.#interactions.delete(id);
      this.#tracks.delete(id);
      this.#speech.delete(id);
    }
    this.#touch(id);
  }

  #changePermission(permission: Permission): void {
    if (permission.status === 'pending') this.#permissions.set(permission.id, permission);
    else this.#permissions.delete(permission.id);
    this.#touch(permission.interaction_id);
  }

  #touch(id: string): void {
    this.#topics.touch(of(id));
    this.#topics.touch(FLOOR);
  }
}
