import { execFile } from 'node:child_process';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Measurements, percentile, type Series } from './measurements.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The version that was measured; a copy without git has none. */
async function commit(): Promise<string> {
  const git = (...args: string[]) => run('git', args, { cwd: ROOT }).then(({ stdout }) => stdout.trim());
  try {
    const changed = await git(
      'status',
      '--porcelain',
      '--',
      'src',
      'migrations',
      'prompts',
      'package-lock.json',
    );
    return `${await git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : ' with changes'}`;
  } catch {
    return 'unknown';
  }
}

export async function describeMachine() {
  return {
    commit: await commit(),
    node: process.version,
    system: `${platform()} ${release()}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 1024 / 1024),
  };
}

/** Of the last 1, 5 and 15 minutes. */
export function load(): number[] {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}

function figures({ values }: Series) {
  return {
    median: percentile(values, 0.5),
    p95: percentile(values, 0.95),
    p99: percentile(values, 0.99),
    worst: percentile(values, 1),
    n: values.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function show(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 1 : 0);
}

/** One line a series, in columns. */
export function table({ series, failures, notes }: Measurements): string {
  const rows = series.map((one) => {
    const { median, p95, p99, worst, n } = figures(one);
    if (one.unit === '%') return [one.part, one.name, show(mean(one.values)), '', '', '', '%', String(n)];
    return [one.part, one.name, show(median), show(p95), show(p99), show(worst), one.unit, String(n)];
  });
  const all = [['part', 'what', 'median', 'p95', 'p99', 'worst', '', 'n'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, column) => {
        const isNumber = (column >= 2 && column <= 5) || column === 7;
        return isNumber ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
      })
      .join('  ')
      .trimEnd(),
  );
  const failed = failures.map(({ part, message }) => `failed: ${part}: ${message}`);
  return [...lines, ...notes, ...failed].join('\n');
}

/** Under what circumstances: what a reader must know before comparing two tables. */
export function footnotes(run: {
  readonly complete: boolean;
  readonly commit: string;
  readonly node: string;
  readonly cores: number;
  readonly processor: string;
  readonly loadBefore: readonly number[];
  readonly loadAfter: readonly number[];
  readonly restless: number;
}): string {
  const { loadBefore, loadAfter, restless } = run;
  const lines = [
    `${run.commit}, Node ${run.node}, ${run.cores} × ${run.processor}`,
    `load (1, 5, 15 min) before: ${loadBefore.join(' ')}, after: ${loadAfter.join(' ')}`,
  ];
  if (!run.complete) lines.push('Broken off: this is what was measured until then.');
  if ((loadBefore[0] ?? 0) > run.cores / 2) {
    lines.push('The machine was busy with something else when this began: do not compare these.');
  }
  if (restless > 0) {
    lines.push(`The worker did not come to rest ${restless} times; what followed ran beside other work.`);
  }
  return lines.join('\n');
}

export function asJson(results: Measurements, run: Readonly<Record<string, unknown>>): string {
  const series = results.series.map((one) => ({
    ...one,
    ...figures(one),
    values: one.values.map((value) => Math.round(value * 100) / 100),
  }));
  return `${JSON.stringify({ ...run, series, failures: results.failures }, null, 2)}\n`;
}
