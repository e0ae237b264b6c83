import { z } from 'zod';

/** `agents.model_settings`. */
export const modelSettingsSchema = z.looseObject({
  llm_model: z.string().min(1).default('gpt-4.1'),
  temperature: z.number().min(0).max(2).optional(),
  /** Asked when `llm_model` can't answer. */
  fallback_model: z.string().min(1).optional(),
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
