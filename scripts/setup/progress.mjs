// What a person sees of the set-up, and running a program so that they see it is alive.
import { spawn } from 'node:child_process';

const startedAt = Date.now();
let worked = false;

/** A failure that a person can mend: says what, and what to do about it. */
export class SetupError extends Error {
  /** @param {string} message @param {string} [remedy] */
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

/** @param {string} line */
export function say(line) {
  process.stdout.write(`set-up: ${line}\n`);
}

/** @param {number} sinceMs */
export function seconds(sinceMs) {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/**
 * Does one step and says how long it took.
 * @template T @param {string} doing @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function step(doing, work) {
  worked = true;
  const since = Date.now();
  say(`${doing} …`);
  const timer = setInterval(() => say(`${doing} … still at it after ${seconds(since)}`), 15_000);
  try {
    const result = await work();
    say(`${doing}: done in ${seconds(since)}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

export function finish() {
  say(worked ? `ready after ${seconds(startedAt)}` : `nothing to do (${seconds(startedAt)})`);
}

/**
 * Runs a program to its end, quietly.
 * @param {string} command @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number}} [options]
 * @returns {Promise<{ok: boolean, output: string}>} the last part of all it wrote
 */
export function run(command, args, { cwd, env, timeoutMs } = {}) {
  return new Promise((resolve) => {
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-8_000);
    };
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = timeoutMs && setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const end = (result) => {
      // A timer that is left would keep a finished set-up waiting.
      clearTimeout(timer);
      resolve(result);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => end({ ok: false, output: error.message }));
    child.on('close', (code) => end({ ok: code === 0, output: output.trim() }));
  });
}
