import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { z } from 'zod';
import { seedShopOrders } from '../../../tools/orders/seed.ts';
import { createServiceClient, type Database } from '../../database/client.ts';
import { createBusiness, registerUser } from '../../database/people.ts';
import { FloorwalkerError, isFloorwalkerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { registerAgentsCommand } from '../agents.ts';
import type { DemoSecrets } from './folder.ts';

const AGENTS = fileURLToPath(new URL('../../../agents', import.meta.url));
const BUSINESS = { slug: 'demo', name: 'Paper Lane' };

const PEOPLE = {
  chat: { email: 'chat.supervisor@demo.example', name: 'Casey Chat', username: 'casey', role: 'supervisor' },
  voice: { email: 'voice.supervisor@demo.example', name: 'Vera Voice', username: 'vera', role: 'supervisor' },
  admin: { email: 'admin@demo.example', name: 'Ada Admin', username: null, role: 'admin' },
} as const;
type Part = keyof typeof PEOPLE;

export interface Seeded {
  readonly businessId: string;
  readonly supervisors: readonly { email: string; password: string; supervisor_type: 'voice' | 'chat' }[];
  readonly admin: { readonly email: string; readonly password: string };
  readonly agents: readonly { id: string; name: string; agent_type: 'voice' | 'chat' }[];
}

export interface SeedDeps {
  readonly supabase: { readonly url: string; readonly secretKey: string };
  readonly passwords: DemoSecrets['passwords'];
  readonly log: Log;
  readonly say: (line: string) => void;
}

/** The business that everything of the demo belongs to; its workers need to know it before they start. */
export async function provideBusiness(supabase: SeedDeps['supabase']): Promise<string> {
  const { business_id } = await createBusiness(createServiceClient(supabase), {
    ...BUSINESS,
    allowed_origins: ['*'],
    tag_vocabulary: {
      topics: ['orders', 'refunds', 'shipping', 'cancellation'],
      issues: ['damaged_item', 'late_delivery', 'refund_request', 'cancellation_request', 'order_question'],
    },
  });
  return business_id;
}

/** What there is to try in it: its people, the shipped agents, and orders as new as on the first day. */
export async function seedDemo(deps: SeedDeps, businessId: string): Promise<Seeded> {
  const db = createServiceClient(deps.supabase);
  for (const part of ['chat', 'voice', 'admin'] as const) {
    await provideUser(db, businessId, part, deps.passwords[part]);
  }
  await applyShippedAgents(deps);
  await resetShop(db, businessId);
  return {
    supervisors: (['chat', 'voice'] as const).map((part) => ({
      email: PEOPLE[part].email,
      password: deps.passwords[part],
      supervisor_type: part,
    })),
    admin: { email: PEOPLE.admin.email, password: deps.passwords.admin },
    agents: await listAgents(db, businessId),
    businessId,
  };
}

async function provideUser(db: Database, businessId: string, part: Part, password: string): Promise<void> {
  const { email, name, username, role } = PEOPLE[part];
  const created = await db.auth.admin.createUser({ email, password, email_confirm: true });
  const id = created.data.user?.id ?? (await findUser(db, email, created.error));
  if (created.error) await db.auth.admin.updateUserById(id, { password });
  await registerUser(db, {
    id,
    business_id: businessId,
    email,
    name,
    role,
    username,
    supervisor_type: part === 'admin' ? null : part,
  });
}

async function findUser(db: Database, email: string, refusal: unknown): Promise<string> {
  const { data } = await db.auth.admin.listUsers({ page: 1, perPage: 1000 });
  const found = data.users.find((user) => user.email === email);
  if (found) return found.id;
  throw new FloorwalkerError('embedded_start_failed', `The demo's user ${email} can't be made.`, {
    cause: refusal,
  });
}

/** By the command that an operator uses. An agent that was edited since stays as it was edited. */
async function applyShippedAgents(deps: SeedDeps): Promise<void> {
  const program = new Command().exitOverride();
  registerAgentsCommand(program, {
    env: { SUPABASE_URL: deps.supabase.url, SUPABASE_SECRET_KEY: deps.supabase.secretKey },
    log: deps.log,
    stdout: { write: () => true },
  });
  const supervisors = [PEOPLE.chat.email, PEOPLE.voice.email].flatMap((email) => ['--supervisor', email]);
  try {
    await program.parseAsync(['agents', 'apply', AGENTS, '--business', BUSINESS.slug, ...supervisors], {
      from: 'user',
    });
  } catch (error) {
    if (!isFloorwalkerError(error, 'agent_version_conflict')) throw error;
    deps.say('agents were edited in this data folder since they were applied; they stay as they are');
  }
}

/** What was refunded or cancelled in an earlier demo can be refunded or cancelled again. */
async function resetShop(db: Database, businessId: string): Promise<void> {
  for (const table of ['shop_refunds', 'shop_orders']) {
    const { error } = await db.from(table).delete().eq('business_id', businessId);
    if (error) throw new FloorwalkerError('database_error', `${table}: ${error.message}`);
  }
  await seedShopOrders(db, businessId);
}

const agentsSchema = z.array(
  z.object({ id: z.string(), name: z.string(), agent_type: z.enum(['voice', 'chat']) }),
);

async function listAgents(db: Database, businessId: string): Promise<z.output<typeof agentsSchema>> {
  const { data, error } = await db
    .from('agents')
    .select('id, name, agent_type')
    .eq('business_id', businessId)
    .is('deleted_at', null)
    .order('name');
  if (error) throw new FloorwalkerError('database_error', `agents: ${error.message}`);
  return agentsSchema.parse(data);
}
