import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { callerEventSchema } from './events.ts';
import type { Spoken } from './microphone.ts';
import { type CustomerOptions, CustomerRoom } from './room.ts';
import { CallerView } from './view.ts';

export type { ReceivedText, Sound } from './events.ts';
export type { Spoken } from './microphone.ts';
export type { CustomerOptions } from './room.ts';
export { CallerView, SOUND_DB, type WaitOptions } from './view.ts';

/** How the view's owner talks to the room, near or in another process. */
interface Line {
  send(text: string, id: string): Promise<unknown>;
  say(text: string): Promise<Spoken>;
  prepare(text: string): Promise<unknown>;
  hush(): Promise<unknown>;
  leave(): Promise<void>;
  crash(): Promise<void>;
}

/** A customer in a room, as a person with any LiveKit client would be: reads, hears, writes and speaks. */
export class Customer extends CallerView {
  #line: Line | undefined;
  identity = '';

  /** @internal */
  attach(line: Line, identity: string): void {
    this.#line = line;
    this.identity = identity;
  }

  get #connected(): Line {
    if (this.#line === undefined) throw new Error('not connected');
    return this.#line;
  }

  /** Sends a chat message and resolves with its id once it is on its way; `waitForAck` says when it is stored. */
  async send(text: string, id: string = randomUUID()): Promise<string> {
    await this.#connected.send(text, id);
    return id;
  }

  /** Speaks in real time and resolves at the true end of speech. */
  say(text: string): Promise<Spoken> {
    return this.#connected.say(text);
  }

  /** Makes the sound of a text ahead of time, so that `say` begins at once. */
  async prepare(...texts: string[]): Promise<void> {
    for (const text of texts) await this.#connected.prepare(text);
  }

  /** Breaks off in mid-speech. */
  async hush(): Promise<void> {
    await this.#connected.hush();
  }

  /** Hangs up as a person does: LiveKit is told. Safe twice. */
  async leave(): Promise<void> {
    await this.#line?.leave();
  }

  /** Is gone without a word (SIGKILL); only with `ownProcess`. LiveKit notices by its own timeouts. */
  crash(): Promise<void> {
    return this.#connected.crash();
  }
}

/**
 * Joins a room as its customer.
 *
 * @param options.ownProcess runs the client in a child process, so that `crash()` can kill it.
 */
export async function joinAsCustomer(options: CustomerOptions & { ownProcess?: boolean }): Promise<Customer> {
  const { ownProcess, ...rest } = options;
  const customer = new Customer();
  if (ownProcess) {
    const line = new ProcessLine(customer);
    customer.attach(line, z.string().parse(await line.call('connect', rest)));
    return customer;
  }
  const room = new CustomerRoom(rest, (event) => customer.apply(event));
  const line: Line = {
    send: (text, id) => room.send(text, id),
    say: (text) => room.say(text),
    prepare: (text) => room.prepare(text),
    hush: async () => room.hush(),
    leave: () => room.leave(),
    crash: () => Promise.reject(new Error('only a customer with `ownProcess` can crash')),
  };
  customer.attach(line, await room.connect());
  return customer;
}

const answerSchema = z.object({ id: z.number(), value: z.unknown(), error: z.string().optional() });
const reportSchema = z.union([z.object({ event: callerEventSchema }), z.object({ answer: answerSchema })]);
const spokenSchema = z.object({ startedAt: z.number(), endedAt: z.number(), cut: z.boolean() });

class ProcessLine implements Line {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #exited: Promise<void>;
  #nextId = 1;

  constructor(view: CallerView) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#child = fork(new URL(`./process.${extension}`, import.meta.url), {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.on('message', (message) => {
      const report = reportSchema.parse(message);
      if ('event' in report) {
        view.apply(report.event);
        return;
      }
      const call = this.#waiting.get(report.answer.id);
      this.#waiting.delete(report.answer.id);
      if (report.answer.error !== undefined) call?.reject(new Error(report.answer.error));
      else call?.resolve(report.answer.value);
    });
    void this.#exited.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the customer process ended'));
      this.#waiting.clear();
    });
  }

  call(name: string, argument?: unknown): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, name, argument }, (error) => {
        if (error) reject(error);
      });
    });
  }

  send(text: string, id: string): Promise<unknown> {
    return this.call('send', { text, id });
  }

  async say(text: string): Promise<Spoken> {
    return spokenSchema.parse(await this.call('say', text));
  }

  prepare(text: string): Promise<unknown> {
    return this.call('prepare', text);
  }

  hush(): Promise<unknown> {
    return this.call('hush');
  }

  async leave(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await this.call('leave').catch(() => {});
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }

  async crash(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
