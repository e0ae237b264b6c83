import { initializeLogger, voice } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/session/clock.ts';
import { type SoundSource, YieldingOutput } from '../../src/session/yielding-output.ts';

initializeLogger({ pretty: false, level: 'silent' });

const RATE = 1_000;
const QUEUE_MS = 250;

/** Plays a sample a millisecond, when it is told that time passes. */
class Player implements SoundSource {
  readonly sampleRate = RATE;
  readonly heard: number[] = [];
  #queue: number[] = [];
  #roomy = Promise.withResolvers<void>();
  #played = Promise.withResolvers<void>();

  get queuedDuration(): number {
    return this.#queue.length;
  }

  async captureFrame({ data }: AudioFrame): Promise<void> {
    if (this.#queue.length === 0) this.#played = Promise.withResolvers();
    this.#queue.push(...data);
    if (this.#queue.length <= QUEUE_MS) return;
    this.#roomy = Promise.withResolvers();
    await this.#roomy.promise;
  }

  async waitForPlayout(): Promise<void> {
    if (this.#queue.length > 0) await this.#played.promise;
  }

  clearQueue(): void {
    this.#queue = [];
    this.#tell();
  }

  async close(): Promise<void> {}

  /** Frames follow one another without a gap as long as somebody gives them. */
  async plays(ms: number): Promise<void> {
    await settled();
    for (let passed = 0; passed < ms; passed += 10) {
      this.heard.push(...this.#queue.splice(0, 10));
      this.#tell();
      await settled();
    }
  }

  #tell(): void {
    if (this.#queue.length <= QUEUE_MS) this.#roomy.resolve();
    if (this.#queue.length === 0) this.#played.resolve();
  }
}

/** Everything that can happen without time having passed has happened. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);

function setup({ audible = Promise.resolve() }: { audible?: Promise<void> } = {}) {
  const player = new Player();
  const output = new YieldingOutput(player, audible, systemClock);
  const starts: number[] = [];
  const ends: voice.PlaybackFinishedEvent[] = [];
  output.on(voice.AudioOutput.EVENT_PLAYBACK_STARTED, ({ createdAt }) => starts.push(createdAt));
  output.on(voice.AudioOutput.EVENT_PLAYBACK_FINISHED, (event) => ends.push(event));
  let cuts = 0;
  /** Samples with these numbers, in frames as long as those of a speech service, as the framework hands them on. */
  const says = async (from: number, to: number): Promise<void> => {
    const before = cuts;
    for (let at = from; at < to && cuts === before; at += 100) {
      const samples = Int16Array.from(numbers(at, Math.min(at + 100, to)));
      await output.captureFrame(new AudioFrame(samples, RATE, 1, samples.length));
    }
    if (cuts === before) output.flush();
  };
  const interrupt = (): void => {
    cuts += 1;
    output.clearBuffer();
  };
  return { player, output, starts, ends, says, interrupt };
}

test('nothing is heard from the moment it is told to pause, and every sample once it goes on', async () => {
  const { player, output, ends, says } = setup();
  const said = says(0, 1_000);
  await player.plays(330);
  output.pause();
  await player.plays(500);
  expect(player.heard).toEqual(numbers(0, 330));
  expect(player.queuedDuration).toBe(0);
  output.resume();
  await player.plays(700);
  await said;
  expect(player.heard).toEqual(numbers(0, 1_000));
  expect(ends).toEqual([{ playbackPosition: 1, interrupted: false }]);
});

test('the last words can be paused too, when all of them have been given to the source', async () => {
  const { player, output, ends, says } = setup();
  await says(0, 200);
  await player.plays(50);
  output.pause();
  await player.plays(500);
  expect(player.heard).toEqual(numbers(0, 50));
  expect(ends).toEqual([]);
  output.resume();
  await player.plays(200);
  expect(player.heard).toEqual(numbers(0, 200));
  expect(ends).toEqual([{ playbackPosition: 0.2, interrupted: false }]);
});

test('pauses that follow one another closely lose nothing and say nothing twice', async () => {
  const { player, output, ends, says } = setup();
  void says(0, 900);
  for (let pause = 0; pause < 6; pause += 1) {
    await player.plays(70);
    output.pause();
    if (pause % 2 === 0) await player.plays(40);
    output.resume();
    output.pause();
    output.resume();
  }
  await player.plays(900);
  expect(player.heard).toEqual(numbers(0, 900));
  expect(ends).toHaveLength(1);
});

test('what is interrupted ends at once, and tells how much of it was heard', async () => {
  const { player, ends, says, interrupt } = setup();
  const said = says(0, 1_000);
  await player.plays(330);
  interrupt();
  await player.plays(500);
  await said;
  expect(player.heard).toEqual(numbers(0, 330));
  expect(ends).toEqual([{ playbackPosition: 0.33, interrupted: true }]);
});

test('what was taken back by a pause counts as not heard when it is interrupted', async () => {
  const { player, output, ends, says, interrupt } = setup();
  const said = says(0, 1_000);
  await player.plays(330);
  output.pause();
  await player.plays(100);
  interrupt();
  output.resume();
  await said;
  await player.plays(500);
  expect(player.heard).toEqual(numbers(0, 330));
  expect(ends).toEqual([{ playbackPosition: 0.33, interrupted: true }]);
});

test('what comes after an interruption is a speech of its own', async () => {
  const { player, starts, ends, says, interrupt } = setup();
  const cut = says(0, 1_000);
  await player.plays(330);
  interrupt();
  await cut;
  const next = says(2_000, 2_300);
  await player.plays(400);
  await next;
  expect(player.heard).toEqual([...numbers(0, 330), ...numbers(2_000, 2_300)]);
  expect(starts).toHaveLength(2);
  expect(ends.at(-1)).toEqual({ playbackPosition: 0.3, interrupted: false });
});

test('one speech begins when the one before it has been heard', async () => {
  const { player, starts, ends, says } = setup();
  await says(0, 200);
  const next = says(500, 700);
  expect(starts).toHaveLength(1);
  await player.plays(500);
  await next;
  expect(player.heard).toEqual([...numbers(0, 200), ...numbers(500, 700)]);
  expect(ends).toHaveLength(2);
});

test('nothing is said while the caller can not hear it, nor what was interrupted by then', async () => {
  const { promise: audible, resolve: canHear } = Promise.withResolvers<void>();
  const { player, starts, ends, says, interrupt } = setup({ audible });
  const first = says(0, 200);
  await player.plays(100);
  expect(starts).toEqual([]);
  interrupt();
  canHear();
  await first;
  await player.plays(100);
  expect(player.heard).toEqual([]);
  await Promise.all([says(500, 600), player.plays(200)]);
  expect(player.heard).toEqual(numbers(500, 600));
  expect(ends).toEqual([{ playbackPosition: 0.1, interrupted: false }]);
});
