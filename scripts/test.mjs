// "npm test [-- FILES]": types, style and the direction of imports, then the tests. All of them run even when the
// first has failed, because a misplaced comma says nothing about the tests.
import { spawnSync } from 'node:child_process';

function passes(script) {
  const { status, signal } = spawnSync(script, { shell: true, stdio: 'inherit' });
  if (signal) process.kill(process.pid, signal);
  return status === 0;
}

const quoted = process.argv.slice(2).map((argument) => `'${argument.replaceAll("'", `'\\''`)}'`);
const checked = [
  // Two compilers are installed, and which of them is called tsc is npm's choice.
  'node node_modules/typescript-native/bin/tsc -p .',
  'node node_modules/typescript-native/bin/tsc -p src/console',
  'biome check .',
  'depcruise --config .dependency-cruiser.cjs src tools',
].map(passes);
const tested = passes(['vitest run', ...quoted].join(' '));
if (checked.includes(false))
  console.log('\nThe checks before the tests failed; see the beginning of this output.');
process.exitCode = tested && !checked.includes(false) ? 0 : 1;
