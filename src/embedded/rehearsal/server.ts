import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import type { Log } from '../../log.ts';
import { type Pace, REHEARSAL_MODEL, sendReply } from './chat-route.ts';
import { replyTo } from './model/reply.ts';
import { type ChatRequest, chatRequestSchema, type ModelReply } from './model/request.ts';
import { sendOpenAiError } from './openai-error.ts';
import { type Recording, SpeechLibrary } from './speech/library.ts';
import { parseListenQuery, recogniseWav, serveListenStream } from './speech/listen.ts';
import { serveSpeech } from './speech/speech-route.ts';

export interface RehearsalOptions {
  port?: number;
  host?: string;
  log?: Log;
  /** When set, every request must carry it, as the real services want theirs. */
  key?: string;
  pace?: Pace;
  /** Answers in place of the scripted support agent. */
  model?: (request: ChatRequest) => ModelReply;
  /** How long speech takes; a real service's is made while one waits. */
  speechMs?: number;
  /** Sounds that it knows besides those of its own voices; asked for as speech, they are handed out. */
  recordings?: readonly Recording[];
}

export interface RehearsalServer {
  readonly url: string;
  readonly openaiBaseUrl: string;
  readonly deepgramBaseUrl: string;
  readonly port: number;
  stop(): Promise<void>;
}

const LARGEST_BODY_BYTES = 20_000_000;

/**
 * Starts one server with the wire protocols of OpenAI (chat completions, speech) and Deepgram (listen), so
 * that the real plugins work without an account. It understands no language: its model is a script and its
 * recogniser knows only what its own voices said.
 */
export async function startRehearsal(options: RehearsalOptions = {}): Promise<RehearsalServer> {
  const library = new SpeechLibrary(options.recordings);
  const host = options.host ?? '127.0.0.1';
  const http = createServer((request, response) => {
    answer(request, response, library, options).catch((error: unknown) => {
      options.log?.error({ err: error, path: request.url }, 'rehearsal request failed');
      sendOpenAiError(response, 500, String(error));
    });
  });
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  http.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'http://rehearsal');
    const query = parseListenQuery(url);
    const refusal =
      url.pathname !== '/v1/listen'
        ? '404 Not Found'
        : !authorised(request, options.key)
          ? '401 Unauthorized'
          : query.success
            ? undefined
            : '400 Bad Request';
    if (refusal !== undefined || !query.success) {
      socket.end(`HTTP/1.1 ${refusal}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    // Somebody listens, so somebody will speak soon.
    library.warmUp();
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      serveListenStream(webSocket, query.data, library),
    );
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(options.port ?? 0, host, resolve);
  });
  const { port } = http.address() as AddressInfo;
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  let stopping: Promise<void> | undefined;
  return {
    url: `http://${address}`,
    openaiBaseUrl: `http://${address}/v1`,
    deepgramBaseUrl: `ws://${address}`,
    port,
    stop() {
      stopping ??= (async () => {
        for (const client of sockets.clients) client.terminate();
        const closed = new Promise<void>((resolve) => http.close(() => resolve()));
        http.closeAllConnections();
        await closed;
        await library.close();
      })();
      return stopping;
    },
  };
}

function authorised(request: IncomingMessage, key: string | undefined): boolean {
  if (key === undefined) return true;
  const [, given] = /^(?:Bearer|Token)\s+(.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  return given === key;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  library: SpeechLibrary,
  options: RehearsalOptions,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://rehearsal');
  const route = `${request.method} ${url.pathname}`;
  if (route === 'GET /healthz') {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    return;
  }
  if (!authorised(request, options.key)) {
    return sendOpenAiError(response, 401, 'Incorrect API key provided.', 'invalid_api_key');
  }
  switch (route) {
    case 'GET /v1/models': {
      const model = { id: REHEARSAL_MODEL, object: 'model', created: 0, owned_by: 'rehearsal' };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'list', data: [model] }));
      return;
    }
    case 'POST /v1/chat/completions': {
      const parsed = chatRequestSchema.safeParse(parseJson(await readBody(request)));
      if (!parsed.success) return sendOpenAiError(response, 400, z.prettifyError(parsed.error));
      const reply = (options.model ?? replyTo)(parsed.data);
      return sendReply(parsed.data, reply, response, options.pace ? { pace: options.pace } : {});
    }
    case 'POST /v1/audio/speech': {
      const asked = parseJson(await readBody(request));
      if (options.speechMs) await delay(options.speechMs);
      return serveSpeech(asked, response, library);
    }
    case 'POST /v1/listen': {
      const query = parseListenQuery(url);
      if (!query.success) return sendOpenAiError(response, 400, z.prettifyError(query.error));
      const result = recogniseWav(await readBody(request), query.data, library);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
      return;
    }
    default:
      return sendOpenAiError(response, 404, `There is no ${route} on the rehearsal server.`);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const chunk = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    bytes += chunk.length;
    if (bytes > LARGEST_BODY_BYTES) throw new RangeError('the request is too large');
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
