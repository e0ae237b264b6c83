import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeInteraction, pollSessions } from '../../src/database/interactions.ts';
import { decidePermission, expirePermissions, withdrawPermissions } from '../../src/database/permissions.ts';
import { type Floor, gatedCall, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const allow = (permissionId: string) =>
  decidePermission(floor.supervisor.client, { permissionId, decision: 'allowed' });
const begin = () => startInteraction(floor.db.service, floor.agent);

async function makeDue(permissionId: string): Promise<void> {
  await floor.db.sql`update tool_permissions set expires_at = clock_timestamp() where id = ${permissionId}`;
}
async function pausedAndStatus(interactionId: string) {
  const [row] = await floor.db.sql`
    select i.paused, a.status from interactions i join agents a on a.id = i.agent_id where i.id = ${interactionId}`;
  return row;
}

describe('a race', () => {
  it('of 240 decisions, time-outs and withdrawals has one winner for each permission, and everyone is told the same', async () => {
    const mine = await begin();
    const calls = await Promise.all(Array.from({ length: 12 }, () => gatedCall(floor.db.service, mine)));
    // One permission after another: what is not asked at once is 240 requests in the queue of one REST server.
    const outcomes = [];
    for (const [n, { permissionId, callId }] of calls.entries()) {
      const people = [floor.admin, floor.supervisor, floor.cover];
      const attempts = Array.from({ length: 20 }, async (_, k) => {
        if (k === 9 && n % 3 === 0) return void (await makeDue(permissionId));
        if (k % 10 === 4) return void (await withdrawPermissions(floor.db.service, { ...mine.key, callId }));
        if (k % 10 === 7) return void (await expirePermissions(floor.db.service));
        const person = people[k % 3];
        if (!person) return;
        const decision = k % 2 === 0 ? ('allowed' as const) : ('denied' as const);
        try {
          const decided = await decidePermission(person.client, { permissionId, decision });
          return { won: true, status: decided.status, by: decided.decided_by };
        } catch (error) {
          if (!(error instanceof Error && 'details' in error)) throw error;
          return { won: false, status: (error.details as { status: string }).status };
        }
      });
      const answers = (await Promise.all(attempts)).flatMap((answer) => (answer ? [answer] : []));
      // One that became due last waits for whoever looks next.
      await expirePermissions(floor.db.service);
      const [row] = await floor.db
        .sql`select status, decided_by from tool_permissions where id = ${permissionId}`;
      outcomes.push({ answers, row });
    }
    for (const { answers, row } of outcomes) {
      const winners = answers.filter(({ won }) => won);
      expect(winners.length).toBeLessThanOrEqual(1);
      expect(row?.status).not.toBe('pending');
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([row?.status]));
      expect(winners.length === 1).toBe(['allowed', 'denied'].includes(row?.status));
    }
    expect(await pausedAndStatus(mine.id)).toMatchObject({ paused: false });
  }, 60_000);

  it('of the end with a decision leaves no permission pending and no call open', async () => {
    for (let round = 0; round < 10; round += 1) {
      const mine = await begin();
      const { permissionId } = await gatedCall(floor.db.service, mine);
      await Promise.allSettled([
        allow(permissionId),
        completeInteraction(floor.db.service, { ...mine.key, status: 'completed', endReason: 'hung_up' }),
        pollSessions(floor.db.service, [mine.key]),
      ]);
      const [row] = await floor.db.sql`
        select p.status, c.state, i.paused from tool_permissions p join tool_calls c on c.id = p.tool_call_id
        join interactions i on i.id = p.interaction_id where p.id = ${permissionId}`;
      expect(['allowed', 'withdrawn']).toContain(row?.status);
      expect(row).toMatchObject({ state: 'refused', paused: false });
    }
  });

  it('of two interactions of one agent that end at once leaves the agent idle', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id });
    for (let round = 0; round < 5; round += 1) {
      const pair = await Promise.all([
        startInteraction(floor.db.service, agent),
        startInteraction(floor.db.service, agent),
      ]);
      await Promise.all(
        pair.map(({ key }) =>
          completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'x' }),
        ),
      );
      const [row] = await floor.db.sql`select status from agents where id = ${agent.id}`;
      expect(row).toEqual({ status: 'idle' });
    }
  });
});
