import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Spooled } from '../session/outbox.ts';
import { thisMachine } from './spool-life.ts';
import { deriveSeal, type Seal, type SpoolSecret } from './spool-seal.ts';

/** In a folder: what it says of itself, when its worker last wrote there, and the socket of its worker. */
const HEAD = 'folder.json';
export const BEAT = 'beat';
export const WORKER = 'worker';
/** Of each process: the records, and the socket that tells whether it lives. */
export const RECORDS = '.records';
export const LIFE = '.life';

const SALT_BYTES = 32;
const PROOF = 'floorwalker';

const headSchema = z.object({ salt: z.base64url(), machine: z.string(), proof: z.string() });

export interface Head {
  readonly machine: string;
  /** Undefined when its deployment is another one, or has another key by now. */
  readonly seal: Seal | undefined;
}

/** A salt of its own, and a proof by which whoever comes later sees whether it has the key. */
export function writeHead(folder: string, secret: SpoolSecret): Seal {
  const salt = randomBytes(SALT_BYTES);
  const seal = deriveSeal(secret, salt);
  const head: z.input<typeof headSchema> = {
    salt: salt.toString('base64url'),
    machine: thisMachine(),
    proof: seal.seal(PROOF),
  };
  writeFileSync(join(folder, HEAD), JSON.stringify(head), { mode: 0o600 });
  return seal;
}

/** Undefined for a folder that is not ready yet, or whose layout is another one. */
export function readHead(folder: string, secret: SpoolSecret): Head | undefined {
  try {
    const { salt, machine, proof } = headSchema.parse(JSON.parse(readFileSync(join(folder, HEAD), 'utf8')));
    const seal = deriveSeal(secret, Buffer.from(salt, 'base64url'));
    return { machine, seal: seal.open(proof) === PROOF ? seal : undefined };
  } catch {
    return undefined;
  }
}

const keySchema = z.object({ key: z.object({ interactionId: z.string(), generation: z.int() }) });
/** The seal proves that one of us wrote it. */
const spooledSchema = z.custom<Spooled>((value) => keySchema.safeParse(value).success);

/** Without the line that its writer's death has cut off. */
export function openRecords(text: string, seal: Seal): Spooled[] {
  return text.split('\n').flatMap((line) => {
    const { data, success } = spooledSchema.safeParse(line === '' ? undefined : seal.open(line));
    return success ? [data] : [];
  });
}
