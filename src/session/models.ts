import { inference, type llm, type stt, type tts, type VAD } from '@livekit/agents';
import * as deepgram from '@livekit/agents-plugin-deepgram';
import * as openai from '@livekit/agents-plugin-openai';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { WatchedRecognition } from './watched-recognition.ts';

/** `agents.model_settings`. */
export const modelSettingsSchema = z.looseObject({
  llm_model: z.string().min(1).default('gpt-4.1'),
  temperature: z.number().min(0).max(2).optional(),
});

/** `agents.voice_settings`. Speed is the factor that OpenAI's speech endpoint takes, 1 being normal. */
export const voiceSettingsSchema = z.looseObject({
  stt_model: z.string().min(1).default('nova-3'),
  tts_model: z.string().min(1).default('gpt-4o-mini-tts'),
  voice: z.string().min(1).default('alloy'),
  speed: z.number().min(0.25).max(4).default(1),
});

export type ModelSettings = z.output<typeof modelSettingsSchema>;
export type VoiceSettings = z.output<typeof voiceSettingsSchema>;

/** The settings of an agent's row; a part that can't be read falls back to its default and is reported. */
export function readSettings(
  row: { model_settings: unknown; voice_settings: unknown },
  onProblem: (column: string, problem: string) => void,
): { model: ModelSettings; voice: VoiceSettings } {
  const read = <T>(schema: z.ZodType<T>, column: string, value: unknown): T => {
    const parsed = schema.safeParse(value ?? {});
    if (parsed.success) return parsed.data;
    onProblem(column, z.prettifyError(parsed.error));
    return schema.parse({});
  };
  return {
    model: read(modelSettingsSchema, 'model_settings', row.model_settings),
    voice: read(voiceSettingsSchema, 'voice_settings', row.voice_settings),
  };
}

export function createLlm(config: Config['llm'], settings: ModelSettings): llm.LLM {
  return new openai.LLM({
    model: settings.llm_model,
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
  readonly turnDetection: inference.TurnDetector;
}

export function createSpeech(
  config: Config['speech'],
  settings: VoiceSettings,
  language: string,
  log: Log,
): SpeechParts {
  return {
    // The plugin never reconnects a recognition stream that was cut; the caller would not be heard any more.
    stt: new WatchedRecognition(
      new deepgram.STT({
        model: settings.stt_model,
        language,
        ...(config.deepgramApiKey ? { apiKey: config.deepgramApiKey } : {}),
        ...(config.deepgramBaseUrl ? { baseUrl: config.deepgramBaseUrl.replace(/^http/, 'ws') } : {}),
      }),
      { log },
    ),
    tts: new openai.TTS({
      model: settings.tts_model,
      voice: settings.voice as openai.TTSVoices,
      speed: settings.speed,
      apiKey: config.openaiApiKey,
      ...(config.openaiBaseUrl ? { baseURL: config.openaiBaseUrl } : {}),
    }),
    turnDetection: new inference.TurnDetector({ version: 'v1-mini' }),
  };
}

/**
 * Delays in milliseconds, found with espeak callers and servers that answer at once: the framework's own
 * 300 to 2,500 ms end in 2.7 s of silence before the first sound, these in 0.8 s.
 */
export const TURN_TIMING = {
  endpointing: { minDelay: 300, maxDelay: 600 },
  vadSilenceMs: 250,
} as const;

/** The voice activity model of a process; loading takes a moment, so prewarmed processes have it. */
export async function loadVad(): Promise<VAD> {
  const silero = await import('@livekit/agents-plugin-silero');
  return silero.VAD.load({ minSilenceDuration: TURN_TIMING.vadSilenceMs });
}
