import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processEnvironment } from '../config.ts';
import { migrate } from '../database/migrate.ts';
import { FloorwalkerError } from '../errors.ts';
import { createLog } from '../log.ts';
import { DemoFolder } from './demo/folder.ts';
import { markInUse, takeFolder } from './demo/lock.ts';
import { type DemoOptions, readOptions, USAGE } from './demo/options.ts';
import { rehearse } from './demo/rehearsal.ts';
import { provideBusiness, type Seeded, seedDemo } from './demo/seed.ts';
import { DemoServices } from './demo/services.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SAME_SIGNAL_MS = 1_000;

/**
 * `floorwalker demo`. Returns the exit status.
 *
 * @throws FloorwalkerError when it can't be started; nothing of it is left then
 */
export async function runDemo(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const stopped = new AbortController();
  let firstAt = 0;
  const onSignal = (): void => {
    firstAt ||= Date.now();
    // The second time a person means it: our children end with us, whatever they are doing. But npm passes on the
    // Ctrl-C that the terminal has sent us already: what comes at once is the same one.
    if (Date.now() - firstAt > SAME_SIGNAL_MS) process.exit(130);
    stopped.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const lock = takeFolder(options.dataDir);
  const unmark = markInUse(ROOT);
  try {
    if (lock.predecessor !== undefined) {
      say(`a demo that was killed (process ${lock.predecessor}) left its lock; taking over its folder`);
    }
    return await new Demo({ ...options, dataDir: resolve(options.dataDir) }, stopped.signal).run();
  } finally {
    unmark();
    lock.release();
    for (const signal of SIGNALS) process.off(signal, onSignal);
    // LiveKit's client library, which the rehearsed customer uses, keeps a process alive that has nothing left to do.
    setTimeout(() => process.exit(), 200).unref();
  }
}

function say(line: string): void {
  process.stdout.write(`demo: ${line}\n`);
}

class Demo {
  readonly #options: DemoOptions;
  readonly #stop: AbortSignal;
  readonly #folder: DemoFolder;
  readonly #since = Date.now();
  #services: DemoServices | undefined;
  #seeded: Seeded | undefined;
  #describe: () => void = () => {};

  constructor(options: DemoOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
    this.#folder = new DemoFolder(options.dataDir);
  }

  async run(): Promise<number> {
    this.#folder.forget();
    try {
      await this.#unlessStopped(this.#start());
      const truths = this.#options.rehearsal ? await this.#unlessStopped(this.#rehearse()) : true;
      if (this.#options.once) return truths ? 0 : 1;
      this.#invite();
      await this.#untilStopped();
      return 0;
    } catch (error) {
      if (error !== STOPPED) throw error;
      // Ctrl-C while it stays up is how it is meant to end; before that, its rehearsal did not come true.
      return this.#options.once ? 130 : 0;
    } finally {
      await this.#end();
    }
  }

  async #start(): Promise<void> {
    const env = processEnvironment();
    const secrets = await this.#folder.secrets();
    const services = await DemoServices.prepare({
      options: this.#options,
      env,
      folder: this.#folder,
      secrets,
      say,
      onChange: () => this.#describe(),
    });
    this.#services = services;
    const log = createLog({ level: 'warn' });
    await this.#step('database, media server and rehearsal servers run', services.startServers());
    await this.#step('the schema is up to date', migrate(services.postgresUrl, { log }));
    const supabase = { url: services.supabaseUrl, secretKey: secrets.supabase.secretKey };
    const businessId = await provideBusiness(supabase);
    const models = await services.chooseModels();
    const [seeded] = await Promise.all([
      this.#step(
        'a demo business with agents, people and orders is there',
        seedDemo({ supabase, passwords: secrets.passwords, log, say }, businessId),
      ),
      this.#step('API and workers run', services.startOurs(businessId)),
    ]);
    this.#seeded = seeded;
    this.#describe = () =>
      this.#folder.describe({
        api_url: services.apiUrl,
        supabase_url: services.supabaseUrl,
        supabase_secret_key: secrets.supabase.secretKey,
        supabase_publishable_key: secrets.supabase.publishableKey,
        livekit_url: services.livekitUrl,
        livekit_api_key: secrets.livekit.apiKey,
        livekit_api_secret: secrets.livekit.apiSecret,
        supervisors: seeded.supervisors,
        admin: seeded.admin,
        agents: seeded.agents,
        processes: services.processes,
      });
    this.#describe();
    say(`language model: ${models.llm}`);
    say(`voice: ${models.tts}; speech recognition: ${models.stt}`);
    say(`ready after ${this.#seconds()} s: API at ${services.apiUrl}, logs in ${this.#folder.path}/logs`);
  }

  async #rehearse(): Promise<boolean> {
    const [services, seeded] = [this.#services, this.#seeded];
    if (!services || !seeded) throw new Error('the demo is not started');
    const secrets = await this.#folder.secrets();
    return rehearse({
      apiUrl: services.apiUrl,
      supabase: {
        url: services.supabaseUrl,
        secretKey: secrets.supabase.secretKey,
        publishableKey: secrets.supabase.publishableKey,
      },
      speech: { baseUrl: services.speechBaseUrl, key: secrets.rehearsalKey },
      seeded,
      stop: this.#stop,
      print: (line) => process.stdout.write(`${line}\n`),
    });
  }

  #invite(): void {
    const data = this.#options.dataDir === resolve('.floorwalker') ? '' : ` --data ${this.#options.dataDir}`;
    const chat = this.#seeded?.agents.find(({ agent_type }) => agent_type === 'chat')?.name ?? 'the agent';
    const { apiUrl } = this.#services ?? { apiUrl: '' };
    process.stdout.write(`
The demo stays up. In a browser on this machine:

  ${apiUrl}/try       you are a customer: chat with ${chat}, or call
  ${apiUrl}/console   you are the supervisor, or the admin:

${this.#signIns()}

Ask for a refund of order 1051, your number being +1 202 555 0142: the refund waits for the supervisor. The same in
terminals, in this folder:

  npx floorwalker chat${data}
  npx floorwalker supervise${data}

Addresses, keys and passwords are in ${this.#folder.path}/demo.json. API: ${apiUrl}/openapi.json

Ctrl-C stops everything.
`);
  }

  /** Who can sign in. Passwords go to a person's terminal alone: what is piped may end in a log that others read. */
  #signIns(): string {
    const people = [...(this.#seeded?.supervisors ?? []), ...(this.#seeded ? [this.#seeded.admin] : [])];
    const widest = Math.max(...people.map(({ email }) => email.length));
    return people
      .map(({ email, password }) => {
        const shown = process.stdout.isTTY ? password : '(its password is in demo.json)';
        return `    ${email.padEnd(widest)}   ${shown}`;
      })
      .join('\n');
  }

  async #end(): Promise<void> {
    const since = Date.now();
    this.#folder.forget();
    if (!this.#services) return;
    say('stopping: workers, API, database, LiveKit');
    await this.#services.stop();
    say(`stopped after ${((Date.now() - since) / 1000).toFixed(1)} s`);
  }

  async #step<T>(what: string, work: Promise<T>): Promise<T> {
    const since = Date.now();
    const result = await work;
    say(`${what} (${((Date.now() - since) / 1000).toFixed(1)} s)`);
    return result;
  }

  #seconds(): string {
    return ((Date.now() - this.#since) / 1000).toFixed(1);
  }

  #unlessStopped<T>(work: Promise<T>): Promise<T> {
    // When we stop waiting for it, its failure is of no interest: what it used is being stopped.
    work.catch(() => {});
    return Promise.race([work, this.#untilStopped().then((): never => Promise.reject(STOPPED) as never)]);
  }

  #untilStopped(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stop.aborted) resolve();
      this.#stop.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

const STOPPED = new FloorwalkerError('internal', 'The demo was asked to stop.');
