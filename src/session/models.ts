import type { ipc, llm, stt, tts, VAD } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';
import type { Config } from '../config.ts';
import { type Keeping, KeptSpeech } from './kept-speech.ts';
import type { ModelSettings, VoiceSettings } from './settings.ts';
import { SteadySpeech, type SteadySpeechOptions } from './steady-speech.ts';
import { TurnEnd } from './turn-end.ts';
import { WatchedRecognition } from './watched-recognition.ts';

export function createLlm(
  config: Config['llm'],
  settings: ModelSettings,
  model = settings.llm_model,
): llm.LLM {
  return new openai.LLM({
    model,
    apiKey: config.apiKey,
    ...(config.baseUrl ? { baseURL: config.baseUrl } : {}),
    ...(settings.temperature === undefined ? {} : { temperature: settings.temperature }),
    // Schemas of MCP servers are given to the model as they are; strict mode would rewrite them.
    strictToolSchema: false,
    parallelToolCalls: true,
  });
}

export interface SpeechParts {
  readonly stt: stt.STT;
  readonly tts: tts.TTS;
  readonly turnDetection: TurnEnd;
  /** Begins to make the sound of what is going to be said, where sounds are kept. */
  readonly prepare: ((words: string) => void) | undefined;
}

/** The voice of an agent. */
export function createVoice(config: Config['speech'], settings: VoiceSettings): tts.TTS {
  return new openai.TTS({
    model: settings.tts_model,
    voice: settings.voice as openai.TTSVoices,
    speed: settings.speed,
    apiKey: config.openaiApiKey,
    ...(config.openaiBaseUrl ? { baseURL: config.openaiBaseUrl } : {}),
  });
}

/**
 * @param turnInference runs the end-of-turn model; without it the framework's executor of the job does.
 * @param keeping which sounds of this voice are kept, and where; without it none are.
 */
export async function createSpeech(
  config: Config['speech'],
  settings: VoiceSettings,
  language: string,
  steady: SteadySpeechOptions,
  turnInference: ipc.InferenceExecutor | undefined,
  keeping?: Omit<Keeping, 'voice' | 'clock'>,
): Promise<SpeechParts> {
  // Here, so that a process of chats does not load it.
  const deepgram = await import('@livekit/agents-plugin-deepgram');
  const voice = createVoice(config, settings);
  const { openaiBaseUrl: service = 'https://api.openai.com/v1' } = config;
  const shape = { service, voice: settings.voice, speed: settings.speed, language };
  const kept = keeping && new KeptSpeech(voice, { ...keeping, voice: shape, clock: steady.clock });
  return {
    // The plugin never reconnects a recognition stream that was cut; the caller would not be heard any more.
    stt: new WatchedRecognition(
      new deepgram.STT({
        model: settings.stt_model,
        language,
        ...(config.deepgramApiKey ? { apiKey: config.deepgramApiKey } : {}),
        ...(config.deepgramBaseUrl ? { baseUrl: config.deepgramBaseUrl.replace(/^http/, 'ws') } : {}),
      }),
      { log: steady.log },
    ),
    tts: new SteadySpeech(kept ?? voice, steady),
    prepare: kept && ((words) => kept.prepare(words)),
    turnDetection: new TurnEnd(
      steady.clock,
      TURN_TIMING.endpointing.maxDelay,
      turnInference ? { executor: turnInference } : {},
    ),
  };
}

/**
 * Delays in milliseconds, counted from the end of speech, as the framework has them: who pauses in the middle of a
 * sentence is left as much time, and more the longer this caller's pauses are. What makes answers quick is `TurnEnd`,
 * which spares a complete sentence the longer delay.
 */
export const TURN_TIMING = {
  endpointing: { mode: 'dynamic', minDelay: 300, maxDelay: 2_500 },
  vadSilenceMs: 250,
  /** How long a caller must have been quiet before the agent begins of its own accord, with what nobody asked for just now. */
  ownAccordMs: 700,
} as const;

/** The voice activity model of a process; loading takes a moment, so prewarmed processes have it. */
export async function loadVad(): Promise<VAD> {
  const silero = await import('@livekit/agents-plugin-silero');
  return silero.VAD.load({ minSilenceDuration: TURN_TIMING.vadSilenceMs });
}
