import { createServer, request as forward } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { sendOpenAiError } from '../../src/embedded/rehearsal/openai-error.ts';
import { startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import { COUGH } from './cough.ts';

const askedSchema = z.object({ input: z.string(), voice: z.string() });

export interface TestSpeech {
  /** For the OpenAI plugins (LLM too: the scripted support agent) and for a customer's voice. */
  readonly openaiBaseUrl: string;
  readonly deepgramBaseUrl: string;
  /** Recognition streams open now. */
  readonly streams: number;
  /** Cuts every recognition stream, as a network that fails does. */
  dropStreams(): void;
  /** Refuses new recognition streams with 503. */
  refuseStreams(refuse: boolean): void;
  /** Recognition stays connected and says nothing; what it would have said comes when this is switched off. */
  silence(silent: boolean): void;
  /** What `/v1/audio/speech` was asked for, by agents and by callers, where it was answered. */
  readonly spoken: readonly { readonly input: string; readonly voice: string }[];
  /** What `/v1/audio/speech` does: answers, fails with 500, or never answers. */
  voice(state: 'works' | 'fails' | 'hangs'): void;
  stop(): Promise<void>;
}

/**
 * Rehearsal speech for a test, with a proxy before it that has the fault switches, so that the servers
 * themselves have none.
 */
export async function setupSpeech(): Promise<TestSpeech> {
  const server = await startRehearsal({ recordings: [COUGH] });
  const upstream = new URL(server.url);
  const streams = new Set<{ client: Duplex; server: Socket }>();
  const spoken: z.output<typeof askedSchema>[] = [];
  let refusing = false;
  let silent = false;
  let voice: 'works' | 'fails' | 'hangs' = 'works';

  const http = createServer((request, response) => {
    const speaks = request.url?.startsWith('/v1/audio/speech') ?? false;
    if (speaks && voice === 'hangs') return;
    if (speaks && voice === 'fails') return sendOpenAiError(response, 500, 'switched off by the test');
    const onward = forward(
      {
        host: upstream.hostname,
        port: upstream.port,
        method: request.method,
        path: request.url,
        headers: request.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    const body: Buffer[] = [];
    request.on('data', (part: Buffer) => body.push(part));
    request.pipe(onward);
    if (speaks)
      request.on('end', () => spoken.push(askedSchema.parse(JSON.parse(Buffer.concat(body).toString()))));
  });
  http.on('upgrade', (request, client, head) => {
    if (refusing) {
      client.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    const onward = connect(Number(upstream.port), upstream.hostname);
    const stream = { client, server: onward };
    streams.add(stream);
    const end = () => {
      streams.delete(stream);
      client.destroy();
      onward.destroy();
    };
    for (const side of [client, onward]) side.on('error', end).on('close', end);
    const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
    onward.write(`GET ${request.url} HTTP/1.1\r\n${headers.join('')}\r\n`);
    onward.write(head);
    client.pipe(onward);
    onward.pipe(client);
    // The handshake passes, or the plugin would see a refused connection and no silent one.
    onward.once('data', () => {
      if (silent) onward.unpipe(client).pause();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const dropStreams = () => {
    for (const { client, server: onward } of [...streams]) {
      client.destroy();
      onward.destroy();
    }
  };

  return {
    openaiBaseUrl: `http://127.0.0.1:${port}/v1`,
    deepgramBaseUrl: `ws://127.0.0.1:${port}`,
    get streams() {
      return streams.size;
    },
    spoken,
    dropStreams,
    refuseStreams: (refuse) => {
      refusing = refuse;
    },
    silence(next) {
      silent = next;
      for (const { client, server: onward } of streams) {
        if (silent) onward.unpipe(client).pause();
        else onward.pipe(client);
      }
    },
    voice: (state) => {
      voice = state;
    },
    async stop() {
      dropStreams();
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      await closed;
      await server.stop();
    },
  };
}
