import { type ClientRequest, get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { cpuMs, memoryOf } from '../processes.ts';
import type { Stack } from '../stack.ts';

const CROWDS = [1, 100, 1_000];
const PEOPLE = 10;
/** So many connections are opened at a time. */
const AT_ONCE = 50;
const ARRIVES_WITHIN_MS = 15_000;
const momentSchema = z.coerce.number();

/** Event streams of a few people, and when each of them has heard what. */
class Crowd {
  readonly #stack: Stack;
  readonly #tokens: readonly string[];
  readonly #requests: ClientRequest[] = [];
  /** Moments at which each thing said was heard. */
  readonly heard = new Map<string, number[]>();

  constructor(stack: Stack, tokens: readonly string[]) {
    this.#stack = stack;
    this.#tokens = tokens;
  }

  get size(): number {
    return this.#requests.length;
  }

  async growTo(size: number): Promise<void> {
    while (this.size < size) {
      const more = Math.min(AT_ONCE, size - this.size);
      await Promise.all(Array.from({ length: more }, () => this.#add()));
    }
  }

  leave(): void {
    for (const request of this.#requests.splice(0)) request.destroy();
  }

  #add(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const token = this.#tokens[this.size % this.#tokens.length] ?? '';
    const url = new URL('/v1/events', this.#stack.apiUrl);
    const request = get(url, { headers: { authorization: `Bearer ${token}` }, agent: false }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const now = Date.now();
        const events = (rest + text).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          if (event.includes('event: ready')) resolve();
          const item = /"item_id":"(bench-\d+)"/.exec(event)?.[1];
          if (item !== undefined) this.heard.set(item, [...(this.heard.get(item) ?? []), now]);
        }
      });
      if (response.statusCode !== 200) reject(new Error(`a stream was refused with ${response.statusCode}`));
    });
    request.on('error', reject);
    this.#requests.push(request);
    return promise;
  }
}

/** From the commit of what was said, by the database's own record of it, to its arrival at each listener. */
export async function measureEvents(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({});
  const people = await Promise.all(
    Array.from({ length: PEOPLE }, () =>
      stack.fixtures.createUser({ businessId: agent.businessId, role: 'admin' }),
    ),
  );
  const id = crypto.randomUUID();
  await stack.sql`
    insert into interactions (id, business_id, agent_id, interaction_type, livekit_room_id, status, started_at, ended_at)
    values (${id}, ${agent.businessId}, ${agent.id}, 'chat', ${`fw-${id}`}, 'completed', now(), now())`;
  const crowd = new Crowd(
    stack,
    people.map(({ accessToken }) => accessToken),
  );
  const memory = async () => (await memoryOf(stack.apiPid))?.rssMb ?? 0;
  let said = 0;
  try {
    await crowd.growTo(1);
    const memoryBefore = await memory();
    for (const size of CROWDS) {
      await crowd.growTo(size);
      await wait(2_000);
      const [spentBefore, beganAt] = [await cpuMs(stack.apiPid), Date.now()];
      await results.repeat('events', options.changes, async () => {
        // A change comes at no particular moment of the reader's looks.
        await wait(100 + Math.random() * 200);
        said += 1;
        const item = `bench-${said}`;
        const [row] = await stack.sql`
          insert into interaction_messages (interaction_id, item_id, seq, role, content)
          values (${id}, ${item}, ${said}, 'customer', 'Where is my order? It should have been here on Monday.')
          returning id`;
        const until = Date.now() + ARRIVES_WITHIN_MS;
        while ((crowd.heard.get(item)?.length ?? 0) < size) {
          if (Date.now() > until)
            throw new Error(`${crowd.heard.get(item)?.length ?? 0} of ${size} heard it`);
          await wait(10);
        }
        const [commit] = await stack.sql`
          select extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as moment
          from interaction_messages where id = ${row?.id}`;
        const committedAt = momentSchema.parse(commit?.moment);
        for (const at of crowd.heard.get(item) ?? []) {
          results.add('events', `commit to listener, ${size} of them`, at - committedAt);
        }
      });
      const share = ((await cpuMs(stack.apiPid)) - spentBefore) / (Date.now() - beganAt);
      results.add('events', `  API, time of a core in 1 s, ${size} of them`, share * 1_000);
    }
    results.add(
      'events',
      '  API, memory of a listener',
      (((await memory()) - memoryBefore) * 1_024) / (crowd.size - 1),
      'kB',
    );
  } finally {
    crowd.leave();
  }
}
