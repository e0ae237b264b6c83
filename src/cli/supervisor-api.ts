import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';

const personSchema = z.object({ email: z.string(), password: z.string() });
const demoSchema = z.object({
  api_url: z.url(),
  supabase_url: z.url(),
  supabase_publishable_key: z.string(),
  supervisors: z.array(personSchema.extend({ supervisor_type: z.enum(['voice', 'chat']) })),
  admin: personSchema,
});
type Demo = z.output<typeof demoSchema>;
export type Role = 'admin' | 'voice' | 'chat';

const permissionSchema = z.object({
  id: z.string(),
  interaction_id: z.string(),
  tool_name: z.string(),
  arguments: z.unknown(),
  expires_at: z.string(),
});
export type WaitingPermission = z.output<typeof permissionSchema>;
const pageSchema = z.object({ data: z.array(permissionSchema) });
const problemSchema = z.looseObject({ code: z.string(), detail: z.string().optional() });

const TIMEOUT_MS = 10_000;

/** A person of a running demo, signed in, as the HTTP API knows them. */
export class SupervisorApi {
  readonly email: string;
  readonly #demo: Demo;
  readonly #password: string;
  #token: string | undefined;

  /** @throws FloorwalkerError `chat_unavailable` when no demo runs on the folder */
  constructor(dataFolder: string, role: Role) {
    this.#demo = readDemo(dataFolder);
    const person =
      role === 'admin'
        ? this.#demo.admin
        : this.#demo.supervisors.find(({ supervisor_type }) => supervisor_type === role);
    if (person === undefined)
      throw new FloorwalkerError('chat_unavailable', `The demo has no ${role} supervisor.`);
    this.email = person.email;
    this.#password = person.password;
  }

  async pending(): Promise<WaitingPermission[]> {
    const { body } = await this.#request('/v1/permissions?status=pending');
    return pageSchema.parse(body).data;
  }

  /** Undefined when the decision counts, else what won. */
  async decide(id: string, decision: 'allowed' | 'denied', note?: string): Promise<string | undefined> {
    const { status, body } = await this.#request(`/v1/permissions/${id}/decision`, {
      decision,
      ...(note === undefined ? {} : { note }),
    });
    if (status < 300) return undefined;
    return problemSchema.safeParse(body).data?.detail ?? `the API answered with ${status}`;
  }

  async #request(path: string, body?: unknown, again = true): Promise<{ status: number; body: unknown }> {
    this.#token ??= await this.#signIn();
    const response = await fetch(`${this.#demo.api_url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 401 && again) {
      // The token ran out: an afternoon of watching is longer than it lives.
      this.#token = undefined;
      return this.#request(path, body, false);
    }
    return { status: response.status, body: await response.json() };
  }

  async #signIn(): Promise<string> {
    const client = createClient(this.#demo.supabase_url, this.#demo.supabase_publishable_key, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const { data, error } = await client.auth.signInWithPassword({
      email: this.email,
      password: this.#password,
    });
    if (error !== null)
      throw new FloorwalkerError('unauthenticated', `${this.email} can't sign in.`, { cause: error });
    return data.session.access_token;
  }
}

function readDemo(folder: string): Demo {
  const file = join(folder, 'demo.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new FloorwalkerError('chat_unavailable', `No demo runs on the folder ${folder}.`, {
      cause: error,
      remedy: 'Start one with `npm run demo`. In production, people decide through the HTTP API.',
    });
  }
  try {
    return demoSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new FloorwalkerError('chat_unavailable', `${file} is not what a demo writes.`, { cause: error });
  }
}
