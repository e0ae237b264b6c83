import type { Command } from 'commander';
import { createServiceClient } from '../database/client.ts';
import {
  type AgentDifference,
  type AgentState,
  diffAgent,
  formatDifference,
  wantedState,
} from '../definitions/agent-diff.ts';
import { type LoadedDefinition, loadAgentDefinitions } from '../definitions/agents.ts';
import { FloorwalkerError } from '../errors.ts';
import {
  applyAgents,
  findBusiness,
  listAgents,
  listSupervisors,
  type StoredAgent,
  type Supervisor,
} from './agent-store.ts';
import { type CommandDeps, collect, printLines } from './command-deps.ts';
import { findDatabase } from './database-place.ts';

interface ApplyOptions {
  business?: string;
  supervisor?: string[];
  cover?: string[];
  dryRun?: boolean;
  force?: boolean;
  data: string;
}

interface PlannedAgent {
  readonly wanted: AgentState;
  readonly current: StoredAgent | undefined;
  readonly difference: AgentDifference;
}

export function registerAgentsCommand(program: Command, deps: CommandDeps): void {
  const agents = program.command('agents').description('agent definitions');
  agents
    .command('apply')
    .description('check definitions, show what would change, and write them to the database')
    .argument('[files...]', 'definitions or folders of them (default: agents)')
    .option('--business <slug>', 'whose agents they are; not needed while there is one business')
    .option('--supervisor <email>', 'their supervisor; give one of each type for both channels', collect)
    .option('--cover <email>', "who sees requests that the supervisor doesn't", collect)
    .option('--dry-run', 'show what would change and stop')
    .option('--force', 'overwrite what was edited elsewhere since the last apply')
    .option(
      '--data <folder>',
      "a running demo's data folder, used while no SUPABASE_URL is set",
      '.floorwalker',
    )
    .action((files: string[], options: ApplyOptions) => apply(files, options, deps));
}

/**
 * All checks come before the first write, and all writes are one transaction: an error changes nothing.
 *
 * @throws FloorwalkerError `definitions_invalid`, `config_invalid`, `business_not_found`, `supervisor_invalid`,
 *   `cover_invalid`, `too_many_agents`, `agent_version_conflict`
 */
async function apply(files: string[], options: ApplyOptions, deps: CommandDeps): Promise<void> {
  const definitions = loadAgentDefinitions(files.length === 0 ? ['agents'] : files);
  const db = createServiceClient(findDatabase(deps, options.data));
  const business = await findBusiness(db, options.business);
  const supervisors = await listSupervisors(db, business.id);
  const stored = await listAgents(db, business.id, supervisors);

  const plan = definitions.map((definition) => planAgent(definition, options, supervisors, stored));
  printLines(deps, [`Business ${business.slug} (${business.name})`]);
  for (const { wanted, difference } of plan) printLines(deps, formatDifference(wanted, difference));

  const changing = plan.filter(({ difference }) => difference.kind !== 'same');
  if (options.force !== true) refuseEditedElsewhere(changing);
  if (changing.length === 0) return printLines(deps, ['Nothing to do.']);
  if (options.dryRun === true) return printLines(deps, ['Dry run: nothing was changed.']);

  const results = await applyAgents(
    db,
    business.id,
    changing.map(({ wanted, current }) => ({ wanted, expectedVersion: current?.version ?? null })),
    options.force === true,
  );
  const lines = changing.map(({ wanted }, index) => {
    const result = results[index];
    return `${result?.created ? 'Created' : 'Changed'} ${wanted.slug}: version ${result?.version}, id ${result?.agent_id}`;
  });
  printLines(deps, [...lines, 'Interactions that are under way keep what they began with.']);
}

function planAgent(
  { file, agent }: LoadedDefinition,
  options: ApplyOptions,
  supervisors: readonly Supervisor[],
  stored: ReadonlyMap<string, StoredAgent>,
): PlannedAgent {
  const current = stored.get(agent.slug);
  const ofType = supervisors.filter((person) => person.supervisor_type === agent.agent_type);
  const named = choose('supervisor', options.supervisor, agent.agent_type, supervisors);
  const supervisor = named ?? current?.state.supervisor ?? onlySupervisor(file, agent.agent_type, ofType);
  const cover = choose('cover', options.cover, agent.agent_type, supervisors) ?? current?.state.cover ?? null;
  const wanted = wantedState(agent, { supervisor, cover });
  return { wanted, current, difference: diffAgent(current?.state ?? null, wanted) };
}

/** The person of the agent's type among those that were named on the command line. */
function choose(
  part: 'supervisor' | 'cover',
  names: readonly string[] | undefined,
  agentType: 'voice' | 'chat',
  supervisors: readonly Supervisor[],
): string | undefined {
  const people = (names ?? []).map((name) => {
    const person = supervisors.find(
      ({ email, username }) => email.toLowerCase() === name.toLowerCase() || username === name,
    );
    if (person !== undefined) return person;
    throw new FloorwalkerError(`${part}_invalid`, `There is no supervisor "${name}" in this business.`, {
      remedy: `${describePeople(supervisors)} Invite one with \`floorwalker users invite\`.`,
    });
  });
  return people.find((person) => person.supervisor_type === agentType)?.email;
}

function onlySupervisor(file: string, agentType: string, candidates: readonly Supervisor[]): string {
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only.email;
  throw new FloorwalkerError('supervisor_invalid', `${file}: the agent needs a ${agentType} supervisor.`, {
    remedy:
      only === undefined
        ? `Invite one: floorwalker users invite --role supervisor --type ${agentType} --email … --username …`
        : `${describePeople(candidates)} Say which one: --supervisor EMAIL.`,
  });
}

function describePeople(people: readonly Supervisor[]): string {
  if (people.length === 0) return 'There are no supervisors yet.';
  return `There are: ${people.map(({ email, supervisor_type }) => `${email} (${supervisor_type})`).join(', ')}.`;
}

function refuseEditedElsewhere(changing: readonly PlannedAgent[]): void {
  const edited = changing.flatMap(({ wanted, current }) =>
    current === undefined || current.appliedVersion === current.version
      ? []
      : [{ slug: wanted.slug, current }],
  );
  if (edited.length === 0) return;
  const lines = edited.map(({ slug, current: { appliedVersion, version } }) =>
    appliedVersion === null
      ? `${slug} was made elsewhere and never applied from a definition (it is at version ${version})`
      : `${slug} was edited elsewhere since the last apply (version ${appliedVersion}, now ${version})`,
  );
  throw new FloorwalkerError('agent_version_conflict', `${lines.join('; ')}. Nothing was changed.`, {
    remedy:
      'The lines above show what would be overwritten. Take it over into the file, or apply with --force.',
    details: {
      agents: edited.map(({ slug, current: { version, appliedVersion } }) => ({
        slug,
        version,
        appliedVersion,
      })),
    },
  });
}
