/**
 * Loaded before everything else into the processes of a worker (`NODE_OPTIONS=--import`): stands for the mistakes that
 * nobody has made yet. Certain messages of customers make the code fail where it looks at their words, in the midst of
 * their session; nothing in `src` knows of it.
 */
const looksAt = String.prototype.toWellFormed;
const kept: Buffer[] = [];
const STEP_MEGABYTES = 20;

String.prototype.toWellFormed = function toWellFormed(this: string): string {
  const words = String(this);
  // Libraries ask the same of what they send.
  if (!new Error().stack?.includes('chat-input')) return looksAt.call(words);
  if (words.startsWith('please bring everything down')) {
    setTimeout(() => {
      throw new Error('sabotage');
    });
  }
  if (words === 'please stumble') throw new Error('sabotage');
  const [, megabytes] = /^please keep (\d+) megabytes$/.exec(words) ?? [];
  if (megabytes !== undefined) keep(Number(megabytes));
  return looksAt.call(words);
};

/** Bit by bit, as leaks do: so much at once would also hold everybody up. */
function keep(megabytes: number): void {
  if (megabytes <= 0) return;
  kept.push(Buffer.alloc(STEP_MEGABYTES * 1_048_576, 1));
  setTimeout(() => keep(megabytes - STEP_MEGABYTES), 200);
}
