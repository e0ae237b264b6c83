import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

/** True while a process runs; one that has ended and is not yet reaped counts as ended. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    try {
      process.kill(pid, 0);
      return process.platform !== 'linux';
    } catch {
      return false;
    }
  }
}

/**
 * Runs a script in a process of its own that can be killed, and waits for its first line, which is JSON.
 * `source` is the body of a module; `SRC` in it is the address of src/embedded/.
 */
export async function startVictim(
  folder: string,
  source: string,
): Promise<{ process: ChildProcess; line: Record<string, unknown> }> {
  const path = `${folder}/victim-${crypto.randomUUID()}.ts`;
  const embedded = new URL('../../src/embedded/', import.meta.url).href;
  await writeFile(path, source.replaceAll('SRC/', embedded));
  const victim = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: victim.stdout }).once('line', resolve);
    victim.once('exit', (code) => reject(new Error(`the victim ended with ${code}`)));
  });
  return { process: victim, line: JSON.parse(line) };
}
