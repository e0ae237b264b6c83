import type { Customer, ReceivedText } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack, Visit } from '../stack.ts';

/** The first text of the agent that was begun after a moment; it may still be coming. */
export function firstText({ customer }: Pick<Visit, 'customer'>, since: number): Promise<ReceivedText> {
  return customer.waitFor(() => customer.texts.find(({ role, at }) => role === 'agent' && at >= since), {
    what: 'the first word of the agent',
    deadlineMs: 30_000,
  });
}

/** Waits until all that the agent says by itself has been said: the greeting may be several texts. */
export async function greeted(visit: Visit): Promise<ReceivedText> {
  const first = await firstText(visit, 0);
  await toldEverything(visit.customer);
  return first;
}

/** Nothing of the agent is under way, and nothing has come for a while. */
export async function toldEverything(customer: Customer): Promise<void> {
  let newest = Date.now();
  let seen = 0;
  await customer.waitFor(
    () => {
      const { texts } = customer;
      if (texts.length !== seen || texts.some(({ final }) => !final)) {
        seen = texts.length;
        newest = Date.now();
      }
      return Date.now() - newest > 500;
    },
    { what: 'the end of the greeting', deadlineMs: 30_000 },
  );
}

/** A turn, without the model's time. */
export interface Turn {
  readonly firstMs: number;
  readonly completeMs: number;
  readonly toModelMs: number;
  readonly fromModelMs: number;
  readonly modelMs: number;
}

export async function measureTurn(stack: Stack, customer: Customer, question: string): Promise<Turn> {
  const sentAt = Date.now();
  await customer.send(question);
  const first = await firstText({ customer }, sentAt);
  const finishedAt = await customer.waitFor(() => first.finishedAt, { what: 'the end of the answer' });
  const turn = stack.model.turns.findLast(({ customer }) => customer.includes(question));
  if (!turn) throw new Error('the model was never asked');
  const modelMs = turn.answeredAt - turn.askedAt;
  return {
    // The first word may be on its way before the model has said its last.
    firstMs: first.at - sentAt - Math.min(modelMs, first.at - turn.askedAt),
    completeMs: finishedAt - sentAt - modelMs,
    toModelMs: turn.askedAt - sentAt,
    fromModelMs: finishedAt - turn.answeredAt,
    modelMs,
  };
}

/** Joining a chat, from the request to the greeting's first word, and turns of it without the model's time. */
export async function measureChat(stack: Stack, options: BenchOptions, results: Measurements): Promise<void> {
  const agent = await stack.createAgent({});
  const visitOnce = async (keep: boolean): Promise<void> => {
    const visit = await stack.join(agent);
    try {
      const first = await greeted(visit);
      if (!keep) return;
      results.add('chat', 'join: create to first word', first.at - visit.askedAt);
      results.add('chat', '  create to answer of the API', visit.createdAt - visit.askedAt);
      for (let turn = 1; turn <= options.turns; turn += 1) {
        const took = await measureTurn(stack, visit.customer, `Question ${turn}: where is my order?`);
        results.add('chat', 'turn: message to first word', took.firstMs);
        results.add('chat', 'turn: message to complete', took.completeMs);
        results.add('chat', '  message to model asked', took.toModelMs);
        results.add('chat', '  model answered to complete', took.fromModelMs);
        results.add('chat', '  (taken off: the model)', took.modelMs);
      }
    } finally {
      await stack.end(agent, visit);
    }
  };
  await results.attempt('chat', () => visitOnce(false));
  await results.repeat('chat', options.chats, () => visitOnce(true));
}
