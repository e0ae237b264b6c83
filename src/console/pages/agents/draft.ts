import type { Schemas } from '../../client/api.ts';

type Detail = Schemas['AgentDetail'];
export type Edit = Schemas['EditAgent'];

/** A tool as the form holds it: its configuration is a text until it is sent, because people make mistakes in JSON. */
export interface ToolDraft {
  readonly key: string;
  readonly tool_name: string;
  readonly requires_permission: boolean;
  readonly config: string;
}

/** The form's fields; numbers are texts until they are sent. */
export interface Draft {
  readonly name: string;
  readonly language: string;
  readonly public: boolean;
  readonly max_concurrent_interactions: string;
  readonly greeting: string;
  readonly system_prompt: string;
  readonly model: string;
  readonly temperature: string;
  readonly stt_model: string;
  readonly tts_model: string;
  readonly voice: string;
  readonly speed: string;
  readonly tools: readonly ToolDraft[];
}

const words = (value: unknown): string => (value === undefined || value === null ? '' : String(value));

export function draftOf(agent: Detail): Draft {
  const { model_settings: model, voice_settings: voice } = agent;
  return {
    name: agent.name,
    language: agent.language,
    public: agent.public,
    max_concurrent_interactions: String(agent.max_concurrent_interactions),
    greeting: agent.greeting ?? '',
    system_prompt: agent.system_prompt,
    model: words(model.llm_model),
    temperature: words(model.temperature),
    stt_model: words(voice.stt_model),
    tts_model: words(voice.tts_model),
    voice: words(voice.voice),
    speed: words(voice.speed),
    tools: agent.tools.map((tool) => ({
      key: tool.tool_name,
      tool_name: tool.tool_name,
      requires_permission: tool.requires_permission,
      config: JSON.stringify(tool.tool_config, null, 2),
    })),
  };
}

export type FieldErrors = Readonly<Record<string, string>>;

function number(text: string): number | undefined {
  const value = Number(text.trim());
  return text.trim() === '' || Number.isNaN(value) ? undefined : value;
}

function readConfig(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Settings that the form has no field for stay as they are. */
function settings(
  before: Record<string, unknown>,
  changed: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...before, ...changed };
  return Object.fromEntries(
    Object.entries(merged).filter(([, value]) => value !== '' && value !== undefined),
  );
}

/** What is sent, or what has to be mended first; whether it makes sense as an agent is for the API to say. */
export function editOf(
  draft: Draft,
  agent: Detail,
  about: { version: number; note: string },
): { edit: Edit } | { errors: FieldErrors } {
  const errors: Record<string, string> = {};
  const read = (field: string, text: string, optional: boolean): number | undefined => {
    const value = number(text);
    if (value === undefined && !(optional && text.trim() === '')) errors[field] = 'Write a number.';
    return value;
  };
  const most = read('max_concurrent_interactions', draft.max_concurrent_interactions, false);
  const temperature = read('model_settings.temperature', draft.temperature, true);
  const speed = read('voice_settings.speed', draft.speed, true);
  const tools = draft.tools.map((tool, index) => {
    const tool_config = readConfig(tool.config);
    if (!tool_config) errors[`tools[${index}].tool_config`] = 'This is not a JSON object.';
    return {
      tool_name: tool.tool_name.trim(),
      requires_permission: tool.requires_permission,
      tool_config: tool_config ?? {},
    };
  });
  if (Object.keys(errors).length > 0 || most === undefined) return { errors };
  const { stt_model, tts_model, voice } = draft;
  const edit: Edit = {
    version: about.version,
    ...(about.note.trim() === '' ? {} : { note: about.note.trim() }),
    name: draft.name,
    language: draft.language,
    public: draft.public,
    max_concurrent_interactions: most,
    greeting: draft.greeting.trim() === '' ? null : draft.greeting,
    system_prompt: draft.system_prompt,
    model_settings: settings(agent.model_settings, { llm_model: draft.model, temperature }),
    voice_settings:
      agent.agent_type === 'voice'
        ? settings(agent.voice_settings, { stt_model, tts_model, voice, speed })
        : agent.voice_settings,
    tools,
  };
  return { edit };
}
