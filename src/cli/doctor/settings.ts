import { type Config, inspectConfig } from '../../config.ts';
import { loadPromptLibrary } from '../../definitions/prompts.ts';
import { describeError, type Finding, Findings } from './check.ts';

type Environment = Parameters<typeof inspectConfig>[0];

export interface Settings {
  readonly config: Config;
  readonly findings: readonly Finding[];
  /** True when no setting whose name begins so has a problem. */
  usable(prefix: string): boolean;
}

/** Every setting: those that are wrong, and those that are missing for a part of the work. */
export function checkSettings(env: Environment): Settings {
  const { config, problems } = inspectConfig(env);
  const findings = new Findings('settings');
  const node = Number(process.versions.node.split('.')[0]);
  if (node >= 24) findings.ok('Node.js', process.versions.node);
  else findings.fail('Node.js', `${process.versions.node} can't run TypeScript`, 'Use Node.js 24 or newer.');
  for (const { setting, problem, remedy } of problems) findings.fail(setting, problem, remedy);
  if (problems.length === 0) findings.ok('required', 'all set and well-formed');
  if (config.supabase.publishableKey === undefined) {
    findings.warn(
      'SUPABASE_PUBLISHABLE_KEY',
      'is not set: the API can not start',
      'Copy it from Project Settings → API keys. Workers alone do without.',
    );
  }
  if (config.speech.deepgramApiKey === undefined) {
    findings.warn(
      'DEEPGRAM_API_KEY',
      'is not set: voice agents can not hear',
      'Copy it from your Deepgram project. Chat alone does without.',
    );
  }
  if (config.databaseUrl === undefined) {
    findings.skip('DATABASE_URL', 'is not set; only `floorwalker migrate` needs it');
  }
  for (const [name, hosts] of secretsOf(env)) {
    if (hosts.length > 0) findings.ok(`TOOL_SECRET_${name}`, `may be sent to ${hosts.join(', ')}`);
    else {
      findings.warn(
        `TOOL_SECRET_${name}`,
        'may be sent nowhere over HTTP',
        `List the hosts it is for in TOOL_SECRET_${name}_HOSTS, unless only programs in TOOL_SERVERS use it.`,
      );
    }
  }
  return {
    config,
    findings: findings.list,
    usable: (prefix) => !problems.some(({ setting }) => setting.startsWith(prefix)),
  };

  function secretsOf(source: Environment): [string, readonly string[]][] {
    return Object.keys(source)
      .filter((name) => /^TOOL_SECRET_[A-Z0-9_]+$/.test(name) && !name.endsWith('_HOSTS'))
      .map((name) => name.slice('TOOL_SECRET_'.length))
      .map((name) => [name, config.tools.secretHosts(name)]);
  }
}

export function checkPrompts(directory: string): readonly Finding[] {
  const findings = new Findings('prompts');
  try {
    const { languages } = loadPromptLibrary(directory);
    findings.ok('templates', `all variables declared and used; languages: ${languages.join(', ')}`);
  } catch (error) {
    findings.fail('templates', describeError(error), 'Correct the files and fields that are named.');
  }
  return findings.list;
}
