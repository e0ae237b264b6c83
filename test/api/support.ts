import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, beforeEach, expect } from 'vitest';
import { z } from 'zod';
import { ApiServer } from '../../src/api/server.ts';
import type { ApiSettings } from '../../src/api/settings.ts';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { setupLiveKit, type TestLiveKit } from '../support/livekit.ts';

/** What tests read of a body; that it is there is checked against the API's own document first. */
export interface Body {
  readonly [field: string]: unknown;
  readonly id: string;
  readonly interaction_id: string;
  readonly room: string;
  readonly url: string;
  readonly token: string;
  readonly resume_token: string;
  readonly code: string;
  readonly problems: readonly unknown[];
  readonly data: readonly Body[];
  readonly next_cursor: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface CallOptions {
  readonly method?: string;
  readonly body?: unknown;
  /** Sent as it is instead of JSON. */
  readonly rawBody?: string;
  readonly headers?: Record<string, string>;
  /** A signed-in person's access token. */
  readonly token?: string;
  /** The publishable key; true for the right one. */
  readonly key?: true | string;
}

const documentSchema = z.looseObject({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ responses: z.record(z.string(), z.looseObject({})) })),
  ),
});
export type ApiDocument = z.output<typeof documentSchema>;

function pathPattern(template: string): RegExp {
  return new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`);
}

function escapePointer(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Checks each answer against the document that describes it. */
class Contract {
  readonly #document: ApiDocument;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });

  constructor(document: unknown) {
    this.#document = documentSchema.parse(document);
    this.#ajv.addSchema(document as object, 'document');
  }

  check(method: string, path: string, answer: Answer): void {
    const template = Object.keys(this.#document.paths).find(
      (candidate) => pathPattern(candidate).test(path) && this.#document.paths[candidate]?.[method],
    );
    if (template === undefined) return;
    const where = `${method} ${template} ${answer.status}`;
    const response = this.#document.paths[template]?.[method]?.responses[String(answer.status)];
    expect(response, `${where} is in the document`).toBeDefined();
    if (answer.status === 204) {
      expect(response?.content, `${where} has no content`).toBeUndefined();
      return;
    }
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    const pointer = [
      'paths',
      template,
      method,
      'responses',
      String(answer.status),
      'content',
      type,
      'schema',
    ];
    const validate = this.#ajv.compile({ $ref: `document#/${pointer.map(escapePointer).join('/')}` });
    expect(validate(answer.body), `${where}: ${JSON.stringify(validate.errors)}`).toBe(true);
  }
}

export interface TestApi {
  readonly url: string;
  readonly metricsUrl: string;
  readonly settings: ApiSettings;
  readonly document: ApiDocument;
  call(path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export interface ApiOverrides {
  readonly api?: Partial<ApiSettings['api']>;
  readonly livekit?: Partial<ApiSettings['livekit']>;
  readonly supabase?: Partial<ApiSettings['supabase']>;
  readonly figures?: Partial<ApiSettings['figures']>;
}

export function apiSettings(
  database: Pick<TestDatabase, 'supabaseUrl' | 'secretKey' | 'publishableKey'>,
  livekit: TestLiveKit,
  overrides: ApiOverrides = {},
): ApiSettings {
  const config = loadConfig({
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
    SUPABASE_URL: database.supabaseUrl,
    SUPABASE_SECRET_KEY: database.secretKey,
    SUPABASE_PUBLISHABLE_KEY: database.publishableKey,
    OPENAI_API_KEY: 'unused',
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
    // Tests create far more than one customer does; those of the limits set their own.
    LIMIT_ADDRESS_PER_MINUTE: '1000',
    LIMIT_ADDRESS_OPEN: '1000',
    LIMIT_AGENT_PER_MINUTE: '1000',
    LIMIT_BUSINESS_OPEN: '1000',
  });
  return {
    ...config,
    api: { ...config.api, ...overrides.api },
    livekit: { ...config.livekit, ...overrides.livekit },
    supabase: { ...config.supabase, ...overrides.supabase },
    figures: { ...config.figures, ...overrides.figures },
  };
}

/** An API of its own on free ports. */
export async function startApi(settings: ApiSettings): Promise<TestApi> {
  const server = new ApiServer(settings, createLog({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }));
  const { port, metricsPort } = await server.start();
  const url = `http://127.0.0.1:${port}`;
  const document: unknown = await (await fetch(`${url}/openapi.json`)).json();
  const contract = new Contract(document);

  const call = async (path: string, options: CallOptions = {}): Promise<Answer> => {
    const method =
      options.method ?? (options.body === undefined && options.rawBody === undefined ? 'GET' : 'POST');
    const payload =
      options.rawBody ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const key = options.key === true ? (settings.supabase.publishableKey ?? '') : options.key;
    const response = await fetch(`${url}${path}`, {
      method,
      ...(payload === undefined ? {} : { body: payload }),
      headers: {
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(key === undefined ? {} : { apikey: key }),
        ...options.headers,
      },
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Body,
    };
    contract.check(method.toLowerCase(), path.split('?')[0] ?? '', answer);
    return answer;
  };

  return {
    url,
    metricsUrl: `http://127.0.0.1:${metricsPort}`,
    settings,
    document: documentSchema.parse(document),
    call,
    stop: () => server.stop(),
  };
}

export interface Floor {
  readonly api: TestApi;
  readonly database: TestDatabase;
  readonly livekit: TestLiveKit;
  stop(): Promise<void>;
}

/** Database, LiveKit and API, as most files need them. */
export async function setupFloor(overrides: ApiOverrides = {}): Promise<Floor> {
  const livekit = setupLiveKit();
  const database = await setupDatabase();
  const api = await startApi(apiSettings(database, livekit, overrides));
  return {
    api,
    database,
    livekit,
    stop: async () => {
      await api.stop();
      await database.stop();
    },
  };
}

/** Before the first test, and before one that is tried again: what a try left behind is no part of the next. */
export function forEachTry(setup: () => Promise<void>): void {
  beforeAll(setup);
  beforeEach(async ({ task }) => {
    if (task.result?.retryCount) await setup();
  });
}

/** Polls until the probe gives something other than undefined; fails with the label at the deadline. */
export async function eventually<T>(
  label: string,
  probe: () => T | undefined | Promise<T | undefined>,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${label}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 20);
    await promise;
  }
}
