import postgres from 'postgres';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { Person } from '../support/fixtures.ts';
import { type Floor, gatedCall, setupFloor, startInteraction } from './floor.ts';

/**
 * "Concurrent" means here: 1,000 attempts are on their way before the first of them begins. 250 connections, each a
 * process of PostgreSQL, stand at a gate in the database with four attempts each in their pipeline, which are sent and
 * not answered. When the gate opens all 250 go for the same row at once, and each goes on with its next attempt.
 */
const CONNECTIONS = 250;
const ATTEMPTS_EACH = 4;
const GATE = 20_001;

const detailSchema = z.looseObject({ status: z.string().optional() });
const countSchema = z.coerce.number();

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
}, 60_000);
afterAll(() => floor?.db.stop());

type Kind = 'allowed' | 'denied' | 'withdrawn' | 'timeout';

/** What one attempt sends, as the person or the worker that it comes from. */
function attempt(kind: Kind, person: Person, target: Target): string {
  if (kind === 'withdrawn') {
    const { interactionId, generation } = target.key;
    return `set role service_role; select withdraw_permissions('${interactionId}', ${generation}, '${target.callId}') as answer`;
  }
  if (kind === 'timeout') return 'set role service_role; select expire_permissions() as answer';
  return `set role authenticated; select set_config('request.jwt.claim.sub', '${person.id}', true);
    select decide_permission('${target.permissionId}', '${kind}') as answer`;
}

interface Target {
  readonly key: { readonly interactionId: string; readonly generation: number };
  readonly permissionId: string;
  readonly callId: string;
}

it.each<[string, readonly Kind[], number]>([
  ['allow, deny and withdrawal', ['allowed', 'denied', 'withdrawn'], 360],
  ['allow, deny, withdrawal and a deadline in between', ['allowed', 'denied', 'timeout', 'withdrawn'], 0.01],
])(
  'of 1,000 concurrent attempts to %s one wins, and everybody else is told who',
  async (_name, kinds, lastsSeconds) => {
    const mine = await startInteraction(floor.db.service, floor.agent);
    const target = { key: mine.key, ...(await gatedCall(floor.db.service, mine)) };
    const people = [floor.admin, floor.supervisor, floor.cover];
    const gatekeeper = postgres(floor.db.databaseUrl, { max: 1, onnotice: () => {} });
    const crowd = Array.from({ length: CONNECTIONS }, () =>
      postgres(floor.db.databaseUrl, { max: 1, onnotice: () => {} }),
    );
    try {
      await gatekeeper`select pg_advisory_lock(${GATE})`;
      const passed: Promise<unknown>[] = [];
      const answers = crowd.flatMap((sql, place) => {
        passed.push(sql.unsafe(`select pg_advisory_lock_shared(${GATE})`).simple().execute());
        return Array.from({ length: ATTEMPTS_EACH }, async (_, nth): Promise<string> => {
          const number = place * ATTEMPTS_EACH + nth;
          const kind = kinds[number % kinds.length] ?? 'denied';
          const person = people[number % people.length] ?? floor.admin;
          try {
            const results = await sql
              .unsafe(attempt(kind, person, target))
              .simple()
              .execute();
            const answer: unknown = results.flat().at(-1)?.answer;
            if (kind === 'allowed' || kind === 'denied') return `won: ${kind}`;
            return countSchema.parse(answer) > 0 ? `won: ${kind}` : 'too late';
          } catch (error) {
            if (!(error instanceof postgres.PostgresError)) throw error;
            const { status } = detailSchema.parse(JSON.parse(error.detail ?? '{}'));
            return `told: ${status ?? error.message}`;
          }
        });
      });
      const settled = Promise.all(answers);
      // Whoever fails early must fail the test, and not the process.
      settled.catch(() => undefined);
      await vi.waitFor(
        async () => {
          const [row] = await floor.db.sql`
        select count(*)::int as waiting from pg_locks
        where locktype = 'advisory' and objid = ${GATE} and not granted`;
          expect(row?.waiting).toBe(CONNECTIONS);
        },
        { timeout: 90_000, interval: 200 },
      );
      await floor.db.sql`
      update tool_permissions set expires_at = clock_timestamp() + make_interval(secs => ${lastsSeconds})
      where id = ${target.permissionId}`;
      await gatekeeper`select pg_advisory_unlock(${GATE})`;
      await Promise.all(passed);
      const outcomes = await settled;

      const [row] = await floor.db.sql`select status from tool_permissions where id = ${target.permissionId}`;
      expect(outcomes).toHaveLength(CONNECTIONS * ATTEMPTS_EACH);
      const winners = outcomes.filter((outcome) => outcome.startsWith('won'));
      // A deadline that a decision runs into is that decision's to write down: then nobody says to have won.
      if (row?.status === 'timeout') expect([[], ['won: timeout']]).toContainEqual(winners);
      else expect(winners).toEqual([`won: ${row?.status}`]);
      const told = new Set(outcomes.filter((outcome) => outcome.startsWith('told')));
      expect(told).toEqual(new Set([`told: ${row?.status}`]));
    } finally {
      await Promise.all([gatekeeper, ...crowd].map((sql) => sql.end({ timeout: 5 })));
    }
  },
  150_000,
);
