import { createInterface } from 'node:readline';
import { type Role, SupervisorApi, type WaitingPermission } from './supervisor-api.ts';

export interface SuperviseOptions {
  readonly data: string;
  readonly as: Role;
}

export interface SuperviseStreams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: { write(text: string): unknown };
}

const POLL_MS = 500;
const HELP = '  a = allow, d = deny, d <reason> = deny and tell the agent why';

/**
 * A supervisor in the terminal: sees each tool call that waits, with its arguments as they are, and decides.
 * Runs until `stop`, or until a piped script of answers is used up.
 */
export async function runSupervise(
  options: SuperviseOptions,
  streams: SuperviseStreams,
  stop: AbortSignal,
): Promise<number> {
  const api = new SupervisorApi(options.data, options.as);
  const desk = new Desk(api, streams.output, streams.input.isTTY === true);
  const lines = createInterface({ input: streams.input, terminal: false });
  lines.on('line', (line) => desk.answer(line));
  lines.on('close', () => desk.noMoreAnswers());
  streams.output.write(`You are ${api.email}. What waits for a decision appears here. Ctrl-C leaves.\n`);
  try {
    while (!stop.aborted && !desk.done) {
      await desk.look();
      if (!desk.done) await pause(POLL_MS, stop);
    }
    return 0;
  } finally {
    lines.close();
  }
}

interface Answer {
  readonly line: string;
  /** The request that was on the screen when it was typed; absent in a script. */
  readonly readId?: string;
}

class Desk {
  readonly #api: SupervisorApi;
  readonly #output: SuperviseStreams['output'];
  /** What was shown and waits for an answer, oldest first. */
  #waiting: WaitingPermission[] = [];
  readonly #answers: Answer[] = [];
  readonly #interactive: boolean;
  #ended = false;
  #reachable = true;

  constructor(api: SupervisorApi, output: SuperviseStreams['output'], interactive: boolean) {
    this.#api = api;
    this.#output = output;
    this.#interactive = interactive;
  }

  get done(): boolean {
    return this.#ended && this.#answers.length === 0;
  }

  /** A person answers what they have read: never a request that comes, or moves up, after they typed. */
  answer(line: string): void {
    const readId = this.#waiting[0]?.id;
    if (!this.#interactive) this.#answers.push({ line });
    else if (readId !== undefined) this.#answers.push({ line, readId });
    else this.#say('Nothing waits for a decision.');
  }

  noMoreAnswers(): void {
    this.#ended = true;
  }

  async look(): Promise<void> {
    const pending = await this.#pending();
    if (pending === undefined) return;
    for (const { id, tool_name } of this.#waiting) {
      if (!pending.some((permission) => permission.id === id))
        this.#say(`${printable(tool_name)} no longer waits.`);
    }
    for (const permission of pending) {
      if (!this.#waiting.some(({ id }) => id === permission.id)) this.#show(permission);
    }
    this.#waiting = pending;
    while (this.#waiting.length > 0) {
      const answer = this.#answers.shift();
      if (answer === undefined) return;
      await this.#decide(answer);
    }
  }

  async #pending(): Promise<WaitingPermission[] | undefined> {
    try {
      const pending = await this.#api.pending();
      this.#reachable = true;
      return pending;
    } catch (error) {
      // One line for an outage, not one a second; it ends by itself or with Ctrl-C.
      if (this.#reachable) this.#say(`The API can't be reached (${String(error)}); trying on.`);
      this.#reachable = false;
      return undefined;
    }
  }

  #show({ tool_name, arguments: given, expires_at, interaction_id }: WaitingPermission): void {
    const seconds = Math.max(0, Math.round((Date.parse(expires_at) - Date.now()) / 1000));
    this.#say(`\nAn agent wants to use ${printable(tool_name)} (interaction ${interaction_id})`);
    // JSON escapes control characters: what a customer or a model wrote can't draw on this screen.
    for (const line of JSON.stringify(given ?? null, null, 2).split('\n')) this.#say(`  ${printable(line)}`);
    this.#say(`  Without a decision in ${seconds} s it counts as denied.`);
    this.#say(HELP);
  }

  async #decide({ line, readId }: Answer): Promise<void> {
    const [permission, ...rest] = this.#waiting;
    if (readId !== undefined && permission?.id !== readId) return;
    const [, letter, note] = /^\s*([ad])(?:llow|eny)?(?:\s+(.+?))?\s*$/i.exec(line) ?? [];
    if (permission === undefined) return;
    if (letter === undefined) {
      this.#say(HELP);
      return;
    }
    const decision = letter.toLowerCase() === 'a' ? 'allowed' : 'denied';
    const problem = await this.#api.decide(permission.id, decision, note);
    this.#waiting = rest;
    const tool = printable(permission.tool_name);
    this.#say(problem === undefined ? `${tool}: ${decision}.` : `${tool}: too late. ${printable(problem)}`);
  }

  #say(line: string): void {
    this.#output.write(`${line}\n`);
  }
}

/** U+202A and its kin reorder what is read: an approver must see what will run. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}

function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    }
    stop.addEventListener('abort', done, { once: true });
  });
}
