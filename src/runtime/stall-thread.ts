import { writeSync } from 'node:fs';
import { type Debugger, Session } from 'node:inspector';
import { workerData } from 'node:worker_threads';
import { z } from 'zod';
import { RUNNING_SESSION, STALL_PIPE, type StallReport } from './host-messages.ts';

/** The thread's own ticks are the measure: on a starved machine they come late too, and nobody is to blame. */
const TICK_MS = 250;
/** Code that does not even halt is in the system, or in a library that is no JavaScript. */
const HALT_MS = 2_500;
const MOST_FRAMES = 8;

const { beats, limitMs } = z
  .object({ beats: z.instanceof(Int32Array), limitMs: z.number() })
  .parse(workerData);
/** Anything else is work that belongs to no session. */
const answerSchema = z.object({ result: z.object({ value: z.string() }) });
const mostTicks = Math.max(2, Math.ceil(limitMs / TICK_MS));

let seen = -1;
let still = 0;
let attached: Session | undefined;
/** Addresses of the scripts by the debugger's id of them. */
const scripts = new Map<string, string>();

function tick(): void {
  const now = Atomics.load(beats, 0);
  still = now === seen ? still + 1 : 0;
  seen = now;
  if (still === 0) detach();
  // To learn of all that is loaded takes a debugger a while, and may be in vain; it changes nothing.
  if (still === Math.ceil(mostTicks / 2)) attach();
  if (still === mostTicks) halt();
}

function attach(): void {
  attached = new Session();
  attached.connectToMainThread();
  attached.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params.url));
  attached.post('Debugger.enable');
}

function detach(): void {
  attached?.disconnect();
  attached = undefined;
  scripts.clear();
}

/** Halts what runs on the main thread, and asks it whose it is. */
function halt(): void {
  const session = attached;
  if (!session) return;
  const unknown = setTimeout(() => tell({ session: null, frames: [] }), HALT_MS);
  session.once('Debugger.paused', ({ params }) => {
    clearTimeout(unknown);
    // It went on in the last moment: what was halted is something else.
    if (Atomics.load(beats, 0) !== seen) return detach();
    const frames = params.callFrames.slice(0, MOST_FRAMES).map(describe);
    const evaluation = {
      callFrameId: params.callFrames[0]?.callFrameId ?? '',
      expression: `globalThis[Symbol.for('${RUNNING_SESSION.description}')]?.()`,
      returnByValue: true,
    };
    session.post('Debugger.evaluateOnCallFrame', evaluation, (_failure, answer) => {
      const found = answerSchema.safeParse(answer);
      tell({ session: found.success ? found.data.result.value : null, frames });
    });
  });
  session.post('Debugger.pause');
}

/** Where, and nothing of what: arguments may be somebody's words. */
function describe({ functionName, location }: Debugger.CallFrame): string {
  const file = scripts.get(location.scriptId)?.split('/').slice(-2).join('/');
  return `${functionName || '(anonymous)'} ${file}:${location.lineNumber + 1}`;
}

function tell(report: StallReport): void {
  writeSync(STALL_PIPE, `${JSON.stringify(report)}\n`);
}

setInterval(tick, TICK_MS);
