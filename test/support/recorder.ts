import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedCall {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly idempotencyKey: string | undefined;
  readonly at: number;
}

/** A business's own REST endpoint that counts what really reached it. */
export interface ToolRecorder {
  readonly url: string;
  readonly calls: readonly RecordedCall[];
  /** For a test that is tried again, and counts. */
  forget(): void;
  /** Answers to a path wait until the returned function is called. */
  hold(path: string): () => void;
  stop(): Promise<void>;
}

export async function setupRecorder(): Promise<ToolRecorder> {
  const calls: RecordedCall[] = [];
  let references = 0;
  const held = new Map<string, Promise<void>>();
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const text = Buffer.concat(parts).toString('utf8');
    const path = request.url ?? '';
    const key = request.headers['idempotency-key'];
    references += 1;
    calls.push({
      path,
      body: text === '' ? {} : JSON.parse(text),
      idempotencyKey: typeof key === 'string' ? key : undefined,
      at: Date.now(),
    });
    await held.get(path);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ok: true, path, reference: `ref-${references}` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    forget() {
      calls.length = 0;
    },
    hold(path) {
      let release = (): void => {};
      held.set(path, new Promise((resolve) => (release = resolve)));
      return () => {
        held.delete(path);
        release();
      };
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
