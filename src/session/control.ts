import { type RemoteParticipant, type Room, RoomEvent } from '@livekit/rtc-node';
import { parseSupervisorIdentity, supervisorIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Claim } from './claim.ts';
import { type Clock, within } from './clock.ts';
import type { InteractionStore, SessionNews, SessionServices } from './services.ts';

export interface ControlDeps {
  readonly claim: Claim;
  readonly room: Room;
  readonly interactions: InteractionStore;
  readonly leases: SessionServices['leases'];
  readonly rooms: SessionServices['rooms'];
  /** How long a person who has control may be out of the room before the agent goes on. */
  readonly graceMs: number;
  /** A person is said to have taken over: silent at once, until `onTaken` or `onUnfounded`. */
  onAnnounced(): void;
  /** Nobody had taken over after all. */
  onUnfounded(): void;
  /** A person has control: from now on the agent says nothing. Again when another person takes it from them. */
  onTaken(holder: Holder): void;
  /** The agent has control again; called when the person who had it can't speak in the room any more. */
  onReturned(why: 'handed_back' | 'dropped_out'): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The person who has control. */
export interface Holder {
  readonly id: string;
  readonly name: string;
}

/** A poll that was under way when the bell rang may have looked before it; the one after it has not. */
const POLLS_THAT_KNOW = 2;
const RELEASE_RETRY_MS = 1_000;
const EXPEL_MS = 2_000;

/**
 * Who speaks with the customer, agent or person, as the row says. A person who drops out of the room keeps
 * control for the grace period; a person in the room who is not the one in control is removed, so that a token
 * that is still good opens nothing.
 */
export class Control {
  readonly #deps: ControlDeps;
  #holder: Holder | undefined;
  #cancelGrace: (() => void) | undefined;
  #droppedOut = false;
  /** How many polls must say that the agent has control before an announced takeover counts as unfounded. */
  #polls = 0;
  #closed = false;

  constructor(deps: ControlDeps) {
    this.#deps = deps;
    // A recovered session is silent from its first moment when a person has control.
    this.#holder = deps.claim.holder ?? undefined;
  }

  /** The person who has control; undefined while it is the agent. */
  get holder(): Holder | undefined {
    return this.#holder;
  }

  start(): void {
    const { room } = this.#deps;
    room.on(RoomEvent.ParticipantConnected, this.#connected);
    room.on(RoomEvent.ParticipantDisconnected, this.#disconnected);
    if (this.#holder) this.#taken(this.#holder);
    for (const participant of room.remoteParticipants.values()) this.#connected(participant);
  }

  close(): void {
    this.#closed = true;
    const { room } = this.#deps;
    room.off(RoomEvent.ParticipantConnected, this.#connected);
    room.off(RoomEvent.ParticipantDisconnected, this.#disconnected);
    this.#cancelGrace?.();
  }

  /**
   * The bell of a takeover rang. Silence comes first and the row afterwards: to a person who begins to speak, the
   * time of a question to the database is long.
   */
  announced(): void {
    if (this.#closed || this.#holder) return;
    this.#polls = POLLS_THAT_KNOW;
    this.#deps.onAnnounced();
  }

  /** What the row says now, from the poll. */
  update(news: Pick<SessionNews, 'control' | 'controlled_by' | 'controlled_by_name'>): void {
    if (this.#closed) return;
    if (news.control === 'supervisor' && news.controlled_by !== null) {
      if (this.#holder?.id === news.controlled_by) return;
      this.#taken({ id: news.controlled_by, name: news.controlled_by_name ?? '' });
    } else if (this.#holder) {
      void this.#returned(this.#holder);
    } else if (this.#polls > 0) {
      this.#polls -= 1;
      if (this.#polls === 0) this.#deps.onUnfounded();
    }
  }

  /**
   * Whose text on `lk.chat` counts. A person's first words may be here before the news that they have control:
   * then the database is asked.
   */
  roleOf(identity: string): 'customer' | 'supervisor' | undefined | Promise<'supervisor' | undefined> {
    if (identity === this.#deps.claim.customerIdentity) return 'customer';
    const person = parseSupervisorIdentity(identity);
    if (person === undefined) return undefined;
    return this.#holder?.id === person ? 'supervisor' : this.#askAbout(person);
  }

  async #askAbout(person: string): Promise<'supervisor' | undefined> {
    // A poll that is under way may have looked before they took control; the second one begins after the first.
    for (let asked = 0; asked < 2 && this.#holder?.id !== person; asked += 1)
      await this.#deps.leases.refresh();
    return this.#holder?.id === person ? 'supervisor' : undefined;
  }

  #taken(holder: Holder): void {
    const before = this.#holder;
    this.#holder = holder;
    this.#droppedOut = false;
    this.#polls = 0;
    this.#deps.onTaken(holder);
    if (before && before.id !== holder.id) void this.#expel(before.id);
    if (this.#isHere(holder)) this.#cancelGrace?.();
    else this.#waitFor(holder, this.#deps.graceMs);
  }

  async #returned(holder: Holder): Promise<void> {
    const why = this.#droppedOut ? 'dropped_out' : 'handed_back';
    this.#holder = undefined;
    this.#droppedOut = false;
    this.#cancelGrace?.();
    // Nobody is talked over: the agent's first words come when the person can not be heard any more.
    await this.#expel(holder.id);
    if (!this.#closed && this.#holder === undefined) this.#deps.onReturned(why);
  }

  /** They have not come (back) yet: when the time is over, the agent goes on. */
  #waitFor(holder: Holder, delayMs: number): void {
    this.#cancelGrace?.();
    this.#cancelGrace = this.#deps.clock.after(delayMs, () => void this.#release(holder));
  }

  async #release(holder: Holder): Promise<void> {
    // A page that reloads can be back before LiveKit tells of its departure.
    if (this.#closed || this.#holder?.id !== holder.id || this.#isHere(holder)) return;
    const { claim, interactions, leases, log } = this.#deps;
    try {
      this.#droppedOut = true;
      const released = await interactions.releaseControl(claim, holder.id, 'grace_over');
      log.info({ released }, 'a supervisor did not come back');
      if (released && this.#holder?.id === holder.id) await this.#returned(holder);
      // Somebody else has it, or it was handed back in this moment.
      else await leases.refresh();
    } catch (err) {
      log.warn({ err }, 'control could not be given back yet');
      this.#waitFor(holder, RELEASE_RETRY_MS);
    }
  }

  readonly #connected = (participant: RemoteParticipant): void => {
    const person = parseSupervisorIdentity(participant.identity);
    if (person === undefined) return;
    if (this.#holder?.id === person) this.#cancelGrace?.();
    else void this.#refuse(person);
  };

  readonly #disconnected = (participant: RemoteParticipant): void => {
    const holder = this.#holder;
    if (holder && participant.identity === supervisorIdentity(holder.id)) {
      this.#waitFor(holder, this.#deps.graceMs);
    }
  };

  /** Either the news of their takeover is still on its way, or their token has outlived their control. */
  async #refuse(person: string): Promise<void> {
    if ((await this.#askAbout(person)) === 'supervisor' || this.#closed) return;
    this.#deps.log.info({ person }, 'a supervisor without control is removed from the room');
    await this.#expel(person);
  }

  async #expel(person: string): Promise<void> {
    const identity = supervisorIdentity(person);
    if (![...this.#deps.room.remoteParticipants.keys()].includes(identity)) return;
    const { claim, rooms, clock, log } = this.#deps;
    const removed = rooms.removeParticipant(claim.room, identity).catch((err: unknown) =>
      // The API removes them too, and they may have left.
      log.debug({ err }, 'a supervisor was not removed'),
    );
    await within(clock, EXPEL_MS, removed);
  }

  #isHere(holder: Holder): boolean {
    return this.#deps.room.remoteParticipants.has(supervisorIdentity(holder.id));
  }
}
