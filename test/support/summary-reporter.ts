import type { Reporter, TestModule } from 'vitest/node';

/** Ends the output with one plain line that a script can read: "123 passed, 0 failed". */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      passed += tests.filter((test) => test.result().state === 'passed').length;
      failed += tests.filter((test) => test.result().state === 'failed').length;
      // A file that can't be loaded, or whose hook fails, has no failed test of its own to count.
      if (module.state() === 'failed' && tests.every((test) => test.result().state !== 'failed')) failed += 1;
    }
    // After the default reporter's own summary, which is written in the same turn.
    process.once('exit', () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
  }
}
