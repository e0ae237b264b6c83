import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // A file is a process: what one leaves behind (loggers, native handles of LiveKit's client) can't reach another.
    pool: 'forks',
    // Each file brings a server and often voice models; more at once only makes timing tests wait for a core.
    maxWorkers: 2,
    // Generous, because a busy machine is no defect: what has to be quick is measured by `npm run bench`.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 15_000,
    // On a shared machine a whole second may pass between two lines; a defect fails twice in a row.
    retry: process.env.CI ? 1 : 0,
    // The embedded REST server writes every refused query to the console, and refusals are half of what we test.
    silent: 'passed-only',
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
