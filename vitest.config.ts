import { defineConfig } from 'vitest/config';

/** Files in which sound is heard in real time: beside another file of such work they wait for a core and mishear. */
const calls = [
  'test/rehearsal/room.test.ts',
  'test/e2e/voice.test.ts',
  'test/e2e/*-voice.test.ts',
  'test/faults/*-voice.test.ts',
  'test/browser/call.test.ts',
  'test/embedded/demo-rehearsal.test.ts',
];

/** These, and one that brings so many connections to the database that whoever is beside it waits. */
const alone = [...calls, 'test/database/permission-thousand.test.ts'];

const shared = {
  // A file is a process: what one leaves behind (loggers, native handles of LiveKit's client) can't reach another.
  pool: 'forks' as const,
  // Generous, because a busy machine is no defect: what has to be quick is measured by `npm run bench`.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 20_000 } },
  // On a shared machine a whole second may pass between two lines; a defect fails every time.
  retry: process.env.CI ? 2 : 0,
};

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    teardownTimeout: 15_000,
    // The embedded REST server writes every refused query to the console, and refusals are half of what we test.
    silent: 'passed-only',
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        test: {
          ...shared,
          name: 'rest',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          // Each file brings a server and often voice models; more at once only makes timing tests wait for a core.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { ...shared, name: 'calls', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
