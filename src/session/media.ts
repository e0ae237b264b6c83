import type { llm, stt } from '@livekit/agents';
import { voice } from '@livekit/agents';
import { AudioSource, type Room } from '@livekit/rtc-node';
import { fixedWords } from '../definitions/fixed-words.ts';
import type { Claim } from './claim.ts';
import { createLlm, createSpeech, TURN_TIMING } from './models.ts';
import { Onset } from './onset.ts';
import { Playback } from './playback.ts';
import { publishTo } from './publishing.ts';
import type { SessionServices } from './services.ts';
import { readSettings } from './settings.ts';
import { YieldingOutput } from './yielding-output.ts';

/**
 * RoomIO has to be started before the session, or the session never hears the room; and it asks the session for
 * its agent, which only a started one has. This session answers with the agent it is going to start with.
 */
class LinkedSession extends voice.AgentSession {
  startsWith: voice.Agent | undefined;
  readonly playback = new Playback();
  onset: Onset | undefined;

  override get currentAgent(): voice.Agent {
    return this.startsWith ?? super.currentAgent;
  }

  /** Links the room and starts; the framework never gets the room itself (see `createMedia`). */
  async startLinked(agent: voice.Agent, roomIo: voice.RoomIO): Promise<void> {
    this.startsWith = agent;
    roomIo.start();
    this.playback.listen(this.output.audio);
    this.onset?.listen(this.output.audio);
    await this.start({ agent, record: false });
    this.startsWith = undefined;
  }
}

export interface Media {
  readonly session: LinkedSession;
  readonly roomIo: voice.RoomIO;
  /** Closes what `roomIo` does not: the agent's voice on a call. */
  close(): Promise<void>;
  readonly model: llm.LLM;
  /** On a call; more than one stream of it may be open. */
  readonly stt: stt.STT | undefined;
  /** Begins to make the sound of what is going to be said; there on a call whose sounds are kept. */
  readonly prepare: ((words: string) => void) | undefined;
  /** Asked when `model` can't answer. */
  readonly fallbackModel: llm.LLM | undefined;
}

/** What is ahead of the caller's ear, against pauses of a busy machine; taken back when the agent pauses. */
const AUDIO_QUEUE_MS = 250;
const AUDIO_RATE = 24_000;

/** The framework closes a session after three failed requests; a conversation goes on with an apology instead. */
const NEVER = Number.MAX_SAFE_INTEGER;
/** For a sound that turns out to be no words the agent pauses this long: recognition is done by then. */
const FALSE_INTERRUPTION_MS = 400;
/** So much of a voice makes the agent pause: a person who interrupts should not have to speak against it for longer. */
export const BARGE_IN_MS = 60;

/**
 * The framework's session and its link to the room, for the channel: a chat loads nothing of voice.
 *
 * `AgentSession.start` must never get the room: it would open a control channel through which the customer
 * can read the prompt and put words in. RoomIO is linked by hand, to the customer and nobody else.
 *
 * @param onUnspoken a sentence could not be spoken; the caller heard something else in its place.
 */
export async function createMedia(
  claim: Claim,
  room: Room,
  services: SessionServices,
  onUnspoken: () => void,
): Promise<Media> {
  const { config, log } = services;
  const settings = readSettings(claim.agent, (column, problem) =>
    log.warn({ column, problem }, 'a setting of the agent can not be read; its default is used'),
  );
  const model = createLlm(config.llm, settings.model);
  const { fallback_model: fallbackName } = settings.model;
  const fallbackModel = fallbackName ? createLlm(config.llm, settings.model, fallbackName) : undefined;
  // The session traces what its own model uses; the other one is asked past it.
  fallbackModel?.on('metrics_collected', (metrics) => model.emit('metrics_collected', metrics));
  const voiceCall = claim.channel === 'voice';
  const { book } = services.prompts.forLanguage(claim.agent.language);
  const apology = book.render('voice_trouble', {}, { channel: claim.channel });
  const speech = voiceCall
    ? await createSpeech(
        config.speech,
        settings.voice,
        claim.agent.language,
        { apology, onUnspoken, clock: services.clock, log },
        services.turnInference,
        services.sounds && { sounds: services.sounds, words: fixedWords(book, claim) },
      )
    : undefined;
  const onset = new Onset({
    clock: services.clock,
    isAgentSpeaking: () => session.agentState === 'speaking',
  });
  const session: LinkedSession = new LinkedSession({
    llm: model,
    vad: voiceCall ? onset.watch(await services.loadVad()) : null,
    ...(speech ? { stt: speech.stt, tts: speech.tts } : {}),
    userAwayTimeout: null,
    aecWarmupDuration: null,
    // Tool steps are counted by the session itself; to the framework each of them is an utterance of its own.
    maxToolSteps: 1,
    connOptions: {
      llmConnOptions: { maxRetry: 0, timeoutMs: config.figures.modelTimeoutMs },
      maxUnrecoverableErrors: NEVER,
    },
    turnHandling: {
      turnDetection: speech?.turnDetection ?? null,
      endpointing: TURN_TIMING.endpointing,
      interruption: {
        enabled: true,
        mode: 'vad',
        minDuration: BARGE_IN_MS,
        falseInterruptionTimeout: FALSE_INTERRUPTION_MS,
      },
      // `HeadStart` switches it on for the moment of a complete sentence. No voice is made of words that may be void.
      preemptiveGeneration: { enabled: false, preemptiveTts: false },
    },
  });
  if (speech) {
    session.onset = onset;
    const { turnDetection } = speech;
    session.on(voice.AgentSessionEventTypes.UserInputTranscribed, ({ transcript, language }) =>
      turnDetection.heard(transcript, language ?? undefined),
    );
    session.on(voice.AgentSessionEventTypes.UserStateChanged, ({ newState }) => {
      if (newState === 'speaking') turnDetection.began();
    });
  }
  const voiceOutput = voiceCall ? createVoiceOutput(room, claim.customerIdentity, services) : undefined;
  // RoomIO keeps an output that is there, and has captions keep pace with it.
  if (voiceOutput) session.output.audio = voiceOutput.output;
  const roomIo = new voice.RoomIO({
    agentSession: session,
    room,
    participant: claim.customerIdentity,
    inputOptions: { textEnabled: false, audioEnabled: voiceCall, closeOnDisconnect: false },
    outputOptions: {
      audioEnabled: false,
      transcriptionEnabled: true,
      syncTranscription: voiceCall,
    },
  });
  return {
    session,
    roomIo,
    close: async () => voiceOutput?.close(),
    model,
    fallbackModel,
    stt: speech?.stt,
    prepare: speech?.prepare,
  };
}

function createVoiceOutput(
  room: Room,
  customerIdentity: string,
  { clock, log }: Pick<SessionServices, 'clock' | 'log'>,
): { readonly output: YieldingOutput; close(): Promise<void> } {
  const source = new AudioSource(AUDIO_RATE, 1, AUDIO_QUEUE_MS);
  const closing = new AbortController();
  const audible = publishTo(customerIdentity, room, source, closing.signal);
  audible.catch((err: unknown) => {
    if (!closing.signal.aborted) log.error({ err }, 'the voice could not be published');
  });
  const output = new YieldingOutput(source, audible, clock);
  const close = async (): Promise<void> => {
    closing.abort();
    await output.close();
  };
  return { output, close };
}
