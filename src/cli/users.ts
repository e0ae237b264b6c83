import type { Command } from 'commander';
import { z } from 'zod';
import { type Access, giveAccess, takeBackAccess } from '../database/accounts.ts';
import { createServiceClient, type Database } from '../database/client.ts';
import { registerUser } from '../database/people.ts';
import { FloorwalkerError } from '../errors.ts';
import { findBusiness } from './agent-store.ts';
import { type CommandDeps, printLines } from './command-deps.ts';
import { findDatabase } from './database-place.ts';

interface InviteOptions {
  email: string;
  role: string;
  name?: string;
  business?: string;
  type?: string;
  username?: string;
  mail?: boolean;
  data: string;
}

export function registerUsersCommand(program: Command, deps: CommandDeps): void {
  const users = program.command('users').description('supervisors and admins');
  users
    .command('invite')
    .description('give a person access; for one who has it, update role and name')
    .requiredOption('--email <email>', 'what they sign in with')
    .requiredOption('--role <role>', 'supervisor (sees own agents) or admin (sees the whole business)')
    .option('--business <slug>', 'not needed while there is one business')
    .option('--type <type>', 'for supervisors: voice or chat, like their agents')
    .option('--username <username>', 'for supervisors: the name that others see')
    .option('--name <name>', 'their full name (default: the username or the e-mail address)')
    .option('--mail', 'let Supabase send an invitation instead of printing a one-time password')
    .option(
      '--data <folder>',
      "a running demo's data folder, used while no SUPABASE_URL is set",
      '.floorwalker',
    )
    .action((options: InviteOptions) => invite(options, deps));
}

const supervisorSchema = z.object({
  role: z.literal('supervisor'),
  email: z.email(),
  type: z.enum(['voice', 'chat']),
  username: z.string().trim().min(1).max(100),
  name: z.string().trim().min(1).max(200).optional(),
});
const adminSchema = z.object({
  role: z.literal('admin'),
  email: z.email(),
  type: z.undefined().optional(),
  username: z.undefined().optional(),
  name: z.string().trim().min(1).max(200).optional(),
});
type Invitation = z.output<typeof supervisorSchema> | z.output<typeof adminSchema>;

const REMEDIES: Readonly<Record<string, string>> = {
  email: '--email: write an e-mail address',
  role: '--role: write supervisor or admin',
  type: '--type: a supervisor needs voice or chat; an admin has none',
  username: '--username: a supervisor needs one of up to 100 characters; an admin has none',
  name: '--name: write 1 to 200 characters',
};

/** @throws FloorwalkerError `invalid_request`, `business_not_found`, `username_taken`, `user_of_another_business` */
async function invite(options: InviteOptions, deps: CommandDeps): Promise<void> {
  const person = readInvitation(options);
  const db = createServiceClient(findDatabase(deps, options.data));
  const business = await findBusiness(db, options.business);
  const access = await giveAccess(db, person.email, options.mail === true);
  const registered = await register(db, business.id, person, access);

  const what = person.role === 'admin' ? 'admin' : `${person.type} supervisor "${person.username}"`;
  const lines = [`${registered.created ? 'Added' : 'Updated'} ${person.email}: ${what} of ${business.slug}.`];
  if (access.kind === 'password') {
    lines.push(
      `One-time password: ${access.password}`,
      'It is shown once and stored nowhere; ask them to change it when they first sign in.',
    );
  } else if (access.kind === 'mail') {
    lines.push('Supabase sent them an invitation by mail.');
  } else {
    lines.push('They could sign in before; their password is unchanged.');
  }
  printLines(deps, lines);
}

function readInvitation(options: InviteOptions): Invitation {
  const parsed = (options.role === 'admin' ? adminSchema : supervisorSchema).safeParse(options);
  if (parsed.success) return parsed.data;
  const fields = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
  const lines = [...fields].map((field) => REMEDIES[field] ?? field);
  throw new FloorwalkerError('invalid_request', lines.join('\n'), { remedy: 'Nothing was changed.' });
}

async function register(
  db: Database,
  businessId: string,
  person: Invitation,
  access: Access,
): Promise<{ created: boolean }> {
  try {
    return await registerUser(db, {
      id: access.id,
      business_id: businessId,
      email: person.email,
      name: person.name ?? person.username ?? person.email,
      role: person.role,
      username: person.username ?? null,
      supervisor_type: person.type ?? null,
    });
  } catch (error) {
    await takeBackAccess(db, access);
    throw error;
  }
}
