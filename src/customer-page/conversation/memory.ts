import * as z from 'zod/mini';
import type { PublicAgent } from '../api.ts';

const unstoredSchema = z.object({ id: z.string(), text: z.string(), at: z.number() });
const keptSchema = z.object({
  interaction_id: z.string(),
  resume_token: z.string(),
  agent: z.object({
    id: z.string(),
    name: z.string(),
    agent_type: z.enum(['chat', 'voice']),
    language: z.string(),
    business_name: z.string(),
  }),
  unstored: z.array(unstoredSchema),
});

/** What brings a customer back into their conversation after a reload. */
export type Kept = z.output<typeof keptSchema> & { readonly agent: PublicAgent };

/**
 * The open conversation of this tab, in its session storage: gone with the tab, never seen by another site.
 * Where a browser forbids storage (frames of other sites, sometimes), it lasts as long as the page.
 */
export class Memory {
  readonly #key: string;
  #held: Kept | undefined;

  /** @param scope one conversation is kept for each */
  constructor(scope: string) {
    this.#key = `floorwalker.conversation.${scope}`;
    this.#held = this.#read();
  }

  get kept(): Kept | undefined {
    return this.#held;
  }

  keep(kept: Kept): void {
    this.#held = kept;
    this.#write(JSON.stringify(kept));
  }

  forget(): void {
    this.#held = undefined;
    this.#write(undefined);
  }

  #read(): Kept | undefined {
    try {
      return keptSchema.safeParse(JSON.parse(sessionStorage.getItem(this.#key) ?? 'null')).data;
    } catch {
      return undefined;
    }
  }

  #write(text: string | undefined): void {
    try {
      if (text === undefined) sessionStorage.removeItem(this.#key);
      else sessionStorage.setItem(this.#key, text);
    } catch {
      // Nothing to be done: a reload will begin anew.
    }
  }
}
