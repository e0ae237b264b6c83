import type { NodeChild } from '../../src/embedded/node-child.ts';
import type { Measurements } from '../measurements.ts';
import { CHAT_ANSWER } from '../model.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack, Visit } from '../stack.ts';
import { greeted } from './chat.ts';
import { answered } from './voice.ts';

const CHATS = 5;
const DEADLINE_MS = 60_000;
/** A customer's own time between an answer and the next question. */
const THINKS_MS = 200;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The database writes down when a lease is given back: the next claim overwrites it. */
async function watchLeases({ sql }: Stack): Promise<() => Promise<void>> {
  await sql
    .unsafe(`create schema bench;
    create table bench.released (interaction_id uuid, generation bigint, at timestamptz not null);
    create function bench.note_release() returns trigger language plpgsql security definer as $$
      begin
        insert into bench.released values (new.id, new.generation, clock_timestamp());
        return null;
      end $$;
    create trigger bench_release after update of worker_id on interactions for each row
      when (old.worker_id is not null and new.worker_id is null and new.status = 'active')
      execute function bench.note_release()`)
    .simple();
  return async () => {
    await sql.unsafe('drop trigger bench_release on interactions; drop schema bench cascade').simple();
  };
}

interface Succession {
  readonly gap_ms: number;
  readonly handed_over: boolean;
}

/** From the moment at which a session gave its lease back until its successor was in the room and ready. */
async function succession(stack: Stack, { id }: Visit): Promise<Succession> {
  const deadline = Date.now() + DEADLINE_MS;
  while (Date.now() < deadline) {
    const [row] = await stack.sql<Succession[]>`
      select extract(epoch from s.happened_at - r.at)::float8 * 1000 as gap_ms,
        (s.output ->> 'handedOver')::boolean as handed_over
      from bench.released r
      join interaction_steps s on s.interaction_id = r.interaction_id and s.step_type = 'joined'
        and (s.output ->> 'recovered')::boolean
      where r.interaction_id = ${id} order by r.at, s.id limit 1`;
    if (row) return row;
    await wait(100);
  }
  throw new Error('nobody went on with a conversation that was handed over');
}

/** Asks one question after another until somebody else has carried the conversation on, and answered too. */
async function converse(visit: Visit, name: string, over: () => boolean): Promise<number> {
  const { customer } = visit;
  let longest = 0;
  for (let count = 0, last = false; !last; count += 1) {
    last = over();
    const sentAt = Date.now();
    const seen = customer.texts.length;
    await customer.send(`Question ${name}.${count}: are you there?`);
    const answer = await customer.waitFor(
      () =>
        customer.texts
          .slice(seen)
          .find(({ role, text }) => role === 'agent' && text.startsWith(CHAT_ANSWER.slice(0, 20))),
      { what: `an answer to question ${count} while a worker is drained`, deadlineMs: DEADLINE_MS },
    );
    longest = Math.max(longest, answer.at - sentAt);
    await customer.waitFor(() => answer.finishedAt, { what: 'its end', deadlineMs: DEADLINE_MS });
    await wait(THINKS_MS);
  }
  return longest;
}

/**
 * Workers that are drained one after the other while their customers talk: how long each conversation has nobody. One
 * that was not handed over in good order, for which its customer hears an apology, is a failure.
 */
export async function measureHandover(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  await stack.stopWorker();
  const forget = await watchLeases(stack);
  let count = 1;
  let worker: NodeChild = await stack.startFurtherWorker('handover-worker-1');
  try {
    const ofChats = await stack.createAgent({ maxConcurrentInteractions: 1_000 });
    const ofCalls = await stack.createAgent({ agentType: 'voice', maxConcurrentInteractions: 1_000 });
    await results.repeat('handover', options.drains, async (nth) => {
      const visits: Visit[] = [];
      try {
        const chats = await Promise.all(Array.from({ length: CHATS }, () => stack.join(ofChats)));
        visits.push(...chats);
        await Promise.all(chats.map((visit) => greeted(visit)));
        const call = await stack.join(ofCalls);
        visits.push(call);
        await answered(call);
        count += 1;
        const next = await stack.startFurtherWorker(`handover-worker-${count}`);
        const old = worker;
        worker = next;
        let over = false;
        const drained = old.stop().then(async () => {
          await Promise.all(visits.map((visit) => succession(stack, visit)));
        });
        const talks = chats.map((visit, index) => converse(visit, `${nth}.${index}`, () => over));
        await drained.finally(() => {
          over = true;
        });
        for (const longest of await Promise.all(talks))
          results.add('handover', 'chat: longest wait for an answer over a drain, model included', longest);
        for (const visit of visits) {
          const { gap_ms, handed_over } = await succession(stack, visit);
          results.add(
            'handover',
            `${visit === call ? 'call' : 'chat'}: lease given back to next one ready`,
            gap_ms,
          );
          if (!handed_over) throw new Error('a conversation was lost in a drain, and not handed over');
        }
      } finally {
        for (const { customer } of visits) await customer.leave();
        await stack.giveUpAll();
      }
    });
  } finally {
    await worker.stop();
    await forget();
  }
  await stack.startWorker();
}
