import { z } from 'zod';

/**
 * The form of an agent definition. Field names are those of the tables `agents` and `agent_tools`, so that what a
 * file says is what the database holds.
 */

const modelSettingsSchema = z.strictObject({
  llm_model: z.string().min(1),
  temperature: z.number().min(0).max(2).optional(),
  // Asked when llm_model can't answer.
  fallback_model: z.string().min(1).optional(),
});

const voiceSettingsSchema = z.strictObject({
  stt_model: z.string().min(1),
  tts_model: z.string().min(1),
  voice: z.string().min(1),
  // OpenAI's range for the speed of speech.
  speed: z.number().min(0.25).max(4).default(1),
});

const toolSchema = z.strictObject({
  // What chat-completions APIs accept as the name of a function.
  tool_name: z.string().regex(/^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/),
  requires_permission: z.boolean().default(false),
  tool_config: z.record(z.string(), z.unknown()),
});

export const agentSchema = z.strictObject({
  slug: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
  name: z.string().trim().min(1).max(80),
  agent_type: z.enum(['voice', 'chat']),
  language: z.string().refine(isLanguageTag).transform(canonicalTag).default('en'),
  public: z.boolean().default(false),
  max_concurrent_interactions: z.number().int().min(1).max(1000).default(10),
  greeting: z.string().max(500).nullable().default(null),
  system_prompt: z.string().trim().min(1).max(50_000),
  model_settings: modelSettingsSchema,
  voice_settings: voiceSettingsSchema.optional(),
  tools: z.array(toolSchema).default([]),
});

export type AgentDefinition = z.output<typeof agentSchema>;
export type ToolRowDefinition = AgentDefinition['tools'][number];

/** What to do about a field that does not fit; `[]` stands for any index. */
const REMEDIES: Readonly<Record<string, string>> = {
  slug: 'write lower-case letters, digits and hyphens, for example "chat-support"',
  name: 'write the name the agent goes by, up to 80 characters',
  agent_type: 'write chat or voice',
  language: 'write a language tag, for example en or en-GB',
  public: 'write true or false',
  max_concurrent_interactions: 'write a whole number from 1 to 1000',
  greeting: 'write up to 500 characters, or leave it out for the standard greeting',
  system_prompt: 'write what the agent does and how, up to 50,000 characters',
  model_settings: 'write llm_model, and temperature and fallback_model if you like',
  'model_settings.llm_model': 'write the name of a model, for example gpt-4.1-mini',
  'model_settings.fallback_model': 'write the name of another model, or leave it out',
  'model_settings.temperature': 'write a number from 0 to 2',
  voice_settings: 'write stt_model, tts_model, voice and speed',
  'voice_settings.stt_model': 'write the name of a Deepgram model, for example nova-3',
  'voice_settings.tts_model': 'write the name of an OpenAI speech model, for example gpt-4o-mini-tts',
  'voice_settings.voice': "write one of the speech model's voices, for example coral",
  'voice_settings.speed': 'write a number from 0.25 to 4; 1 is normal',
  tools: 'write a list of tools, each with tool_name and tool_config',
  'tools[].tool_name': 'write letters, digits, _ and -, beginning with a letter, up to 64 characters',
  'tools[].requires_permission': 'write true or false',
  'tools[].tool_config': 'write how the tool is reached, for example { transport: stdio, server: orders }',
};

export type FieldPath = readonly (string | number)[];

/** What a check of a definition reports; the file and the line are added by the caller. */
export interface FieldProblem {
  path: FieldPath;
  problem: string;
  remedy?: string;
}

/** `tools[1].tool_name` */
export function fieldName(path: FieldPath): string {
  let name = '';
  for (const part of path) name += typeof part === 'number' ? `[${part}]` : name === '' ? part : `.${part}`;
  return name === '' ? 'the file' : name;
}

export function remedyFor(path: FieldPath): string {
  for (let length = path.length; length > 0; length -= 1) {
    const remedy = REMEDIES[fieldName(path.slice(0, length)).replace(/\[\d+\]/g, '[]')];
    if (remedy !== undefined) return remedy;
  }
  return 'write the fields of an agent: slug, name, agent_type, system_prompt, model_settings and so on';
}

function isLanguageTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

function canonicalTag(tag: string): string {
  return Intl.getCanonicalLocales(tag)[0] ?? tag;
}
