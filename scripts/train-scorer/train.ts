/**
 * Trains the on-device scorer on the material beside it and writes `src/scoring/model/weights.json`.
 * `node scripts/train-scorer/train.ts [--dry]`: about a minute; the same material gives the same file.
 * The conversations in `test/scoring/` are only judged at the end, never learnt from.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { asPlainSpeech } from './compose.ts';
import { type Judgement, judge } from './judge.ts';
import { gather, modelFolder, scoreAll, TRAINING, train } from './pipeline.ts';
import { createRandom } from './random.ts';
import { readConversations } from './read-material.ts';

const heldOutFolder = new URL('../../test/scoring/conversations/', import.meta.url);

function show(name: string, judgement: Judgement): void {
  const { macroF1, f1, spearmanFinal, spearmanTurns, meanErrorFinal } = judgement;
  const figure = (value: number) => value.toFixed(3);
  console.log(
    `${name.padEnd(26)} macro-F1 ${figure(macroF1)} (good ${figure(f1.good)} neutral ${figure(f1.neutral)}` +
      ` critical ${figure(f1.critical)})  Spearman final ${figure(spearmanFinal)} turns ${figure(spearmanTurns)}` +
      `  mean error ${meanErrorFinal.toFixed(1)}`,
  );
}

const started = performance.now();
const all = gather(TRAINING);
const { weights, crossValidated } = await train(all, TRAINING);
show('cross-validated', crossValidated);

const random = createRandom(99);
for (const name of readdirSync(heldOutFolder).sort()) {
  const heldOut = readConversations(readFileSync(new URL(name, heldOutFolder), 'utf8'), name);
  const labels = heldOut.map((one) => one.labels);
  show(name, judge(labels, await scoreAll(heldOut, weights)));
  const plain = heldOut.map((one) => asPlainSpeech(one, random));
  show(`${name}, plain`, judge(labels, await scoreAll(plain, weights)));
}
const text = `${JSON.stringify(weights)}\n`;
const turns = all.reduce((sum, { conversation }) => sum + conversation.labels.length, 0);
console.log(
  `${turns} turns learnt; ${weights.customer.names.split('\n').length} features; ` +
    `${(text.length / 1024).toFixed(0)} KiB; ${((performance.now() - started) / 1000).toFixed(0)} s`,
);
if (!process.argv.includes('--dry')) writeFileSync(new URL('weights.json', modelFolder), text);
