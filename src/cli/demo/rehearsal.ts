import { z } from 'zod';
import { EXAMPLE_PHONE } from '../../../tools/orders/seed.ts';
import { createServiceClient, type Database } from '../../database/client.ts';
import { type Customer, joinAsCustomer } from '../../embedded/rehearsal/caller/caller.ts';
import { type CustomerScene, RehearsedCustomer } from './customer.ts';
import type { Seeded } from './seed.ts';
import { RehearsedSupervisor } from './supervisor.ts';
import { InteractionWatch, type Print } from './watch.ts';

export interface RehearsalDeps {
  readonly apiUrl: string;
  readonly supabase: { readonly url: string; readonly secretKey: string; readonly publishableKey: string };
  /** Gives the rehearsed caller a voice. */
  readonly speech: { readonly baseUrl: string; readonly key: string };
  readonly seeded: Seeded;
  readonly stop: AbortSignal;
  readonly print: (line: string) => void;
}

interface Scene extends CustomerScene {
  readonly orderNumber: number;
  readonly title: string;
  readonly note: string;
}

const SCENES: readonly Scene[] = [
  {
    channel: 'chat',
    orderNumber: 1042,
    title: 'a chat: a pen arrived broken, and the customer wants the money back',
    opening: 'Hello, the pen of my order 1042 arrived broken. I would like a refund, please.',
    request: 'I would like a refund for order 1042.',
    note: 'Broken on arrival.',
  },
  {
    channel: 'voice',
    orderNumber: 1051,
    title: 'a voice call: the wrong pencil case came',
    opening: 'I would like a refund for order 1051.',
    request: 'I would like a refund for order 1051.',
    note: 'Wrong item sent.',
  },
];

const createdSchema = z.object({
  interaction_id: z.string(),
  room: z.string(),
  url: z.string(),
  token: z.string(),
});

/** Plays one chat and one call through their whole life. True when everything in them came true. */
export async function rehearse(deps: RehearsalDeps): Promise<boolean> {
  const truths: boolean[] = [];
  for (const scene of SCENES) {
    if (deps.stop.aborted) return false;
    truths.push(await play(deps, scene));
  }
  const all = truths.every(Boolean);
  deps.print(all ? '\nrehearsal: everything came true' : '\nrehearsal: NOT everything came true');
  return all;
}

async function play(deps: RehearsalDeps, scene: Scene): Promise<boolean> {
  const began = Date.now();
  const print: Print = (what, text) =>
    deps.print(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${what.padEnd(10)} ${text}`);
  deps.print(`\nrehearsal of ${scene.title}`);
  const db = createServiceClient(deps.supabase);
  let watch: InteractionWatch | undefined;
  let customer: Customer | undefined;
  const stopping = () => void watch?.stop();
  deps.stop.addEventListener('abort', stopping, { once: true });
  try {
    const agent = deps.seeded.agents.find(({ agent_type }) => agent_type === scene.channel);
    if (!agent) throw new Error(`there is no ${scene.channel} agent`);
    const created = await create(deps, scene, agent.id);
    watch = new InteractionWatch(db, created.interaction_id, print);
    watch.start();
    customer = await joinAsCustomer({
      url: created.url,
      token: created.token,
      channel: scene.channel,
      speech: deps.speech,
    });
    print('joined', `the customer is in room ${created.room}`);
    await customer.waitFor(() => customer?.agents[0], { what: 'the agent', deadlineMs: 30_000 });
    print('joined', `${agent.name} is there`);
    const decided = supervise(deps, scene, created.interaction_id, watch, print);
    const talked = new RehearsedCustomer(customer, watch, scene).talk();
    talked.catch(() => {});
    // Whichever fails first ends the scene: without a decision the customer would wait in vain, and the reverse.
    await Promise.all([talked, decided]);
    await watch.untilArchived(60_000);
    return await check(db, deps, scene, created.interaction_id, watch, print);
  } catch (error) {
    if (!deps.stop.aborted) print('FAILED', error instanceof Error ? error.message : String(error));
    return false;
  } finally {
    deps.stop.removeEventListener('abort', stopping);
    await watch?.stop();
    await customer?.leave();
  }
}

async function create(deps: RehearsalDeps, scene: Scene, agentId: string) {
  // In chat the agent asks for the number; a caller's number comes with the call.
  const phone = scene.channel === 'voice' ? { phone_number: EXAMPLE_PHONE } : {};
  const response = await fetch(`${deps.apiUrl}/v1/interactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', apikey: deps.supabase.publishableKey },
    body: JSON.stringify({ agent_id: agentId, channel: scene.channel, ...phone }),
  });
  if (!response.ok) throw new Error(`the API answered ${response.status}: ${await response.text()}`);
  return createdSchema.parse(await response.json());
}

/** The supervisor's side, beside the conversation: waits for the request, reads it, allows it. */
async function supervise(
  deps: RehearsalDeps,
  scene: Scene,
  interactionId: string,
  watch: InteractionWatch,
  print: Print,
): Promise<void> {
  const person = deps.seeded.supervisors.find(({ supervisor_type }) => supervisor_type === scene.channel);
  if (!person) throw new Error(`there is no ${scene.channel} supervisor`);
  const supervisor = await RehearsedSupervisor.signIn({ ...deps, ...person });
  await watch.until(() => watch.permissions.size > 0, 'a request for permission', 120_000);
  // Holding words are part of what is shown: nobody decides before the customer has heard them.
  await watch
    .until(() => watch.messages.at(-1)?.role === 'agent', 'the holding words', 8_000)
    .catch(() => {});
  const [permissionId] = await supervisor.pending(interactionId);
  if (!permissionId) throw new Error('the API does not list the request for its supervisor');
  print('supervisor', `${person.email} sees the request and allows it`);
  await supervisor.allow(permissionId, scene.note);
}

async function check(
  db: Database,
  deps: RehearsalDeps,
  scene: Scene,
  interactionId: string,
  watch: InteractionWatch,
  print: Print,
): Promise<boolean> {
  const order = await db
    .from('shop_orders')
    .select('id, shop_refunds(id)')
    .eq('business_id', deps.seeded.businessId)
    .eq('order_number', scene.orderNumber);
  const refunds = z
    .array(z.object({ shop_refunds: z.array(z.unknown()) }))
    .parse(order.data)[0]?.shop_refunds;
  const left = await db.from('realtime_metrics').select('timestamp').eq('interaction_id', interactionId);
  const refundCalls = [...watch.calls.values()].filter(({ tool_name }) => tool_name === 'refund_order');
  const [permission] = watch.permissions.values();
  const said = (role: string) => watch.messages.some((message) => message.role === role);
  const truths: [string, boolean][] = [
    ['the transcript has both sides', said('customer') && said('agent')],
    [
      'the refund waited, paused, for a supervisor',
      watch.wasPaused && refundCalls.every((c) => c.requires_permission),
    ],
    ['the supervisor allowed it', permission?.status === 'allowed' && permission.decided_by !== null],
    [
      'the refund ran once',
      refundCalls.filter((c) => c.state === 'succeeded').length === 1 && refunds?.length === 1,
    ],
    ['metrics came while it lived, and none are left', watch.metrics.length > 0 && left.data?.length === 0],
    ['it is completed and archived', watch.status === 'completed' && watch.archive !== undefined],
  ];
  for (const [what, truth] of truths) print(truth ? 'checked' : 'FAILED', what);
  return truths.every(([, truth]) => truth);
}
