/**
 * Loaded before everything else into the processes of a worker (`NODE_OPTIONS=--import`): stands for the mistakes that
 * nobody has made yet. What customers write makes the code fail where it looks at their words, in the midst of their
 * session; nothing in `src` knows of it.
 */
const looksAt = String.prototype.toWellFormed;
const kept: Buffer[] = [];

String.prototype.toWellFormed = function toWellFormed(this: string): string {
  const words = String(this);
  if (words.includes('bring everything down')) {
    setTimeout(() => {
      throw new Error('sabotage');
    });
  }
  if (words.includes('stumble')) throw new Error('sabotage');
  const [, megabytes] = /keep (\d+) megabytes/.exec(words) ?? [];
  if (megabytes !== undefined) kept.push(Buffer.alloc(Number(megabytes) * 1_048_576, 1));
  return looksAt.call(words);
};
