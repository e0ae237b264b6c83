import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { canonicalHash } from '../tools/canonical-hash.ts';
import type { AgentToolRow } from '../tools/types.ts';

export interface ToolChangesDeps {
  /** The rows that the conversation began with. */
  readonly rows: readonly AgentToolRow[];
  /** The agent's rows as they are now. */
  load(): Promise<readonly AgentToolRow[]>;
  apply(rows: readonly AgentToolRow[]): Promise<void>;
  onApplied(rows: readonly AgentToolRow[]): void;
  readonly log: Log;
}

/**
 * Brings an edit of the agent's tools into the conversation that is under way. The poll carries a version of the
 * rows; a new one has them loaded again, and a failure is mended by the next poll.
 */
export class ToolChanges {
  readonly #deps: ToolChangesDeps;
  #version: string | undefined;
  #applied: string;
  #working: Promise<void> | undefined;

  constructor(deps: ToolChangesDeps) {
    this.#deps = deps;
    this.#applied = fingerprint(deps.rows);
  }

  /** The rows are of this version now. The first one seen is loaded too: it may be newer than the claim. */
  seen(version: string): void {
    if (version === this.#version || this.#working !== undefined) return;
    this.#working = this.#take(version).finally(() => {
      this.#working = undefined;
    });
  }

  async #take(version: string): Promise<void> {
    const { load, apply, onApplied, log } = this.#deps;
    try {
      const rows = await load();
      const now = fingerprint(rows);
      if (now !== this.#applied) {
        await apply(rows);
        this.#applied = now;
        onApplied(rows);
      }
      this.#version = version;
    } catch (err) {
      if (isFloorwalkerError(err, 'stale_generation')) return;
      log.warn({ err }, 'the changed tools of the agent could not be loaded yet');
    }
  }
}

function fingerprint(rows: readonly AgentToolRow[]): string {
  const facts = rows.map(({ tool_name, tool_config, requires_permission }) => [
    tool_name,
    tool_config,
    requires_permission,
  ]);
  return canonicalHash(facts.sort(([one], [other]) => String(one).localeCompare(String(other))));
}
