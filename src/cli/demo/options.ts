import { parseArgs } from 'node:util';
import { z } from 'zod';
import { FloorwalkerError } from '../../errors.ts';

export const USAGE = `usage: floorwalker demo [options]

Starts database, media server, worker and API on this machine, plays one rehearsed chat and one rehearsed voice
call, and stays up until Ctrl-C.

  --once           end after the rehearsal, with status 0 only if everything in it came true
  --no-rehearsal   go straight to staying up
  --port N         of the API (default 8080)
  --data DIR       where everything is kept (default .floorwalker)
  --workers N      how many workers (default 1)
  --help           show this`;

export interface DemoOptions {
  readonly once: boolean;
  readonly rehearsal: boolean;
  readonly port: number;
  readonly dataDir: string;
  readonly workers: number;
}

const optionsSchema = z.object({
  port: z.coerce.number().int().min(1).max(65_535),
  workers: z.coerce.number().int().min(1).max(32),
  data: z.string().min(1),
});

/**
 * Undefined when help was asked for.
 *
 * @throws FloorwalkerError `invalid_request` for an option that is not understood
 */
export function readOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success) {
    const names = parsed.error.issues.map((issue) => `--${String(issue.path[0])}`).join(', ');
    throw new FloorwalkerError('invalid_request', `${names}: the value can't be used.`, { remedy: USAGE });
  }
  if (values.once && values['no-rehearsal']) {
    throw new FloorwalkerError('invalid_request', '--once and --no-rehearsal leave nothing to do.', {
      remedy: USAGE,
    });
  }
  return {
    once: values.once,
    rehearsal: !values['no-rehearsal'],
    port: parsed.data.port,
    workers: parsed.data.workers,
    dataDir: parsed.data.data,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        once: { type: 'boolean', default: false },
        'no-rehearsal': { type: 'boolean', default: false },
        port: { type: 'string', default: '8080' },
        data: { type: 'string', default: '.floorwalker' },
        workers: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FloorwalkerError('invalid_request', reason, { remedy: USAGE });
  }
}
