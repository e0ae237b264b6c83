import type { Command } from 'commander';
import { z } from 'zod';
import { createServiceClient } from '../database/client.ts';
import { createBusiness } from '../database/people.ts';
import { FloorwalkerError } from '../errors.ts';
import { type CommandDeps, collect, printLines } from './command-deps.ts';
import { findDatabase } from './database-place.ts';

/** A start that suits most shops and services; wrap-ups extend the issues, and only people the topics. */
const DEFAULT_VOCABULARY = {
  topics: [
    'orders',
    'shipping',
    'returns',
    'refunds',
    'billing',
    'account',
    'product',
    'technical_support',
    'other',
  ],
  issues: [
    'late_delivery',
    'missing_parcel',
    'damaged_item',
    'wrong_item',
    'refund_request',
    'cancel_request',
    'payment_failed',
    'billing_error',
    'account_locked',
    'information_request',
    'complaint',
  ],
};

interface CreateOptions {
  name: string;
  slug: string;
  timeZone: string;
  origin?: string[];
  topic?: string[];
  issueTag?: string[];
  data: string;
}

export function registerBusinessCommand(program: Command, deps: CommandDeps): void {
  const business = program.command('business').description('businesses (tenants)');
  business
    .command('create')
    .description('make a business; one that is there already is left as it is')
    .requiredOption('--name <name>', 'its name, as customers know it')
    .requiredOption('--slug <slug>', 'its short name in commands: lower-case letters, digits, hyphens')
    .option('--time-zone <zone>', 'where its day begins, for example Europe/Lisbon', 'UTC')
    .option(
      '--origin <origin>',
      'a web origin whose pages may start interactions; * is any; repeatable',
      collect,
    )
    .option(
      '--topic <topic>',
      'a topic that wrap-ups choose from; repeatable (default: a common set)',
      collect,
    )
    .option(
      '--issue-tag <tag>',
      'an issue tag that wrap-ups choose from; repeatable (default: a common set)',
      collect,
    )
    .option(
      '--data <folder>',
      "a running demo's data folder, used while no SUPABASE_URL is set",
      '.floorwalker',
    )
    .action((options: CreateOptions) => create(options, deps));
}

const tag = z.string().regex(/^[a-z][a-z0-9_]*$/);
const optionsSchema = z.object({
  name: z.string().trim().min(1).max(200),
  slug: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  timeZone: z.string().refine(isTimeZone),
  origin: z.array(z.string().refine(isOrigin)).default([]),
  topic: z.array(tag).default(DEFAULT_VOCABULARY.topics),
  issueTag: z.array(tag).default(DEFAULT_VOCABULARY.issues),
});
const REMEDIES: Record<keyof z.output<typeof optionsSchema>, string> = {
  name: '--name: write 1 to 200 characters',
  slug: '--slug: write lower-case letters, digits and hyphens, for example paper-and-pen',
  timeZone: '--time-zone: write a name such as Europe/Lisbon or UTC',
  origin: '--origin: write scheme and host alone, for example https://shop.example, or *',
  topic: '--topic: write lower_case_with_underscores',
  issueTag: '--issue-tag: write lower_case_with_underscores',
};

/** @throws FloorwalkerError `invalid_request`, `config_invalid`, `database_unavailable` */
async function create(options: CreateOptions, deps: CommandDeps): Promise<void> {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) {
    const fields = new Set(parsed.error.issues.map((issue) => issue.path[0] as keyof typeof REMEDIES));
    throw new FloorwalkerError('invalid_request', [...fields].map((field) => REMEDIES[field]).join('\n'), {
      remedy: 'Nothing was changed.',
    });
  }
  const given = parsed.data;
  const db = createServiceClient(findDatabase(deps, options.data));
  const { business_id, created } = await createBusiness(db, {
    name: given.name,
    slug: given.slug,
    time_zone: given.timeZone,
    allowed_origins: given.origin,
    tag_vocabulary: { topics: given.topic, issues: given.issueTag },
  });
  if (!created) {
    return printLines(deps, [
      `There is a business "${given.slug}" already (id ${business_id}); it was left as it is.`,
    ]);
  }
  const lines = [`Created business ${given.slug}, id ${business_id}.`];
  if (given.origin.length === 0) {
    lines.push(
      'No web page may start interactions yet: give --origin when you create it, or set allowed_origins.',
    );
  }
  lines.push(
    'Next: people who watch its agents, then the agents themselves:',
    `  floorwalker users invite --business ${given.slug} --role supervisor --type chat --email … --username …`,
    `  floorwalker agents apply --business ${given.slug}`,
  );
  printLines(deps, lines);
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function isOrigin(origin: string): boolean {
  return origin === '*' || (URL.canParse(origin) && new URL(origin).origin === origin);
}
