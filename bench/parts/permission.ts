import { z } from 'zod';
import { decidePermission } from '../../src/database/permissions.ts';
import { setupRecorder, type ToolRecorder } from '../../test/support/recorder.ts';
import type { Measurements } from '../measurements.ts';
import { TOOL_NAME } from '../model.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack, Visit } from '../stack.ts';
import { firstText, greeted } from './chat.ts';

/** So many decisions are taken in one chat before the next is begun. */
const PER_CHAT = 5;
const momentSchema = z.coerce.number();

function createAgent(stack: Stack, recorder: ToolRecorder) {
  return stack.createAgent({
    tools: [
      {
        toolName: TOOL_NAME,
        requiresPermission: true,
        toolConfig: {
          endpoint: `${recorder.url}/refund`,
          method: 'POST',
          description: 'Refunds an order.',
          input_schema: {
            type: 'object',
            properties: { order: { type: 'string' } },
            required: ['order'],
            additionalProperties: false,
          },
        },
      },
    ],
  });
}

async function decideOnce(
  stack: Stack,
  recorder: ToolRecorder,
  visit: Visit,
  order: string,
  withDoorbell: boolean,
  results: Measurements,
): Promise<void> {
  const { customer } = visit;
  const sentAt = Date.now();
  await customer.send(`Please refund order ${order}`);
  let permissionId = '';
  while (permissionId === '') {
    if (Date.now() > sentAt + 15_000) throw new Error('no permission was asked for');
    const [row] = await stack.sql<{ id: string }[]>`
      select id from tool_permissions where interaction_id = ${visit.id} and status = 'pending'`;
    permissionId = row?.id ?? '';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await firstText(visit, sentAt);
  // A person decides at no particular moment of the worker's polls.
  await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 1_000));
  const decidedAt = Date.now();
  if (withDoorbell) {
    await stack.request(
      `/v1/permissions/${permissionId}/decision`,
      { decision: 'allowed' },
      stack.supervisor,
    );
  } else {
    await decidePermission(stack.supervisor.client, { permissionId, decision: 'allowed' });
  }
  const call = await customer.waitFor(() => recorder.calls.find(({ body }) => body.order === order), {
    what: 'the call of the tool',
  });
  const [row] = await stack.sql`
    select extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as moment
    from tool_permissions where id = ${permissionId}`;
  const committedAt = momentSchema.parse(row?.moment);
  const how = withDoorbell ? 'with doorbell' : 'without doorbell';
  results.add('permission', `commit to tool, ${how}`, call.at - committedAt);
  if (withDoorbell) results.add('permission', '  request to commit', committedAt - decidedAt);
  await customer.waitForText('It is done', { since: decidedAt });
}

/** From a decision's commit, by the database's own record of it, to the tool's request at its server. */
export async function measurePermission(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const recorder = await setupRecorder();
  try {
    const agent = await createAgent(stack, recorder);
    const ways = [true, false];
    const all = ways.flatMap((way) => Array.from({ length: options.decisions }, () => way));
    // Alternating, so that whatever else the machine does meets both.
    const order = all.map((_, index) => ways[index % 2] ?? true);
    let next = 0;
    await results.repeat('permission', Math.ceil(order.length / PER_CHAT), async () => {
      const visit = await stack.join(agent);
      try {
        await greeted(visit);
        for (const way of order.slice(next, next + PER_CHAT)) {
          next += 1;
          await decideOnce(stack, recorder, visit, String(5000 + next), way, results);
        }
      } finally {
        await stack.end(agent, visit);
      }
    });
  } finally {
    await recorder.stop();
  }
}
