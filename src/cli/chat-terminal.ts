import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';

/** What people and scripts use: lines in, words out. */
export interface Streams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
}

/** The line editor writes through this: while somebody speaks, what it would redraw is held back. */
class Curtain extends Writable {
  drawn = false;
  readonly #output: Streams['output'];

  constructor(output: Streams['output']) {
    super();
    this.#output = output;
  }

  get columns(): number {
    return this.#output.columns ?? 80;
  }

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    if (!this.drawn) this.#output.write(chunk);
    done();
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are exactly the characters to take out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** What others say is text: it may not move the cursor, change colours or ring the bell. */
export function printable(text: string): string {
  return text.replace(CONTROL, '');
}

/**
 * A line being written and words being spoken on one screen: speech is printed above the line, which comes
 * back as it was, half-written words included. Without a terminal it is plain lines in and out.
 */
export class ChatTerminal {
  readonly interactive: boolean;
  readonly #output: Streams['output'];
  readonly #curtain: Curtain;
  readonly #lines: Interface;
  #printing: Promise<void> = Promise.resolve();

  constructor({ input, output }: Streams) {
    this.interactive = input.isTTY === true && output.isTTY === true;
    this.#output = output;
    this.#curtain = new Curtain(output);
    this.#lines = createInterface({
      input,
      ...(this.interactive ? { output: this.#curtain, terminal: true } : { terminal: false }),
      prompt: '> ',
    });
  }

  onLine(listener: (line: string) => void): void {
    this.#lines.on('line', listener);
  }

  /** Ctrl-C at the line editor. */
  onInterrupt(listener: () => void): void {
    this.#lines.on('SIGINT', listener);
  }

  /** Ctrl-D, or the end of a piped script. */
  onEnd(listener: () => void): void {
    this.#lines.on('close', listener);
  }

  prompt(): void {
    if (this.interactive && !this.#curtain.drawn) this.#lines.prompt(true);
  }

  /** A remark of ours, not of anybody in the conversation. */
  notice(text: string): Promise<void> {
    return this.#print(async () => void this.#output.write(`· ${text}\n`));
  }

  /** Words as they come. Speeches don't mix: one is finished before the next begins. */
  speech(from: string, words: AsyncIterable<string>): Promise<void> {
    return this.#print(async () => {
      let begun = false;
      for await (const word of words) {
        const text = printable(word);
        if (text === '') continue;
        this.#output.write(begun ? text : `${from}: ${text.trimStart()}`);
        begun = true;
      }
      if (begun) this.#output.write('\n');
    });
  }

  /** Resolves with what is typed, or undefined when input ends first. */
  async ask(question: string): Promise<string | undefined> {
    await this.#printing;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#lines.once('close', () => resolve(undefined));
    this.#lines.once('SIGINT', () => resolve(undefined));
    this.#lines.question(question, resolve);
    return promise;
  }

  async close(): Promise<void> {
    await this.#printing;
    this.#curtain.drawn = true;
    if (this.interactive) this.#clearLine();
    this.#lines.close();
  }

  #print(write: () => Promise<void>): Promise<void> {
    this.#printing = this.#printing.then(async () => {
      if (this.interactive) this.#clearLine();
      this.#curtain.drawn = true;
      try {
        await write();
      } finally {
        this.#curtain.drawn = false;
        this.prompt();
      }
    });
    return this.#printing;
  }

  #clearLine(): void {
    this.#output.write('\r\u001b[0J');
  }
}
