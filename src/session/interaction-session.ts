import { type llm, voice } from '@livekit/agents';
import { DisconnectReason, type Room, RoomEvent } from '@livekit/rtc-node';
import type { PromptBook } from '../definitions/prompts.ts';
import { TOPIC_DOORBELL } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { ChatInput, type IncomingMessage } from './chat-input.ts';
import type { Claim } from './claim.ts';
import { within } from './clock.ts';
import { Conversation } from './conversation.ts';
import { CustomerProfile } from './customer-profile.ts';
import { type Ended, finishInteraction, type SessionOutcome } from './finish.ts';
import { leaveRoom } from './hang-up.ts';
import { sendHistory } from './history.ts';
import { createMedia, type Media } from './media.ts';
import { TURN_TIMING } from './models.ts';
import type { StoreResult } from './outbox.ts';
import { Presence } from './presence.ts';
import { Recorder, traceError } from './recorder.ts';
import { Replies } from './replies.ts';
import { Requests } from './requests.ts';
import type { SessionNews, SessionServices } from './services.ts';
import { SessionTools } from './session-tools.ts';
import { SpeakingAgent } from './speaking-agent.ts';
import { traceUsage } from './usage-trace.ts';
import { Watch } from './watch.ts';

/** How long an utterance may still be going on before an interaction ends all the same. */
const LAST_WORDS_MS = 15_000;
const RUNNING_TOOLS_MS = 5_000;

/**
 * One interaction from its claim to its archive. An object, not a process: it keeps nothing in modules and
 * takes everything it shares from `services`, so that one or many of them run in a process.
 */
export class InteractionSession {
  /** Settles once, when the session has left the room and everything it knows is stored. */
  readonly outcome: Promise<SessionOutcome>;

  readonly #claim: Claim;
  readonly #services: SessionServices;
  readonly #room: Room;
  readonly #log: Log;
  readonly #prompts: PromptBook;
  readonly #conversation = new Conversation();
  readonly #recorder: Recorder;
  readonly #profile: CustomerProfile;
  #media!: Media;
  #replies!: Replies;
  #tools!: SessionTools;
  #requests!: Requests;
  #watch!: Watch;
  #chat!: ChatInput;
  #presence!: Presence;
  #releaseLease: () => void = () => {};
  #resolve!: (outcome: SessionOutcome) => void;
  #leaving = false;
  #greeted = false;
  #started = false;

  constructor(claim: Claim, room: Room, services: SessionServices) {
    this.#claim = claim;
    this.#room = room;
    this.#services = services;
    this.#log = services.log.child({ interaction: claim.interactionId, generation: claim.generation });
    this.#prompts = services.prompts.forLanguage(claim.agent.language).book;
    this.#profile = new CustomerProfile(claim);
    this.#recorder = new Recorder({
      key: claim,
      conversation: this.#conversation,
      outbox: services.outbox,
      clock: services.clock,
    });
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Begins in a room that is connected. On an error the session has left and the lease is given back. */
  async start(): Promise<void> {
    const { leases } = this.#services;
    this.#releaseLease = leases.keep(this.#claim, {
      onPolled: (news) => this.#onNews(news),
      onLost: () => void this.leave('another worker holds the interaction'),
    });
    try {
      this.#restore();
      this.#media = await createMedia(this.#claim, this.#room, this.#services);
      this.#assemble();
      await this.#media.session.startLinked(this.#createAgent(), this.#media.roomIo);
      this.#listen();
      this.#started = true;
      this.#recorder.step('joined', { output: { recovered: this.#claim.recovered } });
    } catch (error) {
      this.#log.error({ err: error }, 'the session could not start');
      this.#recorder.step('join_failed', { error: traceError(error) });
      await this.leave('the session could not start');
      throw error;
    }
  }

  /** Ends the interaction: last words, archive, then everything that may fail. Safe to call twice. */
  async end(status: Ended['status'], reason: string, lastWords?: string): Promise<void> {
    if (!(await this.#begins())) return;
    this.#replies.conclude();
    if (this.#presence.present && this.#room.isConnected) await this.#sayLastWords(lastWords);
    else this.#replies.hush();
    await this.#stopTalking(reason).catch((err: unknown) =>
      this.#log.error({ err }, 'the end was not orderly'),
    );
    try {
      await finishInteraction({
        claim: this.#claim,
        services: this.#services,
        conversation: this.#conversation,
        prompts: this.#prompts,
        model: this.#media.model,
        log: this.#log,
        ended: { status, reason },
        closeRoom: () => this.#closeRoom(true),
      });
    } finally {
      this.#releaseLease();
      await this.#tools.closeServers();
      this.#log.info({ status, reason }, 'interaction ended');
      this.#resolve({ kind: 'ended', status, reason });
    }
  }

  /** Leaves without ending: what is known is stored and another worker may go on. Safe to call twice. */
  async leave(why: string): Promise<void> {
    if (!(await this.#begins())) return;
    if (this.#started) {
      this.#replies.hush();
      this.#chat.close();
      this.#presence.close();
    }
    this.#watch?.close();
    const { clock, outbox, interactions } = this.#services;
    // A call that is under way has its effect whoever waits for it; its row should say so before another reads it.
    await within(clock, RUNNING_TOOLS_MS, this.#tools?.runningDone() ?? Promise.resolve());
    await within(clock, LAST_WORDS_MS, outbox.flushed());
    await this.#closeRoom(false);
    this.#releaseLease();
    await within(clock, LAST_WORDS_MS, interactions.release(this.#claim)).catch((err: unknown) =>
      this.#log.warn({ err }, 'the lease could not be given back; it runs out by itself'),
    );
    await this.#tools?.closeServers();
    this.#log.info({ why }, 'session left the interaction');
    this.#resolve({ kind: 'left', why });
  }

  /** True for whoever is first to end or to leave; others go on when everything is stored, as must the process. */
  async #begins(): Promise<boolean> {
    const first = !this.#leaving;
    this.#leaving = true;
    if (!first) await this.outcome;
    return first;
  }

  async #sayLastWords(lastWords: string | undefined): Promise<void> {
    const { clock } = this.#services;
    if (lastWords) await within(clock, LAST_WORDS_MS, this.#replies.say(lastWords));
    await within(clock, LAST_WORDS_MS, this.#replies.idle());
  }

  #restore(): void {
    for (const { id, role, text, interrupted, at } of this.#claim.messages) {
      this.#conversation.say({ id, role, text, interrupted, at });
    }
    this.#greeted = this.#claim.messages.some((message) => message.role === 'agent');
  }

  #assemble(): void {
    const { clock, config, leases, log } = this.#services;
    const { session } = this.#media;
    this.#replies = new Replies({
      session,
      maySpeak: () => !this.#leaving && this.#started,
      customerSpeaks: () => session.userState === 'speaking',
      leaseHolds: () => leases.holds(this.#claim.interactionId),
      quietMs: this.#claim.channel === 'voice' ? TURN_TIMING.endpointing.maxDelay + 100 : 0,
      clock,
      log,
    });
    this.#tools = new SessionTools({
      claim: this.#claim,
      services: this.#services,
      prompts: this.#prompts,
      conversation: this.#conversation,
      recorder: this.#recorder,
      profile: this.#profile,
      replies: this.#replies,
      isQuiet: () => this.#isQuiet(),
      onEndRequested: (reason, lastWords) => void this.end('completed', reason, lastWords),
      onFenced: () => void this.leave('another worker holds the interaction'),
      log: this.#log,
    });
    this.#requests = new Requests({
      claim: this.#claim,
      profile: this.#profile,
      prompts: this.#prompts,
      conversation: this.#conversation,
      tools: this.#tools,
      clock,
      log: this.#log,
    });
    this.#watch = new Watch({
      claim: this.#claim,
      services: this.#services,
      prompts: this.#prompts,
      conversation: this.#conversation,
      replies: this.#replies,
      tools: this.#tools,
      session,
      present: () => this.#presence.present,
      onSilentCustomer: () => void this.end('completed', 'customer_silent'),
      log: this.#log,
    });
    this.#chat = new ChatInput({
      room: this.#room,
      roleOf: (identity) => (identity === this.#claim.customerIdentity ? 'customer' : undefined),
      onMessage: (message) => this.#onMessage(message),
      onRejected: (_identity, why) => this.#onRejected(why),
      clock,
      log: this.#log,
    });
    this.#presence = new Presence({
      room: this.#room,
      customerIdentity: this.#claim.customerIdentity,
      joinMs: config.figures.joinTimeoutMs,
      rejoinMs: this.#claim.channel === 'voice' ? config.figures.rejoinVoiceMs : config.figures.rejoinChatMs,
      onJoined: (first) => this.#onCustomerJoined(first),
      onLeft: () => this.#recorder.step('customer_left'),
      onGone: (everCame) => this.#onAbsent(everCame),
      clock,
    });
  }

  #createAgent(): SpeakingAgent {
    const { clock, config } = this.#services;
    return new SpeakingAgent({
      buildRequest: async (speculative) => {
        const request = await this.#requests.build(speculative);
        this.#replies.answered();
        return request;
      },
      onToolCall: (call) => this.#tools.request(call),
      onCustomerTurn: (message) => this.#onCustomerTurn(message),
      onModelFailure: ({ attempt, error, final }) => {
        this.#log.warn({ err: error, attempt, final }, 'the model did not answer');
        this.#recorder.step('model_failure', { output: { attempt, final }, error: traceError(error) });
      },
      apology: () => this.#prompts.render('unavailable_apology', {}, { channel: this.#claim.channel }),
      tokenTimeoutMs: config.figures.modelTimeoutMs,
      clock,
      log: this.#log,
    });
  }

  #listen(): void {
    const { session } = this.#media;
    session.on(voice.AgentSessionEventTypes.ConversationItemAdded, ({ item }) => this.#onSpoken(item));
    session.on(voice.AgentSessionEventTypes.Close, () => void this.leave('the media session closed'));
    session.on(voice.AgentSessionEventTypes.Error, ({ error }) =>
      this.#recorder.step('media_error', { error: traceError(error) }),
    );
    traceUsage(session, this.#recorder);
    this.#room.on(RoomEvent.Disconnected, this.#onDisconnected);
    this.#room.on(RoomEvent.DataReceived, this.#onData);
    this.#chat.open();
    this.#watch.start();
    this.#presence.start();
    this.#tools.resumeOpenCalls();
  }

  #onCustomerJoined(first: boolean): void {
    const identity = this.#claim.customerIdentity;
    this.#recorder.step('customer_joined', { output: { again: !first || this.#claim.recovered } });
    if (this.#conversation.items.length > 0) {
      sendHistory(this.#room, this.#conversation, identity).catch((err: unknown) =>
        this.#log.debug({ err }, 'the history could not be sent'),
      );
    }
    this.#watch.customerHeard();
    if (!this.#greeted) {
      this.#greeted = true;
      void this.#replies.say(this.#requests.greeting());
    } else if (first && this.#claim.recovered) {
      void this.#replies.say(this.#prompts.render('recovery_apology', {}, { channel: this.#claim.channel }));
      this.#owe();
    }
  }

  /** After a recovery the customer's last words may still be without an answer. */
  #owe(): void {
    const last = this.#conversation.turns().at(-1);
    if (last?.role === 'customer') this.#replies.request();
  }

  async #onMessage(message: IncomingMessage): Promise<StoreResult> {
    const known = this.#conversation.find(message.id);
    // Sent again because no acknowledgement came: the same message, whatever it says now.
    if (known) return this.#recorder.said(known);
    const stored = this.#recorder.said({ ...message, role: message.from });
    this.#watch.customerHeard();
    this.#replies.request({ restart: true });
    return stored;
  }

  #onRejected(why: 'unreadable' | 'too_long'): void {
    this.#recorder.step('message_rejected', { output: { why } });
    const words =
      why === 'too_long'
        ? this.#prompts.render('message_too_long', { limit: '128 kB' })
        : this.#prompts.render('message_unreadable', {});
    void this.#replies.say(words);
  }

  #onCustomerTurn(message: llm.ChatMessage): boolean {
    const text = message.textContent ?? '';
    if (text.trim() !== '') {
      const { id, createdAt: at } = message;
      void this.#recorder.said({ id, role: 'customer', text, at });
      this.#watch.customerHeard();
    }
    return !this.#leaving;
  }

  #onSpoken(item: llm.ChatMessage | llm.AgentHandoffItem): void {
    if (item.type !== 'message' || item.role !== 'assistant') return;
    const { id, createdAt: at, interrupted } = item;
    const text = item.textContent ?? '';
    if (text !== '') void this.#recorder.said({ id, role: 'agent', text, at, interrupted });
    this.#watch.agentSpoke();
  }

  #onNews(news: SessionNews): void {
    if (this.#leaving || !this.#started) return;
    this.#tools.permissionsChanged(news.permissions);
    if (news.status === 'completed' || news.status === 'failed') {
      void this.leave('the interaction was ended elsewhere');
    } else if (news.end_requested_reason !== null) {
      const values = { business_name: this.#claim.business.name };
      const goodbye = this.#prompts.render('goodbye', values, { channel: this.#claim.channel });
      void this.end('completed', news.end_requested_reason, goodbye);
    } else {
      this.#replies.nudge();
    }
  }

  readonly #onData = (
    _payload: Uint8Array,
    from: { identity: string } | undefined,
    _kind: unknown,
    topic?: string,
  ) => {
    // A bell of the server has no sender; whoever else rings it is not listened to.
    if (topic === TOPIC_DOORBELL && from === undefined) this.#services.leases.ring();
  };

  readonly #onDisconnected = (reason: DisconnectReason): void => {
    if (this.#leaving) return;
    if (reason === DisconnectReason.ROOM_DELETED) void this.end('completed', 'room_closed');
    // LiveKit closes a room in which nobody but agents has been for a while.
    else if (reason === DisconnectReason.ROOM_CLOSED) this.#onAbsent(false);
    else void this.leave(`the room was lost (${DisconnectReason[reason] ?? reason})`);
  };

  #onAbsent(everCame: boolean): void {
    if (everCame || this.#greeted) void this.end('completed', 'customer_left');
    else void this.end('failed', 'not_joined');
  }

  #isQuiet(): boolean {
    const { session } = this.#media;
    return this.#presence.present && !this.#replies.speaking && session.userState !== 'speaking';
  }

  async #stopTalking(reason: string): Promise<void> {
    this.#watch.close();
    this.#presence.close();
    this.#chat.close();
    await this.#tools.stop(reason);
    this.#replies.close();
  }

  async #closeRoom(deleteIt: boolean): Promise<void> {
    this.#room.off(RoomEvent.Disconnected, this.#onDisconnected);
    this.#room.off(RoomEvent.DataReceived, this.#onData);
    const { clock, rooms } = this.#services;
    const hangUp = deleteIt ? this.#claim.room : undefined;
    await leaveRoom(this.#room, this.#media, { hangUp, rooms, clock }).catch((err: unknown) =>
      this.#log.debug({ err }, 'the room was closed already'),
    );
  }
}
