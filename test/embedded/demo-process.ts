import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const LAUNCHER = fileURLToPath(new URL('../../bin/floorwalker', import.meta.url));

const descriptionSchema = z.strictObject({
  api_url: z.url(),
  supabase_url: z.url(),
  supabase_secret_key: z.string(),
  supabase_publishable_key: z.string(),
  livekit_url: z.url(),
  livekit_api_key: z.string(),
  livekit_api_secret: z.string(),
  supervisors: z.array(
    z.strictObject({ email: z.email(), password: z.string(), supervisor_type: z.enum(['voice', 'chat']) }),
  ),
  admin: z.strictObject({ email: z.email(), password: z.string() }),
  agents: z.array(z.strictObject({ id: z.guid(), name: z.string(), agent_type: z.enum(['voice', 'chat']) })),
  processes: z.array(z.strictObject({ name: z.string(), pid: z.number() })),
});
export type Description = z.output<typeof descriptionSchema>;

/** A demo as a person starts it. */
export class DemoProcess {
  output = '';
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  constructor(dataDir: string, args: readonly string[], env: Record<string, string> = {}) {
    this.dataDir = dataDir;
    this.#child = spawn(LAUNCHER, ['demo', '--data', dataDir, ...args], {
      env: { ...withoutSettings(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    this.#exited = once(this.#child, 'close').then(() => this.#child.exitCode);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get exited(): Promise<number | null> {
    return this.#exited;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async until(pattern: RegExp, withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!pattern.test(this.output)) {
      const over = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (over || Date.now() > deadline) throw new Error(`no ${pattern} in:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async describe(): Promise<Description> {
    return descriptionSchema.parse(JSON.parse(await readFile(join(this.dataDir, 'demo.json'), 'utf8')));
  }

  /** For the end of a test, in whatever state the demo is. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.kill('SIGINT');
    await this.#exited;
  }
}

/** A developer's own settings must not turn a rehearsal into one with a real model. */
function withoutSettings(): NodeJS.ProcessEnv {
  const ours =
    /^(OPENAI_|DEEPGRAM_|SUPABASE_|LIVEKIT_URL|LIVEKIT_API|FLOORWALKER_(?!CACHE_DIR)|NODE_ENV$|LOG_LEVEL$|VITEST)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
