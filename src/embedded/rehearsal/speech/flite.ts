import { Worker } from 'node:worker_threads';
import { z } from 'zod';

const answerSchema = z.union([
  z.object({ id: z.number(), samples: z.instanceof(Int16Array), sampleRate: z.number() }),
  z.object({ id: z.number(), error: z.string() }),
]);

export interface Flite {
  /** `stretch` 1 is normal, 2 is half as fast. */
  speak(text: string, voice: string, stretch: number): Promise<{ samples: Int16Array; sampleRate: number }>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: { samples: Int16Array; sampleRate: number }): void;
  reject(error: Error): void;
}

/** The thread ends after this much idleness: its memory is given back, and it starts again in 0.2 s. */
const IDLE_END_MS = 60_000;

/**
 * The flite synthesiser in a worker thread that starts with the first text. It is a small formant-era
 * voice, plainly not a person, needs nothing installed, and takes about 15 ms for a second of speech.
 */
export function createFlite(): Flite {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;
  let closed = false;

  const end = async (running: Worker): Promise<void> => {
    if (worker === running) worker = undefined;
    const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    running.ref();
    running.postMessage('close');
    await ended;
  };

  const start = (): Worker => {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const started = new Worker(new URL(`./flite-worker.${extension}`, import.meta.url), {
      // Node calls its own WASI experimental on every start; a person who runs the demo can do nothing about it.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const failed = (error: Error) => {
      if (worker !== started) return;
      worker = undefined;
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    started.on('message', (message: unknown) => {
      const answer = answerSchema.parse(message);
      const job = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ('error' in answer) job?.reject(new Error(answer.error));
      else job?.resolve(answer);
      if (waiting.size > 0) return;
      // An idle synthesiser must not keep a process alive that is otherwise done.
      started.unref();
      idle = setTimeout(() => void end(started), IDLE_END_MS).unref();
    });
    started.on('error', (error) => failed(error instanceof Error ? error : new Error(String(error))));
    started.on('exit', () => failed(new Error('the speech synthesiser ended')));
    return started;
  };

  return {
    speak(text, voice, stretch) {
      if (closed) return Promise.reject(new Error('the speech synthesiser is closed'));
      clearTimeout(idle);
      worker ??= start();
      const id = nextId++;
      const result = new Promise<{ samples: Int16Array; sampleRate: number }>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
      });
      worker.ref();
      worker.postMessage({ id, text, voice, stretch });
      return result;
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      if (worker !== undefined) await end(worker);
    },
  };
}
