import { ReadBuffer, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import type { Log } from '../log.ts';
import { type RunningServer, type ServerProgram, startServer } from './child-process.ts';

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** A server that writes more than this within a window floods us; it is stopped. */
const MAX_WINDOW_BYTES = 32 * 1024 * 1024;
const WINDOW_MS = 10_000;
const MAX_LOGGED_LINES = 50;
const MAX_LOGGED_CHARS = 500;

/**
 * MCP over the standard streams of a child. The SDK's own transport passes variables of the parent on, stops
 * the child but not what the child started, and leaves it alive when the worker is killed.
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #program: () => ServerProgram;
  readonly #log: Log;
  readonly #scrub: (text: string) => string;
  readonly #buffer = new ReadBuffer({ maxBufferSize: MAX_MESSAGE_BYTES });
  #server: RunningServer | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #windowBytes = 0;
  #windowStartedMs = 0;

  constructor(options: { program: () => ServerProgram; log: Log; scrub: (text: string) => string }) {
    this.#program = options.program;
    this.#log = options.log;
    this.#scrub = options.scrub;
  }

  async start(): Promise<void> {
    this.#server = await startServer(this.#program());
    const { child, isShielded } = this.#server;
    if (!isShielded)
      this.#log.warn(
        {},
        'A tool program could read the environment of the worker; see runAs in TOOL_SERVERS',
      );
    child.stdin.on('error', (error) => this.onerror?.(error));
    child.stdout.on('error', (error) => this.onerror?.(error));
    child.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#logErrors();
    child.once('close', () => this.#ended());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#server?.child.stdin;
    if (stdin === undefined || this.#isClosed || !stdin.writable)
      throw new Error('The tool server has ended');
    await new Promise<void>((resolve, reject) => {
      stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): Promise<void> {
    this.#closing ??= (this.#server?.stop() ?? Promise.resolve()).then(() => this.#ended());
    return this.#closing;
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#buffer.clear();
    this.onclose?.();
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed || this.#closing !== undefined) return;
    const nowMs = performance.now();
    if (nowMs - this.#windowStartedMs > WINDOW_MS) {
      this.#windowStartedMs = nowMs;
      this.#windowBytes = 0;
    }
    this.#windowBytes += chunk.byteLength;
    try {
      if (this.#windowBytes > MAX_WINDOW_BYTES)
        throw new Error('The tool server writes more than a conversation can use');
      this.#buffer.append(chunk);
    } catch (error) {
      this.#log.warn({ err: error }, 'A tool server is stopped because it floods its output');
      this.onerror?.(error instanceof Error ? error : new Error(String(error)));
      void this.close();
      return;
    }
    for (;;) {
      try {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        this.onmessage?.(message);
      } catch (error) {
        // A line that is no message (a stray print) is reported and skipped.
        this.onerror?.(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  /** The first lines that a server writes to its error stream help its operator; the rest is only counted. */
  #logErrors(): void {
    const stderr = this.#server?.child.stderr;
    let lines = 0;
    let rest = '';
    stderr?.setEncoding('utf8');
    stderr?.on('data', (chunk: string) => {
      if (lines > MAX_LOGGED_LINES) return;
      const parts = (rest + chunk).split('\n');
      rest = (parts.pop() ?? '').slice(-MAX_LOGGED_CHARS);
      for (const part of parts) {
        lines += 1;
        if (lines > MAX_LOGGED_LINES) {
          this.#log.info('A tool server writes more to its error stream; the rest is left out');
          return;
        }
        if (part.trim())
          this.#log.info(
            { line: this.#scrub(part.slice(0, MAX_LOGGED_CHARS)) },
            'A tool server wrote to its error stream',
          );
      }
    });
    stderr?.on('error', () => undefined);
  }
}
