import createClient, { type Client } from 'openapi-fetch';
import { asProblem, readProblem } from './problem.ts';
import type { components, paths } from './schema.gen.ts';

export type Schemas = components['schemas'];
export type Api = Client<paths, `${string}/${string}`>;

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

const TIMEOUT_MS = 20_000;

/** The API with the caller's token, which may have been renewed since the last request. */
export function createApi(accessToken: () => Promise<string>): Api {
  const api = createClient<paths>({
    // A request that never ends would leave a button pressed for ever.
    fetch: (request) => fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS) }),
  });
  api.use({
    async onRequest({ request }) {
      request.headers.set('authorization', `Bearer ${await accessToken()}`);
      return request;
    },
  });
  return api;
}

/**
 * What was asked for.
 *
 * @throws Problem
 */
export async function answer<T>(asked: Promise<Answer<T>>): Promise<T> {
  let result: Answer<T>;
  try {
    result = await asked;
  } catch (error) {
    throw asProblem(error);
  }
  if (result.error !== undefined || !result.response.ok) {
    throw readProblem(result.response.status, result.error);
  }
  return result.data as T;
}
