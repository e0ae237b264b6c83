import { z } from 'zod';
import type { Config } from '../../config.ts';
import { createServiceClient, type Database } from '../../database/client.ts';
import {
  type AgentToolRow,
  agentRowSchema,
  agentToolRowSchema,
  businessRowSchema,
} from '../../database/rows.ts';
import { databaseError } from '../../database/rpc.ts';
import { AGENT_VARIABLES } from '../../definitions/opening.ts';
import { loadPromptLibrary } from '../../definitions/prompts.ts';
import { parseTemplate } from '../../definitions/template.ts';
import { createLog } from '../../log.ts';
import { openCatalogue } from '../../tools/catalogue.ts';
import { type Finding, Findings } from './check.ts';

const agentSchema = agentRowSchema.extend({ deleted_at: z.string().nullable() });
type Agent = z.output<typeof agentSchema>;

export interface AgentChecks {
  readonly config: Config;
  readonly promptsDirectory: string;
  readonly models: readonly string[] | undefined;
}

/** Each agent as a worker would take it: people, prompt, models, voice, and every tool's server. */
export async function checkAgents(checks: AgentChecks): Promise<readonly Finding[]> {
  const findings = new Findings('agents');
  const db = createServiceClient(checks.config.supabase);
  const businesses = await rows(
    db,
    'businesses',
    businessRowSchema.extend({ deleted_at: z.string().nullable() }),
  );
  const agents = (await rows(db, 'agents', agentSchema)).filter((agent) => agent.deleted_at === null);
  const tools = await rows(db, 'agent_tools', agentToolRowSchema);
  const open = businesses.filter((business) => business.deleted_at === null);
  if (open.length === 0) {
    findings.warn('businesses', 'there is none yet', 'Make one with `floorwalker business create`.');
  } else if (agents.length === 0) {
    findings.warn(
      'agents',
      'there is none yet',
      'Write one to the database with `floorwalker agents apply`.',
    );
  }
  for (const agent of agents) {
    const business = open.find(({ id }) => id === agent.business_id);
    const subject = `${business?.slug ?? agent.business_id}/${agent.slug}`;
    const before = findings.list.length;
    checkTexts(agent, subject, checks, findings);
    checkModels(agent, subject, checks, findings);
    if (agent.public && business?.allowed_origins.length === 0) {
      findings.warn(
        subject,
        'is public, but no web page may start interactions',
        'Set allowed_origins of the business, or public: false for the agent.',
      );
    }
    const own = tools.filter((tool) => tool.agent_id === agent.id);
    const reachable = await checkTools(own, agent, subject, checks, findings);
    if (findings.list.slice(before).every(({ status }) => status === 'ok')) {
      findings.ok(subject, `${agent.agent_type}, ${reachable} tools reachable`);
    }
  }
  return findings.list;
}

function checkTexts(agent: Agent, subject: string, checks: AgentChecks, findings: Findings): void {
  for (const field of ['system_prompt', 'greeting'] as const) {
    const parsed = parseTemplate(agent[field] ?? '');
    const known: readonly string[] = AGENT_VARIABLES;
    const problems = parsed.ok
      ? parsed.template.variables
          .filter((name) => !known.includes(name))
          .map((name) => `there is no {{${name}}}`)
      : parsed.problems;
    if (problems.length > 0) {
      findings.warn(
        subject,
        `${field}: ${problems.join('; ')}`,
        'It is left out when spoken; correct the text.',
      );
    }
  }
  const { exact } = loadPromptLibrary(checks.promptsDirectory).forLanguage(agent.language);
  if (!exact) {
    findings.warn(
      subject,
      `language ${agent.language}: the runtime's own words are English`,
      `Add a folder prompts/${agent.language.split('-')[0]} with the words for customers.`,
    );
  }
}

function checkModels(
  agent: Agent,
  subject: string,
  { models, config }: AgentChecks,
  findings: Findings,
): void {
  const model = z.looseObject({ llm_model: z.string() }).safeParse(agent.model_settings).data?.llm_model;
  if (model !== undefined && models !== undefined && models.length > 0 && !models.includes(model)) {
    findings.warn(
      subject,
      `the model server does not list "${model}"`,
      'Correct model_settings, if it is not hidden.',
    );
  }
  if (agent.agent_type === 'voice' && config.speech.deepgramApiKey === undefined) {
    findings.fail(subject, 'speaks, and DEEPGRAM_API_KEY is not set', 'Set it where workers run.');
  }
}

/** Starts and lists every tool server exactly as a conversation would, calling none of the tools. */
async function checkTools(
  tools: readonly AgentToolRow[],
  agent: Agent,
  subject: string,
  { config }: AgentChecks,
  findings: Findings,
): Promise<number> {
  if (tools.length === 0) return 0;
  const catalogue = await openCatalogue(tools, {
    config: config.tools,
    identity: {
      businessId: agent.business_id,
      interactionId: '00000000-0000-0000-0000-000000000000',
      customerId: null,
      phoneNumber: null,
      phoneSource: null,
    },
    log: createLog({ level: 'silent' }),
    onStep: () => {},
  });
  try {
    const broken = catalogue.definitions.filter(({ unavailable }) => unavailable !== undefined);
    for (const { name, unavailable } of broken) {
      findings.fail(
        `${subject}: ${name}`,
        unavailable ?? 'unavailable',
        'Check its tool_config, TOOL_SERVERS and the server itself; customers are told it is unavailable until then.',
      );
    }
    return catalogue.definitions.length - broken.length;
  } finally {
    await catalogue.close();
  }
}

async function rows<Schema extends z.ZodType>(
  db: Database,
  table: string,
  schema: Schema,
): Promise<z.output<Schema>[]> {
  const { data, error, status } = await db.from(table).select('*').limit(1000);
  if (error !== null) throw databaseError(error, status, table);
  return z.array(schema).parse(data);
}
