import type { Log } from '../log.ts';
import type { LedgerEvents } from './ledger-types.ts';

/** Listeners of one ledger. One that throws is logged and keeps nobody else from hearing. */
export class LedgerListeners {
  readonly #listeners: { [name in keyof LedgerEvents]?: Set<LedgerEvents[name]> } = {};
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  on<Name extends keyof LedgerEvents>(name: Name, listener: LedgerEvents[Name]): () => void {
    let set: Set<LedgerEvents[Name]> | undefined = this.#listeners[name];
    if (set === undefined) {
      set = new Set<LedgerEvents[Name]>();
      Object.assign(this.#listeners, { [name]: set });
    }
    set.add(listener);
    return () => set.delete(listener);
  }

  emit<Name extends keyof LedgerEvents>(name: Name, ...details: Parameters<LedgerEvents[Name]>): void {
    for (const listener of this.#listeners[name] ?? []) {
      try {
        (listener as (...all: Parameters<LedgerEvents[Name]>) => void)(...details);
      } catch (error) {
        this.#log.error({ err: error, event: name }, 'A listener of the tool ledger failed');
      }
    }
  }
}
