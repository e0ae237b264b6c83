import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { asPlainSpeech } from '../../scripts/train-scorer/compose.ts';
import { type Judgement, judge } from '../../scripts/train-scorer/judge.ts';
import { createRandom } from '../../scripts/train-scorer/random.ts';
import { type LabelledConversation, readConversations } from '../../scripts/train-scorer/read-material.ts';
import { createDeviceScorer } from '../../src/scoring/device-scorer.ts';
import type { ConversationScorer, Sentiment, TurnScore } from '../../src/scoring/types.ts';

const folder = new URL('./conversations/', import.meta.url);
const heldOut = readdirSync(folder)
  .sort()
  .flatMap((name) => readConversations(readFileSync(new URL(name, folder), 'utf8'), name));
let scorer: ConversationScorer;

beforeAll(async () => {
  scorer = await createDeviceScorer();
});

async function judgeDevice(conversations: readonly LabelledConversation[]): Promise<Judgement> {
  const scores: TurnScore[][] = [];
  for (const { turns } of conversations) scores.push(await scorer.score(turns));
  return judge(
    conversations.map(({ labels }) => labels),
    scores,
  );
}

/** What counting kind and unkind words gives, for comparison: the words a word list would know. */
function wordListScore(text: string): { sentiment: Sentiment; value: number } {
  const count = (pattern: RegExp) => text.toLowerCase().match(pattern)?.length ?? 0;
  const kind = count(
    /\b(thank\w*|great|good|love\w*|wonderful|brilliant|perfect|fantastic|amazing|happy|glad|help\w*|please|best|nice|kind|fine|ok|appreciate\w*|delighted|pleasant|sure)\b/g,
  );
  const unkind = count(
    /\b(problem\w*|wrong|bad|terrible|awful|cancel\w*|refus\w*|hate|worst|sorry|lost|broken|damaged|stupid|disput\w*|scam\w*|ridiculous|disgust\w*|error|pain|angry|fail\w*|late|no|stop|cry\w*|dead)\b/g,
  );
  const value = kind - unkind;
  return { sentiment: value > 0 ? 'good' : value < 0 ? 'critical' : 'neutral', value };
}

describe('the device scorer on labelled conversations that it never learnt from', () => {
  it('has enough of them, in three labels and plain speech too', () => {
    expect(heldOut.length).toBeGreaterThanOrEqual(100);
    const labels = heldOut.flatMap((one) => one.labels.map(({ sentiment }) => sentiment));
    for (const sentiment of ['good', 'neutral', 'critical']) {
      expect(labels.filter((label) => label === sentiment).length).toBeGreaterThan(60);
    }
  });

  it('learnt from none of them', () => {
    const material = new URL('../../scripts/train-scorer/material/', import.meta.url);
    const learnt = new Set(
      readdirSync(material).flatMap((name) =>
        readFileSync(new URL(name, material), 'utf8').split('\n').map(lineKey),
      ),
    );
    const customerLines = heldOut.flatMap(({ turns }) =>
      turns.flatMap(({ role, text }) => (role === 'customer' ? [text] : [])),
    );
    // Short ones ("ok thanks", "yes please") are everybody's.
    const shared = customerLines.filter((text) => text.split(' ').length > 6 && learnt.has(lineKey(text)));
    expect(shared).toEqual([]);
  });

  it('labels turns and ranks final satisfaction well above the goals', async () => {
    const result = await judgeDevice(heldOut);
    expect(result.macroF1).toBeGreaterThanOrEqual(0.7);
    expect(result.spearmanFinal).toBeGreaterThanOrEqual(0.7);
    expect(result.meanErrorFinal).toBeLessThan(18);
    for (const f1 of Object.values(result.f1)) expect(f1).toBeGreaterThan(0.6);
  });

  it('reads transcripts without punctuation, capitals and with slips nearly as well', async () => {
    const random = createRandom(5);
    const result = await judgeDevice(heldOut.map((one) => asPlainSpeech(one, random)));
    expect(result.macroF1).toBeGreaterThanOrEqual(0.68);
    expect(result.spearmanFinal).toBeGreaterThanOrEqual(0.65);
  });

  it.each(['held-out-1.txt', 'held-out-2.txt', 'held-out-3.txt'])(
    'reaches the goals on %s alone',
    async (name) => {
      const part = readConversations(readFileSync(new URL(name, folder), 'utf8'), name);
      const result = await judgeDevice(part);
      expect(result.macroF1).toBeGreaterThanOrEqual(0.62);
      expect(result.spearmanFinal).toBeGreaterThanOrEqual(0.52);
    },
  );

  it('does far better than a word list', async () => {
    const listed = heldOut.map(({ turns }) =>
      turns
        .filter(({ role }) => role === 'customer')
        .map(({ text }) => {
          const { sentiment, value } = wordListScore(text);
          return { sentiment, satisfaction: 50 + value * 10 };
        }),
    );
    const list = judge(
      heldOut.map(({ labels }) => labels),
      listed,
    );
    const device = await judgeDevice(heldOut);
    expect(device.macroF1 - list.macroF1).toBeGreaterThan(0.25);
    expect(device.spearmanFinal - list.spearmanFinal).toBeGreaterThan(0.25);
  });
});

function lineKey(line: string): string {
  return line
    .replace(/^[~^]?([-+=]\d+|>) /, '')
    .toLowerCase()
    .replace(/[^a-z0-9 ]/g, '');
}
