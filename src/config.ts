import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { FloorwalkerError } from './errors.ts';

/** One setting that can't be used, said so that an operator knows which one and what to do. */
export interface ConfigProblem {
  readonly setting: string;
  readonly problem: string;
  readonly remedy: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const TRUE = new Set(['1', 'true', 'yes', 'on']);
const FALSE = new Set(['0', 'false', 'no', 'off', '']);

/** Collects every problem before it gives up: an operator mends a start in one go, not in six. */
class Reader {
  readonly problems: ConfigProblem[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  raw(...names: string[]): string | undefined {
    for (const name of names) {
      const value = this.#env[name]?.trim();
      if (value !== undefined && value !== '') return value;
    }
    return undefined;
  }

  required(names: string[], remedy: string): string {
    const value = this.raw(...names);
    if (value !== undefined) return value;
    this.problem(names.join(' or '), 'is not set', remedy);
    return '';
  }

  url(names: string[], protocols: string[], remedy: string, required = true): string | undefined {
    const value = required ? this.required(names, remedy) : this.raw(...names);
    if (!value) return undefined;
    if (URL.canParse(value) && protocols.includes(new URL(value).protocol)) return value.replace(/\/+$/, '');
    const allowed = protocols.map((protocol) => `${protocol}//`).join(' or ');
    this.problem(names[0] ?? '', `is not an address that begins with ${allowed}`, remedy);
    return undefined;
  }

  number(name: string, fallback: number, bounds: { min: number; max: number; integer?: boolean }): number {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    const parsed = Number(value);
    const fits =
      parsed >= bounds.min && parsed <= bounds.max && (!bounds.integer || Number.isInteger(parsed));
    if (fits) return parsed;
    const kind = bounds.integer ? 'a whole number' : 'a number';
    this.problem(
      name,
      `is not ${kind} from ${bounds.min} to ${bounds.max}`,
      `Unset it for the default, ${fallback}.`,
    );
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#env[name]?.trim().toLowerCase();
    if (value === undefined) return fallback;
    if (TRUE.has(value)) return true;
    if (FALSE.has(value)) return false;
    this.problem(name, 'is neither 1 nor 0', `Unset it for the default, ${fallback ? 1 : 0}.`);
    return fallback;
  }

  list(name: string): string[] {
    return (this.raw(name) ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  }

  problem(setting: string, problem: string, remedy: string): void {
    this.problems.push({ setting, problem, remedy });
  }
}

/** Figures of the runtime, all in milliseconds unless the name says otherwise; defaults are the design's. */
const FIGURES = {
  leaseMs: 8_000,
  heartbeatMs: 2_000,
  permissionTimeoutMs: 360_000,
  escalationMs: 120_000,
  reassuranceMs: 25_000,
  silenceFirstMs: 12_000,
  silenceSecondMs: 24_000,
  silenceEndMs: 45_000,
  takeoverGraceMs: 30_000,
  rejoinVoiceMs: 60_000,
  rejoinChatMs: 600_000,
  metricsMs: 5_000,
  pollMs: 500,
  eventsPollMs: 100,
  searchPatienceMs: 50,
  fillerMs: 1_500,
  progressMs: 10_000,
  toolTimeoutMs: 30_000,
  drainMs: 600_000,
  endMs: 30_000,
  modelTimeoutMs: 10_000,
  joinTimeoutMs: 120_000,
  retentionMs: 600_000,
  databaseOutageMs: 180_000,
} as const;

/** A question to the database is given up after ten seconds: what may take long must have ended well before. */
const LONGEST: Readonly<Record<string, number>> = { searchPatienceMs: 5_000 };

export type Figures = { readonly [name in keyof typeof FIGURES]: number };

/** `permissionTimeoutMs` → `FLOORWALKER_PERMISSION_TIMEOUT_MS`. */
export function figureSetting(name: string): string {
  return `FLOORWALKER_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function readFigures(read: Reader): Figures {
  const entries = Object.entries(FIGURES).map(([name, fallback]) => [
    name,
    read.number(figureSetting(name), fallback, { min: 50, max: LONGEST[name] ?? 86_400_000 }),
  ]);
  const figures = Object.fromEntries(entries) as Figures;
  if (figures.heartbeatMs * 2 > figures.leaseMs) {
    read.problem(
      figureSetting('heartbeatMs'),
      `leaves no room for one lost heartbeat in a lease of ${figures.leaseMs} ms`,
      `Set it to at most half of ${figureSetting('leaseMs')}.`,
    );
  }
  if (figures.silenceFirstMs >= figures.silenceSecondMs || figures.silenceSecondMs >= figures.silenceEndMs) {
    read.problem(
      figureSetting('silenceFirstMs'),
      'the three silence settings do not follow one another',
      'Keep first < second < end.',
    );
  }
  return figures;
}

const serverSchema = z.strictObject({
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  cwd: z.string().optional(),
  runAs: z.strictObject({ uid: z.int().positive(), gid: z.int().positive() }).optional(),
  roots: z.array(z.string().startsWith('file://')).optional(),
});
const serversSchema = z.record(z.string().regex(/^[a-zA-Z0-9_-]+$/), serverSchema);

export type ToolServer = z.output<typeof serverSchema>;

function readServers(read: Reader): Record<string, ToolServer> {
  const text = read.raw('TOOL_SERVERS');
  if (text === undefined) return {};
  const remedy = 'Write JSON: {"orders": {"command": "node", "args": ["tools/orders/main.ts"], "env": {}}}.';
  try {
    const parsed = serversSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      read.problem('TOOL_SERVERS', `${issue.path.join('.') || 'the value'}: ${issue.message}`, remedy);
    }
  } catch {
    read.problem('TOOL_SERVERS', 'is not JSON', remedy);
  }
  return {};
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

function readLiveKit(read: Reader) {
  const remedy = 'Copy it from your LiveKit project; for a local try run `npm run demo` instead.';
  const url = read.url(['LIVEKIT_URL'], ['ws:', 'wss:', 'http:', 'https:'], remedy) ?? '';
  const apiKey = read.required(['LIVEKIT_API_KEY'], remedy);
  const apiSecret = read.required(['LIVEKIT_API_SECRET'], remedy);
  if (apiKey === 'devkey' && url !== '' && !LOOPBACK.has(new URL(url).hostname)) {
    read.problem(
      'LIVEKIT_API_KEY',
      'is the public development key, and LiveKit is not on this machine',
      'Make a key of your own on that server.',
    );
  }
  const publicUrl = read.url(
    ['LIVEKIT_PUBLIC_URL'],
    ['ws:', 'wss:'],
    'Unset it when customers reach LiveKit under LIVEKIT_URL.',
    false,
  );
  return { url, apiKey, apiSecret, publicUrl };
}

function readSupabase(read: Reader) {
  const remedy = 'Copy it from Project Settings → API keys; for a local try run `npm run demo` instead.';
  return {
    url: read.url(['SUPABASE_URL'], ['http:', 'https:'], remedy) ?? '',
    secretKey: read.required(['SUPABASE_SECRET_KEY', 'SUPABASE_SERVICE_ROLE_KEY'], remedy),
    publishableKey: read.raw('SUPABASE_PUBLISHABLE_KEY', 'SUPABASE_ANON_KEY'),
    /** Where browsers reach Supabase Auth, if not under the same address. */
    publicUrl: read.url(
      ['SUPABASE_PUBLIC_URL'],
      ['http:', 'https:'],
      'Unset it when browsers reach Supabase under SUPABASE_URL.',
      false,
    ),
  };
}

function readModels(read: Reader) {
  const openaiApiKey = read.required(
    ['OPENAI_API_KEY'],
    'Set the key of your model provider; a server that needs none still wants a value, for example "none".',
  );
  const openaiBaseUrl = read.url(
    ['OPENAI_BASE_URL'],
    ['http:', 'https:'],
    'Unset it for OpenAI itself.',
    false,
  );
  return {
    llm: { apiKey: openaiApiKey, baseUrl: openaiBaseUrl },
    speech: {
      openaiApiKey: read.raw('OPENAI_TTS_API_KEY') ?? openaiApiKey,
      openaiBaseUrl:
        read.url(['OPENAI_TTS_BASE_URL'], ['http:', 'https:'], 'Unset it for OPENAI_BASE_URL.', false) ??
        openaiBaseUrl,
      deepgramApiKey: read.raw('DEEPGRAM_API_KEY'),
      deepgramBaseUrl: read.url(
        ['DEEPGRAM_BASE_URL'],
        ['ws:', 'wss:', 'http:', 'https:'],
        'Unset it for Deepgram itself.',
        false,
      ),
    },
  };
}

function readTools(read: Reader, env: Environment, figures: Figures) {
  const tokenKeys = read.list('TOOL_TOKEN_KEY');
  return {
    allowInlineStdio: read.flag('ALLOW_INLINE_STDIO', false),
    allowPrivateAddresses: read.flag('ALLOW_PRIVATE_ADDRESSES', false),
    servers: readServers(read),
    defaultTimeoutMs: figures.toolTimeoutMs,
    maxResultChars: read.number('TOOL_MAX_RESULT_CHARS', 8_000, { min: 200, max: 200_000, integer: true }),
    serverConcurrency: read.number('TOOL_SERVER_CONCURRENCY', 16, { min: 1, max: 1_000, integer: true }),
    serverIdleMs: read.number('TOOL_SERVER_IDLE_MS', 300_000, { min: 0, max: 86_400_000, integer: true }),
    serverMaxMemoryMb: read.number('TOOL_SERVER_MAX_MEMORY_MB', 512, { min: 16, max: 65_536, integer: true }),
    /** Seal stored OAuth tokens: the first seals, the others still open what they sealed. */
    tokenKeys: (): readonly string[] => tokenKeys,
    // Secrets stay in the environment and are read when a call needs them, so that no copy of the
    // configuration (a log line, a doctor's report) can contain one.
    secret: (name: string): string | undefined => env[`TOOL_SECRET_${name}`],
    secretHosts: (name: string): readonly string[] =>
      (env[`TOOL_SECRET_${name}_HOSTS`] ?? '')
        .split(',')
        .flatMap((host) => (host.trim() ? [host.trim()] : [])),
  };
}

function readApi(read: Reader) {
  const count = (name: string, fallback: number) =>
    read.number(name, fallback, { min: 1, max: 1_000_000, integer: true });
  const port = (name: string, fallback: number) =>
    read.number(name, fallback, { min: 0, max: 65_535, integer: true });
  const proxies = read.list('TRUST_PROXY');
  return {
    host: read.raw('HOST') ?? '0.0.0.0',
    port: port('PORT', 8080),
    metricsPort: port('METRICS_PORT', 9090),
    /** Address of this API as browsers see it; its own pages are an allowed origin. */
    publicUrl: read.url(
      ['PUBLIC_URL'],
      ['http:', 'https:'],
      'Unset it when browsers use HOST and PORT.',
      false,
    ),
    /** Addresses or CIDR ranges of proxies whose X-Forwarded-For counts; none by default. */
    trustedProxies: proxies,
    limits: {
      perAddressPerMinute: count('LIMIT_ADDRESS_PER_MINUTE', 10),
      perAddressOpen: count('LIMIT_ADDRESS_OPEN', 5),
      perAgentPerMinute: count('LIMIT_AGENT_PER_MINUTE', 120),
      perBusinessOpen: count('LIMIT_BUSINESS_OPEN', 200),
      perBusinessMinutesPerDay: count('LIMIT_BUSINESS_MINUTES_PER_DAY', 20_000),
      streamsPerPerson: count('LIMIT_STREAMS_PER_PERSON', 10),
    },
  };
}

/** `isolated`: a process for each conversation. `shared`: many conversations to a process. */
export type Execution = 'isolated' | 'shared';

function readWorker(read: Reader) {
  const count = (name: string, fallback: number, min: number, max: number) =>
    read.number(name, fallback, { min, max, integer: true });
  const execution = (name: string, fallback: Execution): Execution => {
    const value = read.raw(name)?.toLowerCase() ?? fallback;
    if (value === 'isolated' || value === 'shared') return value;
    read.problem(name, 'is neither "isolated" nor "shared"', `Unset it for the default, "${fallback}".`);
    return fallback;
  };
  return {
    /**
     * For each channel: whether its conversations share processes, at most how many of them one worker holds (a hard
     * cap, not a load threshold), and for those that share, how many to a process and how large it may grow.
     */
    voice: {
      execution: execution('WORKER_VOICE_EXECUTION', 'isolated'),
      most: count('WORKER_MAX_INTERACTIONS', 10, 1, 1_000),
      perProcess: count('WORKER_CALLS_PER_PROCESS', 5, 1, 1_000),
      processMegabytes: count('WORKER_CALL_PROCESS_MB', 2_000, 200, 1_000_000),
    },
    chat: {
      execution: execution('WORKER_CHAT_EXECUTION', 'shared'),
      most: count('WORKER_MAX_CHATS', 100, 0, 10_000),
      perProcess: count('WORKER_CHATS_PER_PROCESS', 50, 1, 1_000),
      processMegabytes: count('WORKER_CHAT_PROCESS_MB', 2_000, 200, 1_000_000),
    },
    /** Where the folders are in which workers keep what waits for the database. */
    spoolDirectory: read.raw('WORKER_SPOOL_DIR') ?? tmpdir(),
    /** Where the sound of what is said to everybody is kept, and how much of it; with 0 none is. */
    sounds: {
      directory:
        read.raw('WORKER_SOUND_DIR') ?? join(tmpdir(), `floorwalker-sounds-${process.getuid?.() ?? 'user'}`),
      megabytes: count('WORKER_SOUND_MB', 200, 0, 100_000),
    },
    idleProcesses: count('WORKER_IDLE_PROCESSES', 2, 1, 64),
    host: read.raw('WORKER_HOST') ?? '0.0.0.0',
    port: read.number('WORKER_PORT', 8081, { min: 0, max: 65_535, integer: true }),
    logLevel: read.raw('LIVEKIT_LOG_LEVEL') ?? 'warn',
    /** What LiveKit's native client writes to the standard error stream, in the form that Rust's `env_logger` reads. */
    nativeLog: read.raw('RUST_LOG') ?? 'off',
  };
}

function readAll(env: Environment) {
  const read = new Reader(env);
  const figures = readFigures(read);
  const logLevel = read.raw('LOG_LEVEL')?.toLowerCase() ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) {
    read.problem('LOG_LEVEL', `is not one of ${LOG_LEVELS.join(', ')}`, 'Unset it for "info".');
  }
  const scorer = read.raw('SCORER') ?? 'device';
  if (scorer !== 'device' && scorer !== 'model') {
    read.problem(
      'SCORER',
      'is neither "device" nor "model"',
      'Unset it for "device", which needs no network.',
    );
  }
  const config = {
    livekit: readLiveKit(read),
    supabase: readSupabase(read),
    databaseUrl: read.raw('DATABASE_URL'),
    ...readModels(read),
    scoring: {
      scorer: scorer === 'model' ? ('model' as const) : ('device' as const),
      model: read.raw('SCORER_MODEL') ?? 'gpt-4.1-mini',
    },
    tools: readTools(read, env, figures),
    api: readApi(read),
    worker: readWorker(read),
    figures,
    /** On calls the model is asked with each complete sentence, before the turn is over. */
    headStart: read.flag('HEAD_START', false),
    /** A script plays the model or the speech services; pages say so. */
    rehearsal: read.flag('FLOORWALKER_REHEARSAL', false),
    logLevel,
  };
  return { config, problems: read.problems };
}

export type Config = ReturnType<typeof readAll>['config'];

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

/**
 * Reads and checks all settings together. Pure: the same environment gives the same configuration.
 *
 * @throws FloorwalkerError `config_invalid` with `details.problems` (a {@link ConfigProblem} each).
 */
export function loadConfig(env: Environment): Config {
  const { config, problems } = readAll(env);
  if (problems.length > 0) {
    const lines = problems.map(({ setting, problem, remedy }) => `${setting} ${problem}. ${remedy}`);
    throw new FloorwalkerError('config_invalid', lines.join('\n'), { details: { problems } });
  }
  return deepFreeze(config);
}

/** What can be read and what is wrong, for `floorwalker doctor`, which reports both. */
export function inspectConfig(env: Environment): { config: Config; problems: ConfigProblem[] } {
  return readAll(env);
}

/** The configuration of this process. The only place where the process's environment is read. */
export function loadProcessConfig(): Config {
  return loadConfig(process.env);
}

/** The one setting of `floorwalker migrate`, which needs none of the others. */
export function databaseSettings(): Pick<Config, 'databaseUrl'> {
  return { databaseUrl: process.env.DATABASE_URL?.trim() || undefined };
}

/** The settings of `floorwalker score --scorer model`, which needs none of the others. */
export function scorerSettings(): Pick<Config, 'llm' | 'scoring'> {
  const { config, problems } = readAll(process.env);
  const own = problems.filter(({ setting }) => /^(OPENAI_API_KEY|OPENAI_BASE_URL|SCORER)/.test(setting));
  if (own.length > 0) {
    const lines = own.map(({ setting, problem, remedy }) => `${setting} ${problem}. ${remedy}`);
    throw new FloorwalkerError('config_invalid', lines.join('\n'), { details: { problems: own } });
  }
  return { llm: config.llm, scoring: config.scoring };
}

/** Where a worker lets its processes keep what waits for the database; they inherit it, and nobody sets it. */
const SPOOL = 'FLOORWALKER_SPOOL_FOLDER';

export function handDownSpool(folder: string): void {
  process.env[SPOOL] = folder;
}

export function inheritedSpool(): string | undefined {
  return process.env[SPOOL];
}

/** For the demo, which hands the environment on to the processes it starts. */
export function processEnvironment(): Environment {
  return process.env;
}
