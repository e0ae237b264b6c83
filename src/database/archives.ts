import type { Database } from './client.ts';
import { type ArchiveRow, archiveRowSchema } from './rows.ts';
import { callFunction } from './rpc.ts';

/** What a model makes of an interaction; its tags come from the business's vocabulary or are declared as new. */
export interface WrapUpResult {
  readonly summary: string;
  readonly issues: readonly {
    readonly issue: string;
    readonly status: 'resolved' | 'unresolved';
    readonly priority: 'low' | 'medium' | 'high';
  }[];
  readonly tags: {
    readonly topics: readonly string[];
    readonly sentiment?: string | undefined;
    readonly issues: readonly { readonly tag: string; readonly status: 'resolved' | 'unresolved' }[];
    readonly new_issue_tags?: readonly string[] | undefined;
    readonly new_topics?: readonly string[] | undefined;
  };
  /** 0 to 100; ignored when the customer has rated. */
  readonly csat_score?: number | null | undefined;
}

/**
 * Puts a model's result into the archive that the facts have made. May be repeated.
 *
 * @throws FloorwalkerError `archive_not_found`; `archive_invalid` (details: `unknown` tags, `vocabulary`)
 */
export function updateArchive(
  db: Database,
  args: { interactionId: string; result: WrapUpResult },
): Promise<ArchiveRow> {
  const parameters = { p_interaction_id: args.interactionId, p_result: args.result };
  return callFunction(db, 'update_archive', parameters, archiveRowSchema);
}
