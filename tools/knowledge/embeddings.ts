import { z } from 'zod';
import type { Environment } from '../serving/settings.ts';

export interface Embeddings {
  readonly model: string;
  /** One vector for each text, in their order. @throws Error when the endpoint does not answer as it should */
  embed(texts: readonly string[], options: { timeoutMs: number; attempts: number }): Promise<number[][]>;
}

const answerSchema = z.object({
  data: z.array(z.object({ index: z.number().int(), embedding: z.array(z.number()).min(1) })),
});

/** An endpoint as OpenAI's: KNOWLEDGE_EMBEDDINGS_URL, _KEY and _MODEL. Undefined when none is set. */
export function embeddingsFrom(env: Environment, wait = pause): Embeddings | undefined {
  const base = env.KNOWLEDGE_EMBEDDINGS_URL;
  if (!base) return undefined;
  if (!URL.canParse(base)) {
    throw new Error(
      'KNOWLEDGE_EMBEDDINGS_URL is not an address. Set it to that of an OpenAI-compatible API, as https://api.openai.com/v1.',
    );
  }
  const url = `${base.replace(/\/$/, '')}/embeddings`;
  const key = env.KNOWLEDGE_EMBEDDINGS_KEY;
  const model = env.KNOWLEDGE_EMBEDDINGS_MODEL || 'text-embedding-3-small';
  const headers = {
    'content-type': 'application/json',
    ...(key ? { authorization: `Bearer ${key}` } : {}),
  };
  const ask = async (texts: readonly string[], timeoutMs: number) => {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model, input: texts, encoding_format: 'float' }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) {
      throw Object.assign(new Error(`The embeddings endpoint answered ${response.status}.`), {
        final: response.status < 500 && response.status !== 429 && response.status !== 408,
      });
    }
    const { data } = answerSchema.parse(await response.json());
    if (data.length !== texts.length) throw new Error('The embeddings endpoint answered for other texts.');
    return data.sort((a, b) => a.index - b.index).map(({ embedding }) => embedding);
  };
  return {
    model,
    embed: async (texts, { timeoutMs, attempts }) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await ask(texts, timeoutMs);
        } catch (error) {
          const final = error instanceof Error && 'final' in error && error.final === true;
          if (final || attempt >= attempts) throw error;
          await wait(500 * 2 ** attempt);
        }
      }
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
