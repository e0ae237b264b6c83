type Environment = Readonly<Record<string, string | undefined>>;

export interface RehearsalAddresses {
  readonly openaiBaseUrl: string;
  readonly deepgramBaseUrl: string;
  readonly key: string;
}

/** Which server plays which part, as settings of a worker and in words. */
export interface ModelChoice {
  readonly settings: Record<string, string>;
  readonly words: { readonly llm: string; readonly tts: string; readonly stt: string };
}

const REHEARSAL = 'the rehearsal server (a script, no AI)';
const PROBE_TIMEOUT_MS = 10_000;

/** An OpenAI-compatible server need not speak: many have a language model only. */
async function speaks(baseUrl: string, key: string): Promise<boolean> {
  try {
    const response = await fetch(`${baseUrl.replace(/\/+$/, '')}/audio/speech`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({
        model: 'gpt-4o-mini-tts',
        voice: 'coral',
        input: 'Hello.',
        response_format: 'pcm',
      }),
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    return response.ok && (await response.arrayBuffer()).byteLength > 0;
  } catch {
    return false;
  }
}

/** What the environment names replaces the rehearsal servers one by one. */
export async function chooseModels(env: Environment, rehearsal: RehearsalAddresses): Promise<ModelChoice> {
  const ownModel = Boolean(env.OPENAI_BASE_URL || env.OPENAI_API_KEY);
  const ownSpeech = Boolean(env.OPENAI_TTS_BASE_URL || env.OPENAI_TTS_API_KEY);
  const ownEars = Boolean(env.DEEPGRAM_BASE_URL || env.DEEPGRAM_API_KEY);
  const openai = env.OPENAI_BASE_URL ?? 'https://api.openai.com/v1';
  const key = env.OPENAI_API_KEY ?? 'none';
  const speaking = ownSpeech || (ownModel && (await speaks(openai, key)));
  const ttsAddress = env.OPENAI_TTS_BASE_URL ?? openai;
  return {
    settings: {
      OPENAI_API_KEY: ownModel ? key : rehearsal.key,
      OPENAI_BASE_URL: ownModel ? openai : rehearsal.openaiBaseUrl,
      OPENAI_TTS_API_KEY: speaking ? (env.OPENAI_TTS_API_KEY ?? key) : rehearsal.key,
      OPENAI_TTS_BASE_URL: speaking ? ttsAddress : rehearsal.openaiBaseUrl,
      DEEPGRAM_API_KEY: ownEars ? (env.DEEPGRAM_API_KEY ?? 'none') : rehearsal.key,
      ...(env.DEEPGRAM_BASE_URL ? { DEEPGRAM_BASE_URL: env.DEEPGRAM_BASE_URL } : {}),
      ...(ownEars ? {} : { DEEPGRAM_BASE_URL: rehearsal.deepgramBaseUrl }),
      // Whoever looks at a page must know what they talk to.
      FLOORWALKER_REHEARSAL: ownModel && speaking && ownEars ? '0' : '1',
    },
    words: {
      llm: ownModel ? openai : REHEARSAL,
      tts: speaking ? ttsAddress : REHEARSAL,
      stt: ownEars ? (env.DEEPGRAM_BASE_URL ?? 'Deepgram') : REHEARSAL,
    },
  };
}
