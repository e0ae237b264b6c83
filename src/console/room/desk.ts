import { type Api, answer } from '../client/api.ts';
import { asProblem, Problem } from '../client/problem.ts';
import type { Interaction } from '../live/events.ts';
import type { Live } from '../live/live.ts';
import type { JoinedRoom, Leaving } from './join-room.ts';

export type SeatMode = 'control' | 'monitor';

/** One room this person is in, or tries to be in. */
export interface Seat {
  readonly interactionId: string;
  readonly mode: SeatMode;
  readonly channel: Interaction['channel'];
  /** `elsewhere`: the same person has entered it from another window. */
  readonly phase: 'joining' | 'joined' | 'reconnecting' | 'elsewhere' | 'failed';
  readonly problem: Problem | null;
  readonly joined: JoinedRoom | null;
}

export interface DeskDeps {
  readonly api: Api;
  readonly live: Live;
  readonly userId: string;
}

const REJOIN_MS = 1_500;

/** The rooms of this person. They stay while the page shows something else, and are entered again after a reload. */
export class Desk {
  readonly #deps: DeskDeps;
  readonly #seats = new Map<string, Seat>();
  readonly #told = new Set<() => void>();
  #list: readonly Seat[] = [];
  #ends: (() => void)[] = [];
  #stopped = true;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  readonly subscribe = (tell: () => void): (() => void) => {
    this.#told.add(tell);
    return () => this.#told.delete(tell);
  };

  readonly seats = (): readonly Seat[] => this.#list;

  seat(interactionId: string): Seat | undefined {
    return this.#seats.get(interactionId);
  }

  start(): void {
    const { live } = this.#deps;
    this.#stopped = false;
    this.#ends = [
      live.onEvent((event) => {
        if (event.kind === 'interaction') this.#follow(event.interaction);
      }),
      live.listen('connection', () => {
        if (live.loaded) for (const interaction of live.openInteractions()) this.#follow(interaction);
      }),
    ];
  }

  stop(): void {
    this.#stopped = true;
    for (const end of this.#ends.splice(0)) end();
    for (const { interactionId } of [...this.#seats.values()]) this.#clear(interactionId);
  }

  /** @throws Problem `control_held` when somebody else has it */
  async takeOver(interaction: Interaction, insist = false): Promise<void> {
    const { id, channel } = interaction;
    const path = { path: { id } };
    const asked = this.#deps.api.POST('/v1/interactions/{id}/takeover', { params: path, body: { insist } });
    await this.#enter(id, 'control', channel, () => answer(asked));
  }

  /** Hears everybody and is heard and seen by nobody. @throws Problem */
  async monitor({ id, channel }: Interaction): Promise<void> {
    const asked = this.#deps.api.POST('/v1/interactions/{id}/monitor', { params: { path: { id } } });
    await this.#enter(id, 'monitor', channel, () => answer(asked));
  }

  /** @throws Problem */
  async handBack(interactionId: string, note: string): Promise<void> {
    const body = note === '' ? {} : { note };
    const params = { path: { id: interactionId } };
    await answer(this.#deps.api.POST('/v1/interactions/{id}/handback', { params, body }));
    this.#clear(interactionId);
  }

  leave(interactionId: string): void {
    this.#clear(interactionId);
  }

  async #enter(
    interactionId: string,
    mode: SeatMode,
    channel: Interaction['channel'],
    ask: () => Promise<{ url: string; token: string }>,
  ): Promise<void> {
    const before = this.#seats.get(interactionId)?.joined;
    const seat: Seat = { interactionId, mode, channel, phase: 'joining', problem: null, joined: null };
    this.#set(seat);
    try {
      const [place, { joinRoom }] = await Promise.all([ask(), import('./join-room.ts')]);
      await before?.leave();
      const joined = await joinRoom(place, {
        onReconnecting: () => this.#change(seat, { phase: 'reconnecting' }),
        onReconnected: () => this.#change(seat, { phase: 'joined' }),
        onLeft: (how) => this.#left(interactionId, mode, how),
      });
      if (this.#stopped || this.#seats.get(interactionId)?.phase !== 'joining') return await joined.leave();
      this.#set({ ...seat, phase: 'joined', joined });
      if (mode === 'control' && channel === 'voice') await this.#openMicrophone(seat, joined);
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status > 0) {
        this.#clear(interactionId);
        throw problem;
      }
      this.#set({ ...seat, phase: 'failed', problem });
    }
  }

  async #openMicrophone(seat: Seat, joined: JoinedRoom): Promise<void> {
    try {
      await joined.room.localParticipant.setMicrophoneEnabled(true);
    } catch {
      const remedy = 'Allow it in the browser’s settings for this page, or choose another device.';
      this.#change(seat, {
        problem: new Problem(0, 'no_microphone', 'The microphone can’t be used.', remedy),
      });
    }
  }

  /** The database says who has control; rooms follow it. */
  #follow(interaction: Interaction): void {
    const { id, ended_at, control, controlled_by } = interaction;
    const seat = this.#seats.get(id);
    const mine = ended_at === null && control === 'supervisor' && controlled_by === this.#deps.userId;
    if (seat) {
      if (ended_at !== null || (seat.mode === 'control' && !mine && seat.phase !== 'joining'))
        this.#clear(id);
      return;
    }
    // Taken over before this page was loaded.
    if (mine) this.takeOver(interaction).catch(() => {});
  }

  #left(interactionId: string, mode: SeatMode, how: Leaving): void {
    const seat = this.#seats.get(interactionId);
    if (!seat) return;
    if (how === 'elsewhere') {
      this.#set({ ...seat, phase: 'elsewhere', joined: null });
      return;
    }
    if (how !== 'broken') {
      this.#clear(interactionId);
      return;
    }
    this.#set({ ...seat, phase: 'reconnecting', joined: null });
    setTimeout(() => {
      const interaction = this.#deps.live.interaction(interactionId);
      if (this.#stopped || this.#seats.get(interactionId)?.phase !== 'reconnecting') return;
      if (!interaction) {
        this.#clear(interactionId);
        return;
      }
      const again = mode === 'control' ? this.takeOver(interaction) : this.monitor(interaction);
      again.catch(() => this.#clear(interactionId));
    }, REJOIN_MS);
  }

  #change(seat: Seat, change: Partial<Seat>): void {
    const current = this.#seats.get(seat.interactionId);
    if (current && current.mode === seat.mode) this.#set({ ...current, ...change });
  }

  #set(seat: Seat): void {
    this.#seats.set(seat.interactionId, seat);
    this.#publish();
  }

  #clear(interactionId: string): void {
    const seat = this.#seats.get(interactionId);
    if (!seat) return;
    this.#seats.delete(interactionId);
    seat.joined?.leave().catch(() => {});
    this.#publish();
  }

  #publish(): void {
    this.#list = [...this.#seats.values()];
    for (const tell of [...this.#told]) tell();
  }
}
