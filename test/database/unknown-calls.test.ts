import { afterAll, beforeAll, expect, it } from 'vitest';
import { listUnknownCalls } from '../../src/api/reads/unknown-calls.ts';
import { completeInteraction } from '../../src/database/interactions.ts';
import { pollSessions } from '../../src/database/leases.ts';
import {
  finishToolCall,
  requestToolCall,
  resolveToolCall,
  startToolCall,
} from '../../src/database/tool-calls.ts';
import { type Floor, newCall, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

/** A call that was sent and whose answer never came. */
async function unknownCall() {
  const mine = await startInteraction(floor.db.service, floor.agent);
  const { call } = await requestToolCall(floor.db.service, newCall(mine, { requires_permission: false }));
  const key = { ...mine.key, callId: call.call_id };
  await startToolCall(floor.db.service, { ...key, argumentsHash: call.arguments_hash });
  await finishToolCall(floor.db.service, { ...key, state: 'unknown', output: 'unknown' });
  return { mine, call };
}

const code = (name: string) => expect.objectContaining({ code: name });

it('one answer counts, and the session is told of it by the next poll', async () => {
  const { mine, call } = await unknownCall();
  const asked = async () => (await listUnknownCalls(floor.supervisor.client, { limit: 50 })).data;
  expect(await asked()).toMatchObject([{ id: call.id, state: 'unknown', resolution: null }]);
  const answers = await Promise.allSettled(
    [floor.supervisor, floor.cover, floor.admin].map(({ client }) =>
      resolveToolCall(client, { toolCallId: call.id, resolution: 'happened', note: 'seen in the shop' }),
    ),
  );
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const answer of answers)
    if (answer.status === 'rejected') expect(answer.reason).toEqual(code('tool_call_already_resolved'));
  expect(await asked()).toEqual([]);
  const [news] = await pollSessions(floor.db.service, [mine.key]);
  expect(news?.resolutions).toMatchObject([
    { call_id: call.call_id, resolution: 'happened', note: 'seen in the shop' },
  ]);
  const audits = await floor.db
    .sql`select action from audit_events where subject_id = ${call.id} and action = 'tool_call.resolved'`;
  expect(audits).toHaveLength(1);
});

it('only who may decide for the agent can answer, and only a question that is open', async () => {
  const { mine, call } = await unknownCall();
  for (const { client } of [floor.colleague, floor.stranger, floor.strangeAdmin]) {
    const attempt = resolveToolCall(client, { toolCallId: call.id, resolution: 'happened' });
    await expect(attempt).rejects.toEqual(code('tool_call_not_found'));
  }
  const known = await requestToolCall(floor.db.service, newCall(mine, { requires_permission: false }));
  const answered = resolveToolCall(floor.supervisor.client, {
    toolCallId: known.call.id,
    resolution: 'did_not_happen',
  });
  await expect(answered).rejects.toEqual(code('tool_call_not_unknown'));
});

it('after the end it can still be said what happened, and nothing be run again', async () => {
  const { mine, call } = await unknownCall();
  await completeInteraction(floor.db.service, {
    ...mine.key,
    status: 'completed',
    endReason: 'customer_left',
  });
  const again = resolveToolCall(floor.supervisor.client, { toolCallId: call.id, resolution: 'run_again' });
  await expect(again).rejects.toEqual(code('interaction_not_active'));
  const said = await resolveToolCall(floor.supervisor.client, {
    toolCallId: call.id,
    resolution: 'did_not_happen',
  });
  expect(said).toMatchObject({ resolution: 'did_not_happen', state: 'unknown' });
});
