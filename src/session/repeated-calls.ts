import { canonicalHash } from '../tools/canonical-hash.ts';
import type { ToolOutcome } from '../tools/ledger-types.ts';
import type { RequestedCall } from './speaking-agent.ts';

/**
 * Models repeat themselves: the same call with the same arguments within one turn of the customer has the outcome
 * of the first, and runs once. One that failed may be tried again.
 */
export class RepeatedCalls {
  readonly #turn: () => string | undefined;
  readonly #first = new Map<string, Promise<ToolOutcome>>();
  #turnId: string | undefined;

  /** @param turn what tells one turn of the customer from the next */
  constructor(turn: () => string | undefined) {
    this.#turn = turn;
  }

  /** The outcome of the same call earlier in this turn, if there is one that did not fail. */
  first(call: RequestedCall): Promise<ToolOutcome> | undefined {
    const turnId = this.#turn();
    if (turnId !== this.#turnId) {
      this.#turnId = turnId;
      this.#first.clear();
    }
    return this.#first.get(keyOf(call));
  }

  remember(call: RequestedCall, outcome: Promise<ToolOutcome>): void {
    const key = keyOf(call);
    this.#first.set(key, outcome);
    void outcome.then(({ isError }) => {
      if (isError && this.#first.get(key) === outcome) this.#first.delete(key);
    });
  }
}

function keyOf({ toolName, rawArguments }: RequestedCall): string {
  try {
    return `${toolName} ${canonicalHash(JSON.parse(rawArguments.trim() || '{}'))}`;
  } catch {
    return `${toolName} ${rawArguments}`;
  }
}
