import * as z from 'zod/mini';
import type { PublicAgent } from '../api.ts';
import { findKeeping, type Keeping } from './keeping.ts';

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

/** The open conversation, where the browser keeps it over the page's end; no other site ever sees it. */
export class Memory {
  readonly #keeping: Keeping;
  #held: Kept | undefined;

  /** @param scope one conversation is kept for each */
  constructor(scope: string) {
    this.#keeping = findKeeping(`floorwalker.conversation.${scope}`);
    this.#held = this.#read();
  }

  get kept(): Kept | undefined {
    return this.#held;
  }

  keep(kept: Kept): void {
    this.#held = kept;
    // Long messages that nobody has stored yet may not fit; the way back into the conversation does.
    if (!this.#write(JSON.stringify(kept))) this.#write(JSON.stringify({ ...kept, unstored: [] }));
  }

  forget(): void {
    this.#held = undefined;
    this.#write(undefined);
  }

  #read(): Kept | undefined {
    try {
      return keptSchema.safeParse(JSON.parse(this.#keeping.read() ?? 'null')).data;
    } catch {
      return undefined;
    }
  }

  /** @returns whether it is kept: if not, it lasts as long as the page */
  #write(text: string | undefined): boolean {
    try {
      this.#keeping.write(text);
      return true;
    } catch {
      return false;
    }
  }
}
