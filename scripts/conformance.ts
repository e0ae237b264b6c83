import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run conformance`: the MCP conformance suite's client scenarios, driven through our tool layer. Prints the
 * score by scenario for the revision we conform to and, for information, for the next one.
 */
const REQUIRED = '2025-11-25';
const REVISIONS = [REQUIRED, '2026-07-28'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLIENT = join(ROOT, 'test/conformance/client.ts');
/** Scenarios take turns, and their waiting counts. */
const SCENARIO_TIMEOUT_MS = 240_000;

export interface ScenarioScore {
  readonly scenario: string;
  readonly passed: number;
  readonly failed: number;
  /** False for extensions and for scenarios that came after the revision's release. */
  readonly isRequired: boolean;
}

/** Runs what a revision requires. Anything but a score (a suite that does not start) is an error. */
export async function runConformance(revision: string): Promise<ScenarioScore[]> {
  const slots = await mkdtemp(join(tmpdir(), 'floorwalker-slots-'));
  const results = await mkdtemp(join(tmpdir(), 'floorwalker-conformance-'));
  try {
    const text = await output(
      join(ROOT, 'node_modules/.bin/conformance'),
      [
        'client',
        ...['--requirements', revision, '--timeout', String(SCENARIO_TIMEOUT_MS), '-o', results],
        ...['--command', `${process.execPath} --disable-warning=ExperimentalWarning ${CLIENT}`],
      ],
      slots,
    );
    const scores = readScores(text);
    if (scores.length === 0) throw new Error(`The suite gave no score:\n${text.slice(-2_000)}`);
    return scores;
  } finally {
    await rm(results, { recursive: true, force: true });
    await rm(slots, { recursive: true, force: true });
  }
}

/** The summary's lines: `✓ tools_call: 2 passed, 0 failed`, then the names of those that are not scored. */
function readScores(text: string): ScenarioScore[] {
  const unscored = new Set([...text.matchAll(/^ {2}[✓✗] (\S+) \(/gmu)].map(([, name]) => name));
  return [...text.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gmu)].map(
    ([, scenario = '', passed, failed]) => ({
      scenario,
      passed: Number(passed),
      failed: Number(failed),
      isRequired: !unscored.has(scenario),
    }),
  );
}

function output(command: string, args: readonly string[], slots: string): Promise<string> {
  const env = { ...process.env, CONFORMANCE_SLOTS: slots };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
    }
    child.once('error', reject);
    // It exits with 1 when a scenario fails; the score says which.
    child.once('close', () => resolve(text));
  });
}

function print(revision: string, scores: readonly ScenarioScore[]): void {
  const required = scores.filter(({ isRequired }) => isRequired);
  const good = required.filter(({ failed }) => failed === 0);
  process.stdout.write(
    `\nMCP ${revision}: ${good.length} of ${required.length} required client scenarios pass\n`,
  );
  for (const { scenario, passed, failed, isRequired } of scores) {
    const mark = failed === 0 ? '✓' : '✗';
    const note = isRequired ? '' : ' (not required)';
    process.stdout.write(`  ${mark} ${scenario.padEnd(42)} ${passed} of ${passed + failed} checks${note}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const revision of REVISIONS) {
    const scores = await runConformance(revision);
    print(revision, scores);
    if (revision === REQUIRED && scores.some(({ isRequired, failed }) => isRequired && failed > 0))
      process.exitCode = 1;
  }
}
