import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseScoreArguments, runScore, type ScoreDeps } from '../../src/cli/score.ts';
import { createDeviceScorer } from '../../src/scoring/device-scorer.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floorwalker-score-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const CALM =
  '{"id":"calm","turns":[{"role":"agent","text":"hi"},{"role":"customer","text":"id like to change my address"},{"role":"agent","text":"done"},{"role":"customer","text":"great thank you so much"}]}';
const SILENT = '{"id":7,"turns":[{"role":"agent","text":"hello?"}]}';

function setup(stdin = '') {
  let printed = '';
  let warned = '';
  const deps: ScoreDeps = {
    stdin: Readable.from([stdin]),
    stdout: new Writable({
      write(chunk, _encoding, done) {
        printed += String(chunk);
        done();
      },
    }),
    stderr: {
      write(text) {
        warned += text;
      },
    },
    createScorer: () => createDeviceScorer(),
  };
  return { deps, lines: () => printed.split('\n').filter(Boolean), warnings: () => warned };
}

describe('floorwalker score', () => {
  it('prints a line per conversation with a score per customer turn', async () => {
    const file = join(folder, 'calls.jsonl');
    await writeFile(file, `\uFEFF${CALM}\n\n${SILENT}\r\n`);
    const { deps, lines } = setup();
    expect(await runScore([file], deps)).toBe(0);
    const [calm, silent] = lines().map((line) => JSON.parse(line));
    expect(calm.id).toBe('calm');
    expect(calm.scores.map(({ turn }: { turn: number }) => turn)).toEqual([1, 3]);
    expect(calm.scores[1]).toEqual({ turn: 3, sentiment: 'good', satisfaction: calm.satisfaction });
    expect(silent).toEqual({ id: 7, scores: [], satisfaction: 60 });
  });

  it('reads standard input', async () => {
    const { deps, lines } = setup(CALM);
    await runScore(['-', '--scorer', 'device'], deps);
    expect(lines()).toHaveLength(1);
  });

  it('prints each line before it reads the next, so that a file may be larger than memory', async () => {
    const stdin = new PassThrough();
    const { deps, lines } = setup();
    const running = runScore(['-'], { ...deps, stdin });
    stdin.write(`${CALM}\n`);
    await expect.poll(lines).toHaveLength(1);
    stdin.end(`${SILENT}\n`);
    await running;
    expect(lines()).toHaveLength(2);
  });

  it.each([
    ['nope', /Line 2 of .* is not JSON/],
    ['{"id":"x"}', /Line 2 of .*turns/],
    ['{"id":"x","turns":[{"role":"robot","text":"hi"}]}', /Line 2 of .*turns\.0\.role/],
    ['{"id":"x","turns":[{"role":"agent"}]}', /Line 2 of .*turns\.0\.text/],
    ['[]', /Line 2 of /],
  ])('names the line of %s and keeps what was scored before', async (bad, message) => {
    const { deps, lines } = setup(`${CALM}\n${bad}\n${CALM}\n`);
    await expect(runScore(['-'], deps)).rejects.toMatchObject({
      code: 'score_input_invalid',
      message: expect.stringMatching(message),
      details: { line: 2 },
    });
    expect(lines()).toHaveLength(1);
  });

  it.each([
    [[], /No file/],
    [['a', 'b'], /second one/],
    [['a', '--scorer', 'oracle'], /no scorer "oracle"/],
    [['a', '--scorer'], /no scorer ""/],
    [['a', '--loud'], /no option --loud/],
  ])('refuses the arguments %j', (args, message) => {
    expect(() => parseScoreArguments(args)).toThrow(message);
  });

  it('says that a file is not there', async () => {
    await expect(runScore([join(folder, 'none.jsonl')], setup().deps)).rejects.toMatchObject({
      code: 'score_input_invalid',
      message: expect.stringMatching(/none\.jsonl can't be read/),
    });
  });

  it('stops without an error when its reader has seen enough', async () => {
    const stdout = new PassThrough();
    const { deps } = setup(`${CALM}\n`.repeat(50));
    stdout.once('data', () => stdout.destroy(Object.assign(new Error('closed'), { code: 'EPIPE' })));
    expect(await runScore(['-'], { ...deps, stdout })).toBe(0);
  });

  it('tells on standard error how often the model did not answer', async () => {
    const { deps, lines, warnings } = setup(`${CALM}\n${CALM}\n`);
    const createScorer: ScoreDeps['createScorer'] = async (_kind, onFallback) => {
      const device = await createDeviceScorer();
      return {
        kind: 'model',
        score(turns) {
          onFallback('timeout');
          return device.score(turns);
        },
      };
    };
    await runScore(['-', '--scorer=model'], { ...deps, createScorer });
    expect(lines()).toHaveLength(2);
    expect(warnings()).toMatch(/2 conversations \(timeout\)/);
  });
});
