import { EXAMPLE_PHONE } from '../../../tools/orders/seed.ts';
import type { Customer } from '../../embedded/rehearsal/caller/caller.ts';
import type { InteractionWatch } from './watch.ts';

/** After a question this much silence means that it is the customer's turn; after anything else, more is to come. */
const QUIET_MS = { chat: 700, voice: 1_300 } as const;
const PATIENCE_MS = 10_000;
const TURN_WITHIN_MS = 60_000;
const MOST_TURNS = 10;

export interface CustomerScene {
  readonly channel: 'chat' | 'voice';
  /** What the customer begins with. */
  readonly opening: string;
  /** The same in the fewest words, for when they were not understood. */
  readonly request: string;
}

/** A customer who wants a refund, answers what they are asked, and says goodbye. Works with any model. */
export class RehearsedCustomer {
  readonly #customer: Customer;
  readonly #watch: InteractionWatch;
  readonly #scene: CustomerScene;
  #gavePhone = false;
  #saidGoodbye = false;

  constructor(customer: Customer, watch: InteractionWatch, scene: CustomerScene) {
    this.#customer = customer;
    this.#watch = watch;
    this.#scene = scene;
  }

  /** Until the interaction has ended, or the customer has left. */
  async talk(): Promise<void> {
    await this.#agentsTurn(0);
    let spokenAt = await this.#utter(this.#scene.opening);
    for (let turn = 1; turn < MOST_TURNS && !this.#over; turn += 1) {
      const heard = await this.#agentsTurn(spokenAt);
      if (this.#over) return;
      const answer = await this.#answer(heard);
      spokenAt = await this.#utter(answer);
      if (this.#saidGoodbye) break;
    }
    // The agent ends it, or, when it does not, the customer hangs up.
    await this.#watch.until(() => this.#over, 'the end', 30_000).catch(() => this.#customer.leave());
  }

  get #over(): boolean {
    return this.#watch.status === 'completed' || this.#watch.status === 'failed';
  }

  /** Waits until the agent has spoken since then, no tool runs or waits, and it is quiet. Returns its words. */
  async #agentsTurn(since: number): Promise<string> {
    // A text that broke off with its agent is never finished, and is not waited for.
    const texts = () =>
      this.#customer.texts.filter(
        ({ role, at, final, from }) =>
          role === 'agent' && at >= since && (final || this.#customer.agents.includes(from)),
      );
    const quiet = () => {
      const heard = texts();
      const last = Math.max(
        ...heard.map(({ finishedAt }) => finishedAt ?? Number.POSITIVE_INFINITY),
        this.#customer.lastSound() ?? 0,
        this.#watch.callsChangedAt,
      );
      const asked = heard.at(-1)?.text.trimEnd().endsWith('?') ?? false;
      return Date.now() - last > (asked ? QUIET_MS[this.#scene.channel] : PATIENCE_MS);
    };
    await this.#customer.waitFor(
      () => this.#over || (texts().length > 0 && this.#watch.openCalls.length === 0 && quiet()),
      { what: "the agent's answer", deadlineMs: TURN_WITHIN_MS },
    );
    return texts()
      .map(({ text }) => text)
      .join(' ');
  }

  async #answer(heard: string): Promise<string> {
    const refunded = [...this.#watch.calls.values()].some(
      ({ tool_name, state }) => tool_name === 'refund_order' && state === 'succeeded',
    );
    if (refunded) {
      await this.#watch.until(
        () => this.#watch.metrics.length > 0 || this.#over,
        'the first metrics',
        15_000,
      );
      this.#saidGoodbye = true;
      return 'No, thank you. That is all. Goodbye.';
    }
    if (!this.#gavePhone && /phone|telephone|your number|number (did|you)|reach you/i.test(heard)) {
      this.#gavePhone = true;
      return `My number is ${EXAMPLE_PHONE}.`;
    }
    if (/shall i|should i|want me to|like me to|go ahead|confirm|correct\?|right\?/i.test(heard))
      return 'Yes, please.';
    return this.#scene.request;
  }

  /** Resolves with the moment at which it was said. */
  async #utter(text: string): Promise<number> {
    if (this.#scene.channel === 'voice') return (await this.#customer.say(text)).endedAt;
    const at = Date.now();
    await this.#customer.waitForAck(await this.#customer.send(text), { deadlineMs: 30_000 });
    return at;
  }
}
