import { defineConfig } from 'vitest/config';

/** For `npm run soak`: one endless file, whose progress is to be seen while it runs. */
export default defineConfig({
  test: {
    include: ['test/faults/soak.run.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    silent: false,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
  },
});
