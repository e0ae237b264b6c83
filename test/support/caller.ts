export * from '../../src/embedded/rehearsal/caller/caller.ts';
