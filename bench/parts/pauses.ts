import { setTimeout as wait } from 'node:timers/promises';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Recording } from '../../src/embedded/rehearsal/speech/library.ts';
import { Bare } from '../bare/contestant.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { inputOf, recordingsOf, type Scene, type SceneKind, scenesOf } from '../speech/scenes.ts';
import type { Stack } from '../stack.ts';

const PAUSES_MS = [500, 1_000, 1_500];
/** Sentences in one call. */
const PER_CALL = 6;
const QUIET_MS = 1_000;
const DEADLINE_MS = 30_000;

/** A scene, and for how long its speaker pauses. */
interface Take {
  readonly scene: Scene;
  readonly inputs: readonly [string, string];
  readonly pauseMs: number;
}

function takesOf(kind: SceneKind, scenes: readonly Scene[], count: number): Take[] {
  return Array.from({ length: count }, (_, nth) => {
    const place = nth % scenes.length;
    const scene = scenes[place];
    if (!scene) throw new Error(`there are no scenes of ${kind}`);
    const inputs = [
      inputOf(kind, place, 'begin', scene.begin),
      inputOf(kind, place, 'rest', scene.rest),
    ] as const;
    // Scenes and pauses would turn together otherwise, and a scene would meet one pause only.
    const pauseMs = PAUSES_MS[(nth + Math.floor(nth / scenes.length)) % PAUSES_MS.length] ?? 0;
    return { scene, inputs, pauseMs };
  });
}

async function perform(name: string, customer: Customer, take: Take, results: Measurements): Promise<void> {
  const { inputs, pauseMs, scene } = take;
  await customer.prepare(...inputs);
  await customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
  const first = await customer.say(inputs[0]);
  await wait(Math.max(0, first.endedAt + pauseMs - Date.now()));
  const { endedAt } = await customer.say(inputs[1]);
  const early = customer.firstSoundAfter(first.startedAt);
  const interrupted = early !== undefined && early < endedAt;
  for (const who of [name, `  ${name}, ${scene.kind}`]) {
    results.add('pauses', `${who}: callers interrupted in a pause`, interrupted ? 100 : 0, '%');
  }
  // Whoever was interrupted and spoke on is answered at some other time.
  const soundAt = await customer.waitForSound(endedAt, { deadlineMs: DEADLINE_MS });
  if (interrupted) return;
  for (const who of [name, `  ${name}, ${scene.kind}`]) {
    results.add('pauses', `${who}: last word to first sound`, soundAt - endedAt);
  }
}

/** One caller, who says so many sentences with a pause in each. */
async function call(
  name: string,
  customer: Customer,
  takes: readonly Take[],
  results: Measurements,
): Promise<void> {
  await customer.waitForSound(0, { what: 'the greeting', deadlineMs: DEADLINE_MS });
  for (const take of takes) await perform(name, customer, take, results);
}

/** What callers say in this part that the speech server's own voices can not. */
export async function recordingsFor(options: BenchOptions, results: Measurements): Promise<Recording[]> {
  const found: Recording[] = [];
  for (const kind of options.voices) {
    const scenes = await availableScenes(kind, options, results);
    found.push(...recordingsOf(kind, scenes));
  }
  return found;
}

async function availableScenes(
  kind: SceneKind,
  { fullStops }: BenchOptions,
  results: Measurements,
): Promise<readonly Scene[]> {
  try {
    return await scenesOf(kind, fullStops);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    results.leaveOut('pauses', `${kind} can not be had here: ${why}`);
    return [];
  }
}

/**
 * Callers who stop to think in mid-sentence: how often the agent talks into the pause, and how quick it is where they
 * have finished. This project and the bare framework at its defaults, on the same sound.
 */
export async function measurePauses(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({ agentType: 'voice' });
  const bare = await Bare.start(stack.bareServers, { channel: 'voice' });
  try {
    for (const kind of options.voices) {
      const scenes = await availableScenes(kind, options, results);
      if (scenes.length === 0) continue;
      const takes = takesOf(kind, scenes, options.pauses);
      // A caller has one voice; a recording's is in itself.
      const voices = new Map<string | undefined, Take[]>();
      for (const take of takes) voices.set(take.scene.voice, [...(voices.get(take.scene.voice) ?? []), take]);
      for (const [voice, mine] of voices) {
        for (let from = 0; from < mine.length; from += PER_CALL) {
          const some = mine.slice(from, from + PER_CALL);
          results.tell(`pauses: ${voice ?? kind} ${from + 1} to ${from + some.length}`);
          await results.attempt('pauses', async () => {
            const visit = await stack.join(agent, voice);
            try {
              await call('floorwalker', visit.customer, some, results);
            } finally {
              await stack.end(agent, visit);
            }
          });
          await results.attempt('pauses', async () => {
            const begun = await bare.begin(voice);
            try {
              await call('bare framework', begun.customer, some, results);
            } finally {
              await bare.end([begun]);
            }
          });
        }
      }
    }
  } finally {
    await bare.stop();
  }
}
