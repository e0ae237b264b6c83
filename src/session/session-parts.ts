import { AsyncLocalStorage } from 'node:async_hooks';
import type { Room } from '@livekit/rtc-node';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import { Arrival } from './arrival.ts';
import { CallbackOffer } from './callback-offer.ts';
import { ChatInput } from './chat-input.ts';
import type { Claim } from './claim.ts';
import { Control } from './control.ts';
import type { Conversation } from './conversation.ts';
import { CustomerProfile } from './customer-profile.ts';
import { Dialogue } from './dialogue.ts';
import { Flood } from './flood.ts';
import { HeadStart } from './head-start.ts';
import type { Media } from './media.ts';
import { ModelLadder } from './model-ladder.ts';
import { TURN_TIMING } from './models.ts';
import { Presence } from './presence.ts';
import { type Recorder, traceError } from './recorder.ts';
import { Replies } from './replies.ts';
import { Requests, shown } from './requests.ts';
import { Resolutions } from './resolutions.ts';
import type { SessionServices } from './services.ts';
import { SessionTools } from './session-tools.ts';
import { SpeakingAgent } from './speaking-agent.ts';
import { SupervisorVoice } from './supervisor-voice.ts';
import { Takeover } from './takeover.ts';
import type { TextInbox } from './text-inbox.ts';
import { Utterances } from './utterances.ts';
import { Watch } from './watch.ts';
import { Whispers } from './whispers.ts';

/** A turn that has waited the longest delay is complete after this much more at the latest. */
const TURN_COMES_MS = 200;

/** What the parts of a session are made from. */
export interface SessionCore {
  readonly claim: Claim;
  readonly room: Room;
  readonly services: SessionServices;
  readonly prompts: PromptBook;
  readonly conversation: Conversation;
  readonly recorder: Recorder;
  readonly media: Media;
  readonly inbox: TextInbox;
  readonly log: Log;
}

/** The session's life, as far as its parts can bring it to an end. */
export interface SessionLife {
  /** True from the first of `end` and `leave` on. */
  readonly leaving: boolean;
  /** True when everything is connected and listening. */
  readonly started: boolean;
  end(status: 'completed' | 'failed', reason: string, lastWords?: string): void;
  leave(why: string): void;
}

/** The parts of one session, connected with one another and with its life. Nothing has begun yet. */
export interface SessionParts {
  readonly replies: Replies;
  readonly tools: SessionTools;
  readonly requests: Requests;
  readonly watch: Watch;
  readonly dialogue: Dialogue;
  readonly resolutions: Resolutions;
  readonly chat: ChatInput;
  readonly flood: Flood;
  readonly presence: Presence;
  readonly control: Control;
  readonly whispers: Whispers;
  readonly voice: SupervisorVoice | undefined;
  readonly agent: SpeakingAgent;
  readonly headStart: HeadStart;
}

export function assembleParts(core: SessionCore, life: SessionLife): SessionParts {
  const { claim, room, services, prompts, conversation, recorder, log } = core;
  const { clock, config, interactions, interim, leases, rooms } = services;
  const { session, stt } = core.media;
  const customerSpeaks = (): boolean => session.userState === 'speaking';
  const quietMs = claim.channel === 'voice' ? TURN_TIMING.ownAccordMs : 0;
  const utterances = new Utterances();
  const profile = new CustomerProfile(claim);
  const replies: Replies = new Replies({
    session,
    maySpeak: () => life.started && !life.leaving,
    customerSpeaks,
    leaseHolds: () => leases.holds(claim.interactionId),
    quietMs: { usual: quietMs, inTurn: quietMs && TURN_TIMING.endpointing.maxDelay + TURN_COMES_MS },
    inTurn: (): boolean => dialogue.inTurn,
    isGuess: (handle) => headStart.created(handle),
    clock,
    log,
  });
  const tools = new SessionTools({
    claim,
    services,
    prompts,
    conversation,
    recorder,
    profile,
    replies,
    model: core.media.model,
    isQuiet: () => presence.present && !replies.held && !replies.speaking && !customerSpeaks(),
    onEndRequested: (reason, lastWords) => life.end('completed', reason, lastWords),
    onFenced: () => life.leave('another worker holds the interaction'),
    log,
  });
  const requests = new Requests({ claim, profile, prompts, conversation, tools, clock, log });
  const watch = new Watch({
    claim,
    services,
    prompts,
    conversation,
    replies,
    tools,
    session,
    present: () => presence.present,
    onSilentCustomer: () => life.end('completed', 'customer_silent'),
    log,
  });
  const dialogue = new Dialogue({
    claim,
    room,
    prompts,
    conversation,
    recorder,
    replies,
    requests,
    watch,
    databaseAnswers: () => leases.databaseAnswers,
    leaving: () => life.leaving,
    clock,
    interim,
    utterances,
    playback: session.playback,
    holder: () => control.holder,
    log,
  });
  const resolutions = new Resolutions({
    conversation,
    recorder,
    replies,
    wasTold: (noteId) => dialogue.wasTold(noteId),
    runAgain: (call) => tools.runAgain(call),
    clock,
    log,
  });
  const flood = new Flood({
    claim,
    recorder,
    prompts,
    rooms,
    say: (text) => void dialogue.greeted().then(() => replies.say(text)),
    onEndless: (lastWords) => life.end('failed', 'flooded', lastWords),
    clock,
    log,
  });
  // On a call they publish sound.
  const arrival =
    claim.channel === 'chat'
      ? new Arrival({
          roomName: claim.room,
          customerIdentity: claim.customerIdentity,
          isHere: () => room.remoteParticipants.has(claim.customerIdentity),
          rooms,
          clock,
          log,
        })
      : undefined;
  const chat = new ChatInput({
    room,
    inbox: core.inbox,
    roleOf: (identity) => control.roleOf(identity),
    onMessage: (message) => {
      if (message.from === 'customer') arrival?.sign();
      return dialogue.written(message);
    },
    onRejected: (_identity, why) => dialogue.rejected(why),
    onRefused: (identity) => flood.refused(identity, 'messages'),
    clock,
    log,
  });
  const rejoinMs = claim.channel === 'voice' ? config.figures.rejoinVoiceMs : config.figures.rejoinChatMs;
  const presence = new Presence({
    room,
    customerIdentity: claim.customerIdentity,
    // Somebody who was here before a recovery is away, and not expected for the first time.
    joinMs: claim.messages.some(({ role }) => role === 'agent') ? rejoinMs : config.figures.joinTimeoutMs,
    rejoinMs,
    // LiveKit tells all rooms of a process from one place; what follows from it is work of this session.
    onJoined: AsyncLocalStorage.bind((first: boolean) => dialogue.customerJoined(first)),
    onLeft: () => recorder.step('customer_left'),
    onGone: (everCame) => {
      // Seen from outside the room everybody is gone.
      if (room.isConnected) endForAbsence(life, everCame || dialogue.began);
      else life.leave('the room can not be reached');
    },
    arrival,
    clock,
  });
  const voice = stt
    ? new SupervisorVoice({
        room,
        stt,
        onTurn: (turn) => void dialogue.supervisorSaid(turn),
        onInterim: (id, text) => interim.spoken(claim, { id, role: 'supervisor', text }),
        clock,
        log,
      })
    : undefined;
  const takeover = new Takeover({
    claim,
    conversation,
    prompts,
    recorder,
    replies,
    voice,
    customerSpeaks,
    quietMs,
    greet: () => dialogue.greet(),
    onResumed: () => watch.resumed(),
    clock,
  });
  const control = new Control({
    claim,
    room,
    interactions,
    leases,
    rooms,
    graceMs: config.figures.takeoverGraceMs,
    onAnnounced: () => takeover.announced(),
    onUnfounded: () => takeover.unfounded(),
    onTaken: (holder) => takeover.begin(holder.id),
    onReturned: (why) => void takeover.end(why),
    clock,
    log,
  });
  const whispers = new Whispers({ claim, conversation, prompts, replies, interactions, log });
  const callback = new CallbackOffer({
    prompts,
    channel: claim.channel,
    conversation,
    recorder,
    phoneNumber: () => profile.phoneNumber,
    async requestCallback(phoneNumber) {
      const reason = 'The assistant had technical trouble and could not answer.';
      await services.interactions.requestCallback(claim, { reason, phoneNumber });
    },
    log,
  });
  const goodbyeTooLong = (): string =>
    prompts.render('too_long_goodbye', { business_name: claim.business.name }, { channel: claim.channel });
  const headStart: HeadStart = new HeadStart({
    option: session.sessionOptions.turnHandling.preemptiveGeneration,
    isKnown: (messageId) => conversation.find(messageId) !== undefined,
    mayBegin: () =>
      config.headStart &&
      !life.leaving &&
      !replies.held &&
      !replies.speaking &&
      conversation.openCalls().length === 0,
  });
  const agent = new SpeakingAgent({
    buildRequest: async (speculative, guess) => {
      const request = await requests.build(speculative);
      if (guess && !guess.isUsed) guess.asks(shown(request));
      else {
        replies.answered();
        dialogue.asked();
      }
      return request;
    },
    guessAbout: (words) => headStart.about(words),
    onToolCall: (call) => tools.request(call),
    onCustomerTurn: (message, context) => {
      dialogue.customerSpoke(message);
      const mayAnswer = !life.leaving && !replies.held;
      const guess = headStart.completed(context, mayAnswer ? () => requests.current() : undefined);
      if (guess?.messageId !== undefined) {
        // From here on it is an answer like any other.
        conversation.alsoKnownAs(message.id, guess.messageId);
        replies.adopt(guess.handle);
        replies.answered();
        dialogue.asked();
        guess.use();
      }
      return mayAnswer;
    },
    isSpeaking: () => replies.speaking,
    onUtterance: () => {
      const { id, add } = utterances.begin();
      const beganAt = clock.now();
      return (part) => {
        const text = add(part);
        // Words of a chat are shown as they come. On a call the voice is behind them, and nobody knows how far it got.
        const shown = claim.channel === 'chat' && !replies.isFixed(text);
        interim.spoken(claim, { id, role: 'agent', text, keptSince: shown ? beganAt : undefined });
      };
    },
    onReplyComplete: (text) => {
      replies.given();
      chat.answered();
      if (conversation.isTooLong) life.end('completed', 'too_long', goodbyeTooLong());
      return dialogue.replied(text);
    },
    onEndlessReply: () => {
      log.warn('the model’s answer has no end; it was stopped');
      recorder.step('turn_limited', { output: { why: 'words' } });
    },
    onModelFailure: ({ attempt, model, error, final }) => {
      log.warn({ err: error, attempt, model, final }, 'the model did not answer');
      recorder.step('model_failure', { model, output: { attempt, final }, error: traceError(error) });
    },
    models: new ModelLadder({ primary: core.media.model, fallback: core.media.fallbackModel, clock }),
    onAnswered: () => callback.answered(),
    apology: () => callback.instead(),
    tokenTimeoutMs: config.figures.modelTimeoutMs,
    clock,
    log,
  });
  return {
    replies,
    tools,
    requests,
    watch,
    dialogue,
    resolutions,
    chat,
    flood,
    presence,
    control,
    whispers,
    voice,
    agent,
    headStart,
  };
}

/** The customer did not come (back): an interaction that began is complete, one that did not has failed. */
export function endForAbsence(life: SessionLife, began: boolean): void {
  if (began) life.end('completed', 'customer_left');
  else life.end('failed', 'not_joined');
}
