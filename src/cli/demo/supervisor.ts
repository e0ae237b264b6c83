import { createClient } from '@supabase/supabase-js';
import { z } from 'zod';

const pageSchema = z.object({ data: z.array(z.object({ id: z.string(), interaction_id: z.string() })) });

/** A supervisor who looks at what waits, as the console will, and allows what this rehearsal's agent asks for. */
export class RehearsedSupervisor {
  readonly #apiUrl: string;
  readonly #headers: Record<string, string>;

  private constructor(apiUrl: string, accessToken: string) {
    this.#apiUrl = apiUrl;
    this.#headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
  }

  static async signIn(options: {
    apiUrl: string;
    supabase: { url: string; publishableKey: string };
    email: string;
    password: string;
  }): Promise<RehearsedSupervisor> {
    const { supabase, email, password } = options;
    const client = createClient(supabase.url, supabase.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const { data, error } = await client.auth.signInWithPassword({ email, password });
    if (error) throw new Error(`${email} can't sign in: ${error.message}`);
    return new RehearsedSupervisor(options.apiUrl, data.session.access_token);
  }

  /** What waits in this interaction, as the API lists it for this person. */
  async pending(interactionId: string): Promise<string[]> {
    const response = await fetch(`${this.#apiUrl}/v1/permissions?status=pending`, { headers: this.#headers });
    if (!response.ok) throw new Error(`the list of permissions was answered with ${response.status}`);
    const { data } = pageSchema.parse(await response.json());
    return data.filter((item) => item.interaction_id === interactionId).map(({ id }) => id);
  }

  async allow(permissionId: string, note: string): Promise<void> {
    const response = await fetch(`${this.#apiUrl}/v1/permissions/${permissionId}/decision`, {
      method: 'POST',
      headers: this.#headers,
      body: JSON.stringify({ decision: 'allowed', note }),
    });
    if (!response.ok)
      throw new Error(`the decision was answered with ${response.status}: ${await response.text()}`);
  }
}
