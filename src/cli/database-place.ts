import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Config, inspectConfig } from '../config.ts';
import { FloorwalkerError } from '../errors.ts';
import { type CommandDeps, printLines } from './command-deps.ts';

const demoSchema = z.object({
  supabase_url: z.url(),
  supabase_secret_key: z.string().min(1),
  supabase_publishable_key: z.string().min(1).optional(),
});

/**
 * Which database a command works on: the one of the environment, or else that of the demo that runs on
 * `dataFolder`, so that a second terminal beside `npm run demo` needs no settings.
 *
 * @throws FloorwalkerError `config_invalid`
 */
export function findDatabase(deps: CommandDeps, dataFolder: string): Config['supabase'] {
  const { config, problems } = inspectConfig(deps.env);
  const ours = problems.filter(({ setting }) => setting.startsWith('SUPABASE_'));
  if (ours.length === 0) return config.supabase;
  const untouched = !Object.keys(deps.env).some((name) => name.startsWith('SUPABASE_') && deps.env[name]);
  const demo = untouched ? readDemo(dataFolder) : undefined;
  if (demo !== undefined) {
    printLines(deps, [`Using the database of the demo that runs on ${dataFolder}.`]);
    return {
      url: demo.supabase_url,
      secretKey: demo.supabase_secret_key,
      publishableKey: demo.supabase_publishable_key,
      publicUrl: undefined,
    };
  }
  const lines = ours.map(({ setting, problem, remedy }) => `${setting} ${problem}. ${remedy}`);
  throw new FloorwalkerError('config_invalid', lines.join('\n'), { details: { problems: ours } });
}

function readDemo(folder: string): z.output<typeof demoSchema> | undefined {
  try {
    return demoSchema.safeParse(JSON.parse(readFileSync(join(folder, 'demo.json'), 'utf8'))).data;
  } catch {
    return undefined;
  }
}
