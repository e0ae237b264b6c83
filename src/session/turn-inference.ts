import type { ipc } from '@livekit/agents';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';

/** What the framework's turn detector asks of its executor, as version 1.9.0 does. */
const METHOD = 'lk_eot_audio';
const requestSchema = z.object({
  /** 16 kHz, signed 16 bit, little endian, in base64: made for a pipe between processes. */
  pcm: z.base64(),
});

/**
 * Runs the framework's on-device end-of-turn model in this very process, for all of its calls: loaded once
 * (about 140 MB), and computed on a thread of its own. A job process asks its worker's inference process instead; one
 * without a worker of the framework's has none, and its detector would take every pause for an end.
 *
 * @returns undefined where the model can't be loaded, which the detector takes as the framework does: every pause
 *   that is long enough ends a turn.
 */
export async function loadTurnInference(log: Log): Promise<ipc.InferenceExecutor | undefined> {
  try {
    const { default: local } = await import('@livekit/local-inference');
    local.initEot();
    return {
      async doInference(method, data) {
        if (method !== METHOD) throw new FloorwalkerError('internal', `No model answers to ${method}.`);
        const bytes = Buffer.from(requestSchema.parse(data).pcm, 'base64');
        const pcm = new Int16Array(bytes.length / 2);
        new Uint8Array(pcm.buffer).set(bytes.subarray(0, pcm.byteLength));
        const startedAt = performance.now();
        const probability = await local.predict(pcm);
        return { probability, inferenceDurationMs: performance.now() - startedAt };
      },
    };
  } catch (err) {
    log.warn({ err }, 'the end-of-turn model can not be loaded; every pause ends a turn');
    return undefined;
  }
}
