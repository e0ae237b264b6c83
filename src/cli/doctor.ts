import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { PROMPTS_DIRECTORY } from '../definitions/prompts.ts';
import { FloorwalkerError } from '../errors.ts';
import { type CommandDeps, printLines } from './command-deps.ts';
import { checkAgents } from './doctor/agents.ts';
import { describeError, type Finding, Findings } from './doctor/check.ts';
import { checkDatabase, checkDatabaseUrl } from './doctor/database.ts';
import { checkPrograms } from './doctor/programs.ts';
import { checkLiveKit, checkModel, checkSpeech } from './doctor/services.ts';
import { checkPrompts, checkSettings } from './doctor/settings.ts';

const DEMO_FILE = join('.floorwalker', 'demo.json');

export function registerDoctorCommand(program: Command, deps: CommandDeps): void {
  program
    .command('doctor')
    .description(
      'check every setting, connection, key, agent and tool server; exit status 1 if anything fails',
    )
    .option('--json', 'print the findings as JSON')
    .action(async (options: { json?: boolean }) => {
      const findings = await examine(deps.env);
      if (options.json === true) printLines(deps, [JSON.stringify(findings, null, 2)]);
      else printLines(deps, formatFindings(findings));
      const failed = findings.filter(({ status }) => status === 'fail').length;
      if (failed === 0) return;
      throw new FloorwalkerError('checks_failed', `${failed} of ${findings.length} checks failed.`, {
        remedy: existsSync(DEMO_FILE)
          ? 'What to do stands below each. (The demo that runs here has its own settings and needs none of these.)'
          : 'What to do stands below each.',
      });
    });
}

/** Runs every check that the settings allow; one that can't be made is reported as such, never left out. */
export async function examine(env: CommandDeps['env']): Promise<readonly Finding[]> {
  const settings = checkSettings(env);
  const { config } = settings;
  const findings: Finding[] = [...settings.findings, ...checkPrompts(PROMPTS_DIRECTORY)];
  const add = async (area: string, prefixes: string[], check: () => Promise<readonly Finding[]>) => {
    findings.push(...(await guarded(area, prefixes.every(settings.usable), check)));
  };

  await add('tools', ['TOOL_', 'ALLOW_INLINE'], () => checkPrograms(config.tools));
  let databaseUsable = false;
  await add('database', ['SUPABASE_'], async () => {
    const { findings: found, usable } = await checkDatabase(config.supabase);
    databaseUsable = usable;
    return found;
  });
  const { databaseUrl } = config;
  if (databaseUrl !== undefined) await add('database', [], () => checkDatabaseUrl(databaseUrl));
  await add('media', ['LIVEKIT_'], () => checkLiveKit(config.livekit));
  let models: readonly string[] | undefined;
  await add('model', ['OPENAI_API_KEY', 'OPENAI_BASE_URL'], async () => {
    const checked = await checkModel(config.llm);
    models = checked.models;
    return checked.findings;
  });
  await add('speech', ['OPENAI_', 'DEEPGRAM_'], () => checkSpeech(config.speech, config.llm));
  if (databaseUsable) {
    await add('agents', ['TOOL_'], () =>
      checkAgents({ config, promptsDirectory: PROMPTS_DIRECTORY, models }),
    );
  } else {
    const skipped = new Findings('agents');
    skipped.skip('agents', 'not checked: the database comes first');
    findings.push(...skipped.list);
  }
  return findings;
}

async function guarded(
  area: string,
  usable: boolean,
  check: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const findings = new Findings(area);
  if (!usable) {
    findings.skip(area, 'not checked: its settings come first');
    return findings.list;
  }
  try {
    return await check();
  } catch (error) {
    findings.fail(area, describeError(error), 'Correct what stands above, then run the doctor again.');
    return findings.list;
  }
}

const MARKS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL', skip: 'skip' } as const;

export function formatFindings(findings: readonly Finding[]): string[] {
  const areaWidth = Math.max(...findings.map(({ area }) => area.length));
  const subjectWidth = Math.min(32, Math.max(...findings.map(({ subject }) => subject.length)));
  const lines: string[] = [];
  for (const { area, status, subject, message, remedy } of findings) {
    const [first = '', ...rest] = message.split('\n');
    lines.push(`${MARKS[status]}  ${area.padEnd(areaWidth)}  ${subject.padEnd(subjectWidth)}  ${first}`);
    lines.push(...rest.map((line) => `      ${line.trim()}`));
    if (remedy !== undefined) lines.push(`      → ${remedy}`);
  }
  const count = (status: Finding['status']) => findings.filter((finding) => finding.status === status).length;
  const summary = `${count('ok')} ok, ${count('warn')} warnings, ${count('fail')} failed, ${count('skip')} skipped`;
  return [...lines, '', summary];
}
