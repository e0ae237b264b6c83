import { RoomServiceClient } from 'livekit-server-sdk';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import { CHECK_TIMEOUT_MS, describeError, type Finding, Findings } from './check.ts';

const OPENAI = 'https://api.openai.com/v1';
const DEEPGRAM = 'https://api.deepgram.com';

export async function checkLiveKit(settings: Config['livekit']): Promise<readonly Finding[]> {
  const findings = new Findings('media');
  const client = new RoomServiceClient(settings.url, settings.apiKey, settings.apiSecret, {
    requestTimeout: CHECK_TIMEOUT_MS / 1000,
  });
  try {
    const rooms = await client.listRooms();
    findings.ok('LiveKit', `${settings.url} answers and accepts the key; ${rooms.length} rooms are open`);
  } catch (error) {
    const status = error instanceof Error && 'status' in error ? error.status : undefined;
    if (status === 401 || status === 403) {
      findings.fail(
        'LiveKit',
        `${settings.url} does not accept the key`,
        'Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and that the clock of this machine is right.',
      );
    } else {
      findings.fail(
        'LiveKit',
        `${settings.url} can not be reached (${describeError(error)})`,
        'Check LIVEKIT_URL; for LiveKit Cloud it is wss://<project>.livekit.cloud.',
      );
    }
  }
  return findings.list;
}

const modelListSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

/** `models`: what the server lists; undefined when it lists none (many compatible servers don't). */
export async function checkModel(
  settings: Config['llm'],
): Promise<{ findings: readonly Finding[]; models: readonly string[] | undefined }> {
  const findings = new Findings('model');
  const base = settings.baseUrl ?? OPENAI;
  let models: string[] | undefined;
  await ask(findings, {
    subject: 'language model',
    url: `${base}/models`,
    headers: { authorization: `Bearer ${settings.apiKey}` },
    keySetting: 'OPENAI_API_KEY',
    urlSetting: 'OPENAI_BASE_URL',
    async read(response) {
      if (response.ok)
        models = modelListSchema.safeParse(await response.json()).data?.data.map(({ id }) => id);
    },
  });
  return { findings: findings.list, models };
}

export async function checkSpeech(speech: Config['speech'], llm: Config['llm']): Promise<readonly Finding[]> {
  const findings = new Findings('speech');
  if (speech.openaiBaseUrl !== llm.baseUrl || speech.openaiApiKey !== llm.apiKey) {
    await ask(findings, {
      subject: 'speech synthesis',
      url: `${speech.openaiBaseUrl ?? OPENAI}/models`,
      headers: { authorization: `Bearer ${speech.openaiApiKey}` },
      keySetting: 'OPENAI_TTS_API_KEY',
      urlSetting: 'OPENAI_TTS_BASE_URL',
    });
  }
  if (speech.deepgramApiKey === undefined) return findings.list;
  const base = (speech.deepgramBaseUrl ?? DEEPGRAM).replace(/^ws/, 'http');
  await ask(findings, {
    subject: 'speech recognition',
    url: `${base}/v1/projects`,
    headers: { authorization: `Token ${speech.deepgramApiKey}` },
    keySetting: 'DEEPGRAM_API_KEY',
    urlSetting: 'DEEPGRAM_BASE_URL',
  });
  return findings.list;
}

interface Question {
  readonly subject: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly keySetting: string;
  readonly urlSetting: string;
  read?(response: Response): Promise<void>;
}

async function ask(findings: Findings, question: Question): Promise<void> {
  const { subject, url, headers, keySetting, urlSetting } = question;
  const { host } = new URL(url);
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
    if (response.status === 401 || response.status === 403) {
      findings.fail(subject, `${host} does not accept the key`, `Check ${keySetting}.`);
    } else if (response.status >= 500) {
      findings.fail(
        subject,
        `${host} answers with ${response.status}`,
        `Check ${urlSetting}, or try again later.`,
      );
    } else {
      await question.read?.(response);
      // A compatible server need not have this list; that it took the key is what counts.
      findings.ok(subject, response.ok ? `${host} answers and accepts the key` : `${host} answers`);
    }
  } catch (error) {
    findings.fail(
      subject,
      `${host} can not be reached (${describeError(error)})`,
      `Check ${urlSetting} and whether this machine may connect to ${host}.`,
    );
  }
}
