import type { Frame } from './features.ts';
import { REFERENCE_HOP_MS, type SpokenClause } from './library.ts';

/** Heard sound is cut into frames this far apart: two reference frames. */
export const HEARD_HOP_MS = 20;

// A frame this far below the loudest one of its clause counts as silence.
const SILENCE_BELOW_PEAK_DB = 38;
const FULL_DIFFERENCE_DB = 14;
const SILENCE_AGAINST_SOUND = 0.8;
const OFF_PACE = 0.05;
// Joining in the middle of a clause is possible (a late start of the stream) but must be earned.
const FREE_START_FRAMES = 12;
const LATE_START = 0.015;
// Candidates are dropped as evidence comes in, so that a large library costs little.
const PRUNING = [
  { afterFrames: 10, keep: 40 },
  { afterFrames: 25, keep: 10 },
  { afterFrames: 60, keep: 4 },
];

export interface Match {
  readonly clause: SpokenClause;
  /** Mean difference per frame: 0 is the same sound; unrelated speech is above 0.5. */
  readonly cost: number;
  /** Where in the clause the heard stretch began and where it is now. */
  readonly startMs: number;
  readonly positionMs: number;
  readonly remainingMs: number;
}

interface Candidate {
  readonly clause: SpokenClause;
  costs: Float32Array;
  starts: Int32Array;
  // The column before, kept to be written over: this runs fifty times a second for every candidate.
  spareCosts: Float32Array;
  spareStarts: Int32Array;
  best: number;
}

/**
 * Compares one heard stretch of sound with all known clauses while it comes in (dynamic time warping whose
 * path may begin and end anywhere in the reference). Gain is taken out of every frame, and the pace may
 * vary, because a receiver stretches and shortens sound to hide jitter.
 */
export class ClauseMatcher {
  #candidates: Candidate[];
  #count = 0;
  #peakDb = -100;

  constructor(clauses: readonly SpokenClause[]) {
    this.#candidates = clauses
      .filter((clause) => clause.frames.length > 0)
      .map((clause) => ({
        clause,
        costs: new Float32Array(clause.frames.length),
        starts: new Int32Array(clause.frames.length),
        spareCosts: new Float32Array(clause.frames.length),
        spareStarts: new Int32Array(clause.frames.length),
        best: 0,
      }));
  }

  get frames(): number {
    return this.#count;
  }

  push(frame: Frame): void {
    this.#peakDb = Math.max(this.#peakDb, frame.levelDb);
    const silent = frame.levelDb < this.#peakDb - SILENCE_BELOW_PEAK_DB;
    for (const candidate of this.#candidates) advance(candidate, frame, silent, this.#count === 0);
    this.#count++;
    const pruning = PRUNING.find(({ afterFrames }) => afterFrames === this.#count);
    if (pruning !== undefined) {
      this.#candidates = this.#sorted().slice(0, pruning.keep);
    }
  }

  /** The best candidates, best first. */
  best(count: number): Match[] {
    return this.#sorted()
      .slice(0, count)
      .map((candidate) => {
        const position = candidate.best;
        return {
          clause: candidate.clause,
          cost: (candidate.costs[position] ?? 0) / Math.max(1, this.#count),
          startMs: (candidate.starts[position] ?? 0) * REFERENCE_HOP_MS,
          positionMs: position * REFERENCE_HOP_MS,
          remainingMs: (candidate.clause.frames.length - 1 - position) * REFERENCE_HOP_MS,
        };
      });
  }

  #sorted(): Candidate[] {
    const cost = (candidate: Candidate) => candidate.costs[candidate.best] ?? Number.POSITIVE_INFINITY;
    return this.#candidates.toSorted((a, b) => cost(a) - cost(b));
  }
}

function advance(candidate: Candidate, frame: Frame, silent: boolean, first: boolean): void {
  const { frames, peakDb } = candidate.clause;
  const { costs: before, starts: startsBefore, spareCosts: costs, spareStarts: starts } = candidate;
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let j = 0; j < frames.length; j++) {
    const reference = frames[j];
    if (reference === undefined) break;
    let cost = Number.POSITIVE_INFINITY;
    let start = j;
    if (first) {
      cost = Math.max(0, j - FREE_START_FRAMES) * LATE_START;
    } else {
      // Two reference frames for each heard one is the normal pace.
      for (let step = 0; step <= 4 && step <= j; step++) {
        const reached = (before[j - step] ?? 0) + Math.abs(step - 2) * OFF_PACE;
        if (reached < cost) {
          cost = reached;
          start = startsBefore[j - step] ?? 0;
        }
      }
    }
    cost += difference(frame, silent, reference, peakDb);
    costs[j] = cost;
    starts[j] = start;
    if (cost < bestCost) {
      best = j;
      bestCost = cost;
    }
  }
  candidate.costs = costs;
  candidate.starts = starts;
  candidate.spareCosts = before;
  candidate.spareStarts = startsBefore;
  candidate.best = best;
}

function difference(heard: Frame, heardSilent: boolean, reference: Frame, referencePeakDb: number): number {
  const referenceSilent = reference.levelDb < referencePeakDb - SILENCE_BELOW_PEAK_DB;
  if (heardSilent || referenceSilent) return heardSilent === referenceSilent ? 0 : SILENCE_AGAINST_SOUND;
  const { shape } = heard;
  const other = reference.shape;
  let sum = 0;
  for (let band = 0; band < shape.length; band++) sum += Math.abs((shape[band] ?? 0) - (other[band] ?? 0));
  return Math.min(1, sum / shape.length / FULL_DIFFERENCE_DB);
}
