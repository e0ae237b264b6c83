import type { ReceivedText } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack, Visit } from '../stack.ts';

/** The first text of the agent that was begun after a moment; it may still be coming. */
export function firstText(visit: Visit, since: number): Promise<ReceivedText> {
  return visit.customer.waitFor(
    () => visit.customer.texts.find(({ role, at }) => role === 'agent' && at >= since),
    { what: 'the first word of the agent', deadlineMs: 30_000 },
  );
}

/** Waits until all that the agent says by itself has been said: the greeting may be several texts. */
export async function greeted(visit: Visit): Promise<ReceivedText> {
  const first = await firstText(visit, 0);
  let newest = Date.now();
  let seen = 0;
  await visit.customer.waitFor(
    () => {
      const { texts } = visit.customer;
      if (texts.length !== seen || texts.some(({ final }) => !final)) {
        seen = texts.length;
        newest = Date.now();
      }
      return Date.now() - newest > 500;
    },
    { what: 'the end of the greeting', deadlineMs: 30_000 },
  );
  return first;
}

async function measureTurn(
  stack: Stack,
  visit: Visit,
  question: string,
  results: Measurements,
): Promise<void> {
  const sentAt = Date.now();
  await visit.customer.send(question);
  const first = await firstText(visit, sentAt);
  const finishedAt = await visit.customer.waitFor(() => first.finishedAt, { what: 'the end of the answer' });
  const turn = stack.model.turns.findLast(({ customer }) => customer.includes(question));
  if (!turn) throw new Error('the model was never asked');
  const modelMs = turn.answeredAt - turn.askedAt;
  // The first word may be on its way before the model has said its last.
  results.add(
    'chat',
    'turn: message to first word',
    first.at - sentAt - Math.min(modelMs, first.at - turn.askedAt),
  );
  results.add('chat', 'turn: message to complete', finishedAt - sentAt - modelMs);
  results.add('chat', '  message to model asked', turn.askedAt - sentAt);
  results.add('chat', '  model answered to complete', finishedAt - turn.answeredAt);
  results.add('chat', '  (taken off: the model)', modelMs);
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
        await measureTurn(stack, visit, `Question ${turn}: where is my order?`, results);
      }
    } finally {
      await stack.end(agent, visit);
    }
  };
  await results.attempt('chat', () => visitOnce(false));
  await results.repeat('chat', options.chats, () => visitOnce(true));
}
