import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { generateLiveKitKeys } from '../../embedded/livekit-server.ts';
import { generateSupabaseKeys } from '../../embedded/supabase.ts';

const secretsSchema = z.object({
  postgresPassword: z.string(),
  supabase: z.object({ jwtSecret: z.string(), publishableKey: z.string(), secretKey: z.string() }),
  livekit: z.object({ apiKey: z.string(), apiSecret: z.string() }),
  rehearsalKey: z.string(),
  passwords: z.object({ voice: z.string(), chat: z.string(), admin: z.string() }),
});
/** Made once for a data folder, so that who signed in stays signed in when the demo is started again. */
export type DemoSecrets = z.output<typeof secretsSchema>;

/** What `demo.json` tells other programs on this machine. */
export interface DemoDescription {
  readonly api_url: string;
  readonly supabase_url: string;
  readonly supabase_secret_key: string;
  readonly supabase_publishable_key: string;
  readonly livekit_url: string;
  readonly livekit_api_key: string;
  readonly livekit_api_secret: string;
  readonly supervisors: readonly { email: string; password: string; supervisor_type: 'voice' | 'chat' }[];
  readonly admin: { readonly email: string; readonly password: string };
  readonly agents: readonly { id: string; name: string; agent_type: 'voice' | 'chat' }[];
  readonly processes: readonly { name: string; pid: number }[];
}

/** Complete from its first moment, and for its owner's eyes alone. */
function writePrivate(path: string, content: unknown): void {
  const fresh = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(fresh, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, path);
}

/** The data folder of a demo: its secrets, its logs, its description. */
export class DemoFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  logFile(name: string): string {
    const folder = join(this.path, 'logs');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, `${name}.log`);
  }

  async secrets(): Promise<DemoSecrets> {
    const path = join(this.path, 'secrets.json');
    try {
      return secretsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
    const random = (): string => randomBytes(12).toString('base64url');
    const secrets: DemoSecrets = {
      postgresPassword: random() + random(),
      supabase: await generateSupabaseKeys(),
      livekit: generateLiveKitKeys(),
      rehearsalKey: random(),
      passwords: { voice: random(), chat: random(), admin: random() },
    };
    writePrivate(path, secrets);
    return secrets;
  }

  describe(description: DemoDescription): void {
    writePrivate(join(this.path, 'demo.json'), description);
  }

  forget(): void {
    rmSync(join(this.path, 'demo.json'), { force: true });
  }
}
