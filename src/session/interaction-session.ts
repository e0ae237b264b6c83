import { AsyncLocalStorage } from 'node:async_hooks';
import { voice } from '@livekit/agents';
import { DisconnectReason, type Room, RoomEvent } from '@livekit/rtc-node';
import type { PromptBook } from '../definitions/prompts.ts';
import { TOPIC_DOORBELL, TOPIC_HUSH } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Claim } from './claim.ts';
import { within } from './clock.ts';
import { Conversation } from './conversation.ts';
import { type Ended, finishInteraction, type SessionOutcome } from './finish.ts';
import { leaveRoom, ownsRoom } from './hang-up.ts';
import { createMedia, type Media } from './media.ts';
import { Outage } from './outage.ts';
import { Predecessors } from './predecessors.ts';
import { Recorder, traceError } from './recorder.ts';
import { RoomLink } from './room-link.ts';
import type { SessionNews, SessionServices } from './services.ts';
import { assembleParts, endForAbsence, type SessionLife, type SessionParts } from './session-parts.ts';
import type { TextInbox } from './text-inbox.ts';
import { traceUsage } from './usage-trace.ts';

/** How long an utterance may still be going on before an interaction ends all the same. */
const LAST_WORDS_MS = 15_000;
const RUNNING_TOOLS_MS = 5_000;
const BEGINS_MS = 5_000;
/** How long after the last words the line is closed, even if the archive has to wait for the database. */
const LINE_CLOSES_MS = 6_000;
/** Sentence and tools together, when the interaction is handed over: the framework ends a job after 15 s. */
const HAND_OVER_MS = 9_000;
const BYTES_A_CHARACTER = 2;
/** Why an interaction ends that its customer has ended, as `leave_interaction` writes it. */
const ENDED_BY_CUSTOMER = 'customer_ended';

/**
 * One interaction from its claim to its archive. An object, not a process: it keeps nothing in modules and
 * takes everything it shares from `services`, so that one or many of them run in a process.
 *
 * Here is its life: how it starts, ends and leaves. What is said is `Dialogue`'s, the parts and how they hang
 * together are in session-parts.ts.
 */
export class InteractionSession {
  /** Settles once, when the session has left the room and everything it knows is stored. */
  readonly outcome: Promise<SessionOutcome>;

  readonly #claim: Claim;
  readonly #services: SessionServices;
  readonly #room: Room;
  readonly #inbox: TextInbox;
  readonly #log: Log;
  readonly #prompts: PromptBook;
  readonly #conversation = new Conversation();
  readonly #recorder: Recorder;
  readonly #life: SessionLife;
  readonly #outage: Outage;
  readonly #predecessors: Predecessors;
  readonly #link: RoomLink;
  #media: Media | undefined;
  /** There from the moment at which the media are. */
  #parts: SessionParts | undefined;
  #releaseLease: () => void = () => {};
  #starting: Promise<void> = Promise.resolve();
  #resolve!: (outcome: SessionOutcome) => void;
  #closing: Promise<void> | undefined;
  #leaving = false;
  #started = false;

  /** @param inbox of the room, made before it was connected. */
  constructor(claim: Claim, room: Room, inbox: TextInbox, services: SessionServices) {
    this.#inbox = inbox;
    this.#claim = claim;
    this.#room = room;
    this.#services = services;
    this.#log = services.log.child({ interaction: claim.interactionId, generation: claim.generation });
    this.#prompts = services.prompts.forLanguage(claim.agent.language).book;
    this.#recorder = new Recorder({
      key: claim,
      conversation: this.#conversation,
      outbox: services.outbox,
      clock: services.clock,
    });
    const { clock, rooms, config } = services;
    const log = this.#log;
    this.#outage = new Outage({
      limitMs: config.figures.databaseOutageMs,
      recorder: this.#recorder,
      onTooLong: () => void this.end('failed', 'database_away', this.#goodbye('outage_goodbye')),
      log,
    });
    this.#predecessors = new Predecessors({ key: claim, roomName: claim.room, room, rooms, clock, log });
    this.#link = new RoomLink({
      room,
      limitMs: config.figures.leaseMs / 2,
      databaseAnswers: () => services.leases.databaseAnswers,
      onLost: () => {
        void this.leave('the room can not be reached');
        // Or the client would come back by itself later and send, beside a successor, what it could not send now.
        room.disconnect().catch((err: unknown) => log.debug({ err }, 'the room was lost already'));
      },
      clock,
    });
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const isLeaving = (): boolean => this.#leaving;
    const isStarted = (): boolean => this.#started;
    this.#life = {
      get leaving() {
        return isLeaving();
      },
      get started() {
        return isStarted();
      },
      end: (status, reason, lastWords) => void this.end(status, reason, lastWords),
      leave: (why) => void this.leave(why),
    };
  }

  /** About what this session keeps in memory of what was said and done, and of what waits for the database. */
  get heldBytes(): number {
    const waiting = this.#services.outbox.waitingCharacters(this.#claim);
    return (this.#conversation.characters + waiting) * BYTES_A_CHARACTER;
  }

  /** Somebody in the room sends what nobody here asks for. */
  sentInVain(identity: string): void {
    this.#parts?.flood.packet(identity);
  }

  /** Begins in a room that is connected. On an error the session has left and the lease is given back. */
  start(): Promise<void> {
    const starting = this.#start();
    this.#starting = starting.catch(() => {});
    return starting;
  }

  async #start(): Promise<void> {
    const claim = this.#claim;
    this.#releaseLease = this.#services.leases.keep(claim, {
      onPolled: AsyncLocalStorage.bind((news: SessionNews) => this.#onNews(news)),
      onLost: () => void this.leave('another worker holds the interaction'),
      onUnreachable: (forMs) => {
        this.#outage.unreachable(forMs);
        this.#link.databaseAway();
      },
      onReached: (afterMs) => this.#outage.reached(afterMs),
    });
    try {
      const media = await createMedia(claim, this.#room, this.#services, () =>
        this.#recorder.step('speech_failed'),
      );
      this.#media = media;
      const parts = assembleParts(
        {
          claim,
          room: this.#room,
          services: this.#services,
          prompts: this.#prompts,
          conversation: this.#conversation,
          recorder: this.#recorder,
          media,
          inbox: this.#inbox,
          log: this.#log,
        },
        this.#life,
      );
      this.#parts = parts;
      if (!parts.dialogue.began) media.prepare?.(parts.requests.greeting());
      await media.session.startLinked(parts.agent, media.roomIo);
      await this.#predecessors.expel();
      this.#listen(media, parts);
      this.#started = true;
      const { recovered, handedOver } = claim;
      this.#recorder.step('joined', { output: { recovered, handedOver } });
      this.#log.info({ recovered, handedOver }, 'session began');
    } catch (error) {
      this.#log.error({ err: error }, 'the session could not start');
      this.#recorder.step('join_failed', { error: traceError(error) });
      await this.leave('the session could not start');
      throw error;
    }
  }

  /** Ends the interaction: last words, archive, then everything that may fail. Safe to call twice. */
  async end(status: Ended['status'], reason: string, lastWords?: string): Promise<void> {
    const parts = this.#parts;
    const media = this.#media;
    if (!parts || !media) return this.leave('the interaction ended before its session began');
    if (!(await this.#begins())) return;
    parts.replies.conclude();
    if (parts.presence.present && this.#room.isConnected) await this.#sayLastWords(parts, lastWords);
    else parts.replies.hush();
    // Whatever waits for the database: nobody is kept on the line for that. There is no end in the database yet, so
    // somebody else may have this conversation by now; their room is not ours to close.
    const cancel = this.#services.clock.after(LINE_CLOSES_MS, () => {
      if (this.#room.isConnected) void this.#closeRoom(true, () => ownsRoom(this.#claim, this.#services));
    });
    await this.#stopTalking(parts, reason).catch((err: unknown) =>
      this.#log.error({ err }, 'the end was not orderly'),
    );
    try {
      await finishInteraction({
        claim: this.#claim,
        services: this.#services,
        conversation: this.#conversation,
        prompts: this.#prompts,
        model: media.model,
        log: this.#log,
        ended: { status, reason },
        closeRoom: (forAll) => this.#closeRoom(forAll),
      });
    } finally {
      cancel();
      this.#releaseLease();
      await parts.tools.closeServers();
      this.#log.info({ status, reason }, 'interaction ended');
      this.#resolve({ kind: 'ended', status, reason });
    }
  }

  /** Leaves without ending: what is known is stored and another worker may go on. Safe to call twice. */
  leave(why: string): Promise<void> {
    return this.#leave(why, false);
  }

  async #leave(why: string, handedOver: boolean): Promise<void> {
    if (!(await this.#begins())) return;
    const parts = this.#parts;
    if (this.#started) parts?.replies.hush();
    parts?.watch.close();
    // A call that is under way has its effect whoever waits for it; its row should say so before another reads it.
    await within(this.#services.clock, RUNNING_TOOLS_MS, parts?.tools.suspend() ?? Promise.resolve());
    await this.#depart(why, handedOver);
  }

  /**
   * Leaves in good order: the sentence that has begun is finished, tools that run come to their end, and the next
   * worker goes on as if nothing had happened. Safe to call twice.
   */
  async handOver(why: string): Promise<void> {
    // Left in the midst of its beginning it could still speak, beside its successor.
    await within(this.#services.clock, BEGINS_MS, this.#starting);
    const parts = this.#parts;
    // It has begun nothing, and leaves things as it found them.
    if (!this.#started || !parts) return this.#leave(why, this.#claim.handedOver);
    if (!(await this.#begins())) return;
    parts.watch.close();
    parts.replies.conclude();
    const quiet = Promise.all([parts.replies.idle(), parts.tools.suspend()]).then(() => true);
    const inGoodOrder = (await within(this.#services.clock, HAND_OVER_MS, quiet)) ?? false;
    if (!inGoodOrder) parts.replies.hush();
    await this.#depart(why, inGoodOrder);
  }

  /** Stores what is known, gives the interaction back and calls a worker for it, and only then leaves the room. */
  async #depart(why: string, handedOver: boolean): Promise<void> {
    const { clock, outbox, interactions, summon } = this.#services;
    const { channel, interactionId, room } = this.#claim;
    this.#parts?.control.close();
    await within(clock, RUNNING_TOOLS_MS, this.#parts?.voice?.stop() ?? Promise.resolve());
    await within(clock, LAST_WORDS_MS, outbox.flushed());
    this.#releaseLease();
    try {
      const released = await within(clock, LAST_WORDS_MS, interactions.release(this.#claim, handedOver));
      if (released) await summon({ channel, interactionId, room });
    } catch (err) {
      this.#log.warn({ err }, 'the lease could not be given back; it runs out by itself');
    }
    this.#parts?.chat.close();
    this.#parts?.flood.close();
    this.#parts?.presence.close();
    await this.#closeRoom(false);
    await this.#parts?.tools.closeServers();
    this.#log.info({ why, handedOver }, 'session left the interaction');
    this.#resolve({ kind: 'left', why });
  }

  /** True for whoever is first to end or to leave; others go on when everything is stored, as must the process. */
  async #begins(): Promise<boolean> {
    const first = !this.#leaving;
    this.#leaving = true;
    if (!first) await this.outcome;
    return first;
  }

  async #sayLastWords({ replies }: SessionParts, lastWords: string | undefined): Promise<void> {
    const { clock } = this.#services;
    if (lastWords) await within(clock, LAST_WORDS_MS, replies.say(lastWords));
    await within(clock, LAST_WORDS_MS, replies.idle());
  }

  #listen(
    { session }: Media,
    { chat, control, dialogue, flood, headStart, presence, tools, watch }: SessionParts,
  ): void {
    session.on(voice.AgentSessionEventTypes.UserInputTranscribed, ({ transcript, isFinal, language }) => {
      headStart.heard(transcript, isFinal, language ?? undefined);
      dialogue.customerSpeaks(transcript, isFinal);
    });
    session.on(voice.AgentSessionEventTypes.ConversationItemAdded, ({ item }) => dialogue.agentSpoke(item));
    session.on(voice.AgentSessionEventTypes.Close, () => void this.leave('the media session closed'));
    session.on(voice.AgentSessionEventTypes.Error, ({ error }) =>
      this.#recorder.step('media_error', { error: traceError(error) }),
    );
    traceUsage(session, this.#recorder, (speechId) => headStart.find(speechId));
    this.#room.on(RoomEvent.Disconnected, this.#onDisconnected);
    this.#room.on(RoomEvent.DataReceived, this.#onData);
    this.#link.start();
    // Before anything can make the agent speak: a person may have control already.
    control.start();
    flood.start();
    watch.start();
    // What was written before the agent was here is answered after its greeting.
    presence.start();
    chat.open();
    tools.resumeOpenCalls();
  }

  #onNews(news: SessionNews): void {
    const parts = this.#parts;
    if (this.#leaving || !parts) return;
    // Also before the session has started: whoever has control must not be taken for an intruder.
    parts.control.update(news);
    if (!this.#started) return;
    parts.whispers.arrived(news.whispers.map((one) => ({ ...one, at: Date.parse(one.at) })));
    parts.tools.permissionsChanged(news.permissions);
    parts.resolutions.changed(news.resolutions);
    parts.tools.versionSeen(news.tools_version);
    if (news.status === 'completed' || news.status === 'failed') {
      void this.leave('the interaction was ended elsewhere');
    } else if (news.end_requested_reason !== null) {
      const reason = news.end_requested_reason;
      if (reason === ENDED_BY_CUSTOMER) {
        // They have turned away: nobody is there to hear the rest of a sentence, or a goodbye.
        parts.replies.hush();
        void this.end('completed', reason);
      } else void this.end('completed', reason, this.#goodbye('goodbye'));
    } else {
      parts.replies.nudge();
    }
  }

  #goodbye(name: 'goodbye' | 'outage_goodbye'): string {
    const { business, channel } = this.#claim;
    return this.#prompts.render(name, { business_name: business.name }, { channel });
  }

  readonly #onData = (
    _payload: Uint8Array,
    from: { identity: string } | undefined,
    _kind: unknown,
    topic?: string,
  ) => {
    // A bell of the server has no sender; whoever else rings it is not listened to.
    if (from !== undefined) return this.sentInVain(from.identity);
    if (topic !== TOPIC_DOORBELL && topic !== TOPIC_HUSH) return;
    if (topic === TOPIC_HUSH) this.#parts?.control.announced();
    this.#services.leases.ring();
  };

  readonly #onDisconnected = (reason: DisconnectReason): void => {
    if (this.#leaving) return;
    if (reason === DisconnectReason.ROOM_DELETED) void this.end('completed', 'room_closed');
    // LiveKit closes a room in which nobody but agents has been for a while.
    else if (reason === DisconnectReason.ROOM_CLOSED)
      endForAbsence(this.#life, this.#parts?.dialogue.began ?? false);
    else void this.leave(`the room was lost (${DisconnectReason[reason] ?? reason})`);
  };

  async #stopTalking(parts: SessionParts, reason: string): Promise<void> {
    parts.watch.close();
    parts.presence.close();
    parts.chat.close();
    parts.flood.close();
    parts.control.close();
    await within(this.#services.clock, RUNNING_TOOLS_MS, parts.voice?.stop() ?? Promise.resolve());
    await parts.tools.stop(reason);
    parts.replies.close();
  }

  /** @param mayDelete asked right before the room is deleted; an end that is written down needs no leave. */
  #closeRoom(deleteIt: boolean, mayDelete = async () => true): Promise<void> {
    this.#closing ??= this.#leaveRoom(deleteIt, mayDelete);
    return this.#closing;
  }

  async #leaveRoom(deleteIt: boolean, mayHangUp: () => Promise<boolean>): Promise<void> {
    this.#room.off(RoomEvent.Disconnected, this.#onDisconnected);
    this.#room.off(RoomEvent.DataReceived, this.#onData);
    this.#predecessors.close();
    this.#link.close();
    const { clock, rooms } = this.#services;
    const hangUp = deleteIt ? this.#claim.room : undefined;
    await leaveRoom(this.#room, this.#media, { hangUp, mayHangUp, rooms, clock }).catch((err: unknown) =>
      this.#log.debug({ err }, 'the room was closed already'),
    );
  }
}
