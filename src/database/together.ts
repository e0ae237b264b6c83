import { FloorwalkerError } from '../errors.ts';

interface Waiting<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Sends what is asked for while an answer is on its way together, as one request: nothing waits longer for it than it
 * would behind the others, and the busier it is, the more go together.
 */
export class Together<Item, Result> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #most: number;
  #waiting: Waiting<Item, Result>[] = [];
  #sending = false;

  /**
   * @param send answers in the order of the items; when it fails, all of them have.
   * @param most items to a request.
   */
  constructor(send: (items: readonly Item[]) => Promise<readonly Result[]>, most: number) {
    this.#send = send;
    this.#most = most;
  }

  ask(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#most);
      try {
        const results = await this.#send(batch.map(({ item }) => item));
        for (const [nth, { resolve, reject }] of batch.entries()) {
          const result = results[nth];
          if (result === undefined)
            reject(
              new FloorwalkerError('database_error', 'One of those that were asked together got no answer.'),
            );
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#sending = false;
  }
}
