import { z } from 'zod';
import type { Child } from '../../embedded/child.ts';
import { findLiveKitServer } from '../../embedded/livekit-binary.ts';
import { startLiveKit } from '../../embedded/livekit-server.ts';
import { startNodeChild } from '../../embedded/node-child.ts';
import { freeTcpPort, isPortFree } from '../../embedded/ports.ts';
import { startPostgres } from '../../embedded/postgres.ts';
import { pollUntil } from '../../embedded/ready.ts';
import { FloorwalkerError } from '../../errors.ts';
import type { DemoFolder, DemoSecrets } from './folder.ts';
import { Keeper, type Running } from './keeper.ts';
import { chooseModels, type ModelChoice } from './models.ts';
import type { DemoOptions } from './options.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const HOST = '127.0.0.1';
const ROOT = new URL('../../../', import.meta.url);
const MAIN = new URL('src/main.ts', ROOT);
/** A conversation that is open at Ctrl-C has this long for its last words. */
const DRAIN_MS = 2_000;
const KILL_AFTER_MS = 6_000;

interface Ports {
  readonly postgres: number;
  readonly supabase: number;
  readonly livekit: number;
  readonly rehearsal: number;
  readonly metrics: number;
  readonly workers: readonly number[];
}

export interface DemoDeps {
  readonly options: DemoOptions;
  readonly env: Environment;
  readonly folder: DemoFolder;
  readonly secrets: DemoSecrets;
  readonly say: (line: string) => void;
  readonly onChange: () => void;
}

/** Settings of the embedded servers win over the environment's; the rest of it reaches worker and API unchanged. */
const OURS =
  /^(SUPABASE_|LIVEKIT_(URL|API_)|DATABASE_URL$|PORT$|HOST$|METRICS_PORT$|WORKER_(HOST|PORT)$|npm_|NODE_OPTIONS$)/;

/** All processes of a demo, each kept running, on ports that stay the same while it lives. */
export class DemoServices {
  readonly #deps: DemoDeps;
  readonly #ports: Ports;
  readonly #keepers: Keeper[] = [];
  readonly #livekitBinary: string;
  #postgresUrl = '';
  #models: ModelChoice | undefined;
  #stopped = false;

  private constructor(deps: DemoDeps, ports: Ports, livekitBinary: string) {
    this.#deps = deps;
    this.#ports = ports;
    this.#livekitBinary = livekitBinary;
  }

  /**
   * Looks whether everything is there, and starts nothing.
   *
   * @throws FloorwalkerError `cannot_listen`, `embedded_start_failed`
   */
  static async prepare(deps: DemoDeps): Promise<DemoServices> {
    const { port, workers } = deps.options;
    if (!(await isPortFree(port, HOST))) {
      throw new FloorwalkerError('cannot_listen', `Port ${port} is in use.`, {
        remedy: 'Stop what uses it, or choose another one: --port N.',
      });
    }
    const livekit = await findLiveKitServer(deps.env);
    if (!livekit) {
      throw new FloorwalkerError('embedded_start_failed', 'There is no livekit-server on this machine.', {
        remedy: 'Run "node scripts/setup.mjs", which brings one; "npm run demo" does it by itself.',
      });
    }
    const [postgres, supabase, livekitPort, rehearsal, metrics] = await Promise.all([
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
    ]);
    const workerPorts = await Promise.all(Array.from({ length: workers }, () => freeTcpPort()));
    const ports = { postgres, supabase, livekit: livekitPort, rehearsal, metrics, workers: workerPorts };
    return new DemoServices(deps, ports, livekit.path);
  }

  get postgresUrl(): string {
    return this.#postgresUrl;
  }

  get supabaseUrl(): string {
    return `http://${HOST}:${this.#ports.supabase}`;
  }

  get livekitUrl(): string {
    return `ws://${HOST}:${this.#ports.livekit}`;
  }

  get apiUrl(): string {
    return `http://${HOST}:${this.#deps.options.port}`;
  }

  /** Where the rehearsed caller gets a voice. */
  get speechBaseUrl(): string {
    return `http://${HOST}:${this.#ports.rehearsal}/v1`;
  }

  get processes(): { name: string; pid: number }[] {
    return this.#keepers.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
  }

  /** Database and media server, and the stand-ins for models: what can start without a schema. */
  async startServers(): Promise<void> {
    await Promise.all([
      this.#keep('PostgreSQL', () => this.#postgres()).then(() =>
        this.#keep('Supabase', () => this.#supabase()),
      ),
      this.#keep('LiveKit', () => this.#livekit()),
      this.#keep('rehearsal servers', () => this.#rehearsal()),
    ]);
  }

  /** Which model plays which part. */
  async chooseModels(): Promise<ModelChoice['words']> {
    this.#models = await chooseModels(this.#deps.env, {
      openaiBaseUrl: this.speechBaseUrl,
      deepgramBaseUrl: `ws://${HOST}:${this.#ports.rehearsal}`,
      key: this.#deps.secrets.rehearsalKey,
    });
    return this.#models.words;
  }

  async startOurs(businessId: string): Promise<void> {
    const workers = this.#ports.workers.map((port, index) =>
      this.#keep(`worker ${index + 1}`, () => this.#worker(index + 1, port, businessId)),
    );
    await Promise.all([this.#keep('API', () => this.#api()), ...workers]);
  }

  /** Workers first, which say goodbye, then what they need. */
  async stop(): Promise<void> {
    const stop = (wanted: (name: string) => boolean) =>
      Promise.all(this.#keepers.filter(({ name }) => wanted(name)).map((keeper) => keeper.stop()));
    this.#stopped = true;
    await stop((name) => name.startsWith('worker'));
    await stop((name) => name === 'API');
    await stop((name) => name === 'Supabase');
    await stop((name) => name === 'PostgreSQL');
    await stop((name) => name === 'LiveKit');
    await stop(() => true);
  }

  async #keep(name: string, start: () => Promise<Running>): Promise<void> {
    if (this.#stopped)
      throw new FloorwalkerError('embedded_start_failed', `${name} was not started: the demo ends`);
    const { say, onChange } = this.#deps;
    const keeper = new Keeper({ name, start, say, onChange });
    this.#keepers.push(keeper);
    await keeper.start();
  }

  async #postgres(): Promise<Running> {
    const { options, secrets, folder, say } = this.#deps;
    const server = await startPostgres({
      dataDir: options.dataDir,
      password: secrets.postgresPassword,
      port: this.#ports.postgres,
      logFile: folder.logFile('postgresql'),
    });
    if (!this.#postgresUrl && !server.clusterDir.startsWith(options.dataDir)) {
      say(
        `PostgreSQL's files are in ${server.clusterDir}: who runs it for root can't enter ${options.dataDir}`,
      );
    }
    this.#postgresUrl = server.url;
    return server;
  }

  #supabase(): Promise<Running> {
    const { secrets, folder } = this.#deps;
    return startNodeChild({
      name: 'Supabase',
      script: new URL('src/embedded/supabase-main.ts', ROOT),
      env: { ...this.#plain(), DO_NOT_TRACK: '1' },
      input: JSON.stringify({
        databaseUrl: this.#postgresUrl,
        port: this.#ports.supabase,
        keys: secrets.supabase,
      }),
      logFile: folder.logFile('supabase'),
      ready: (lines) => lines.line(/^\{"url":/),
    });
  }

  #livekit(): Promise<Running> {
    const { secrets, folder } = this.#deps;
    return startLiveKit({
      binary: this.#livekitBinary,
      keys: secrets.livekit,
      port: this.#ports.livekit,
      logFile: folder.logFile('livekit'),
    });
  }

  #rehearsal(): Promise<Running> {
    const { secrets, folder } = this.#deps;
    return startNodeChild({
      name: 'rehearsal servers',
      script: new URL('src/embedded/rehearsal/main.ts', ROOT),
      args: ['--port', String(this.#ports.rehearsal), `--key=${secrets.rehearsalKey}`],
      env: this.#plain(),
      logFile: folder.logFile('rehearsal'),
      ready: (lines) => lines.line(/^\{"url":/),
    });
  }

  #worker(number: number, port: number, businessId: string): Promise<Running> {
    return startNodeChild({
      name: `worker ${number}`,
      script: MAIN,
      args: ['worker'],
      env: {
        ...this.#settings(),
        TOOL_SERVERS: JSON.stringify(this.#toolServers(businessId)),
        ALLOW_INLINE_STDIO: '1',
        ALLOW_PRIVATE_ADDRESSES: '1',
        WORKER_HOST: HOST,
        WORKER_PORT: String(port),
        // One warm process is enough for a demo; each takes a core for seconds while the demo starts.
        WORKER_IDLE_PROCESSES: this.#deps.env.WORKER_IDLE_PROCESSES ?? '1',
        FLOORWALKER_DRAIN_MS: this.#deps.env.FLOORWALKER_DRAIN_MS ?? String(DRAIN_MS),
      },
      logFile: this.#deps.folder.logFile(`worker-${number}`),
      killAfterMs: KILL_AFTER_MS,
      ready: (lines) => lines.line(/registered with LiveKit/),
    });
  }

  #api(): Promise<Running> {
    return startNodeChild({
      name: 'API',
      script: MAIN,
      args: ['api'],
      env: {
        ...this.#settings(),
        HOST,
        PORT: String(this.#deps.options.port),
        METRICS_PORT: String(this.#ports.metrics),
      },
      logFile: this.#deps.folder.logFile('api'),
      killAfterMs: KILL_AFTER_MS,
      ready: (_lines, child) => this.#apiAnswers(child),
    });
  }

  #apiAnswers(child: Child): Promise<void> {
    const ready = async () => {
      try {
        return (await fetch(`${this.apiUrl}/readyz`)).ok;
      } catch {
        return false;
      }
    };
    return Promise.resolve().then(async () => {
      // The child is given to us before it is started.
      while (child.pid === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      await pollUntil(child, ready);
    });
  }

  /** The environment without what the demo decides. */
  #plain(): Record<string, string | undefined> {
    return Object.fromEntries(Object.entries(this.#deps.env).filter(([name]) => !OURS.test(name)));
  }

  #settings(): Record<string, string | undefined> {
    const { secrets, env } = this.#deps;
    const level = env.LOG_LEVEL?.toLowerCase();
    return {
      ...this.#plain(),
      ...this.#models?.settings,
      LIVEKIT_URL: this.livekitUrl,
      LIVEKIT_API_KEY: secrets.livekit.apiKey,
      LIVEKIT_API_SECRET: secrets.livekit.apiSecret,
      SUPABASE_URL: this.supabaseUrl,
      SUPABASE_SECRET_KEY: secrets.supabase.secretKey,
      SUPABASE_PUBLISHABLE_KEY: secrets.supabase.publishableKey,
      // A worker says at "info" that it is ready; the log goes to a file, so more of it disturbs nobody.
      LOG_LEVEL: level === 'debug' || level === 'trace' ? level : 'info',
    };
  }

  /** The shop's tool server beside those that the environment names. */
  #toolServers(businessId: string): unknown {
    const orders = {
      command: process.execPath,
      args: [new URL('tools/orders/main.ts', ROOT).pathname],
      env: {
        ORDERS_SUPABASE_URL: this.supabaseUrl,
        ORDERS_SUPABASE_KEY: this.#deps.secrets.supabase.secretKey,
        ORDERS_BUSINESS_ID: businessId,
      },
    };
    return { orders, ...readToolServers(this.#deps.env.TOOL_SERVERS) };
  }
}

function readToolServers(text: string | undefined): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text || '{}'));
  } catch (cause) {
    throw new FloorwalkerError('config_invalid', 'TOOL_SERVERS is not a JSON object.', { cause });
  }
}
