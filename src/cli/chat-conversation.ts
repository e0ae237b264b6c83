import { dispose } from '@livekit/rtc-node';
import { FloorwalkerError } from '../errors.ts';
import { ApiRefusal, type ChatApi, type Created } from './chat-api.ts';
import { ChatConnection } from './chat-connection.ts';
import { ChatTerminal, type Streams } from './chat-terminal.ts';

/** A piped script's next line waits until the agent has been quiet for longer than its filler words take to come. */
const QUIET_MS = 2_000;
/** A piped script that is over stays for the rest of the conversation, but not for ever in silence. */
const SILENCE_AFTER_SCRIPT_MS = 60_000;

/** One interaction on a terminal, from joining to the rating. */
export class Conversation {
  readonly #api: ChatApi;
  readonly #created: Created;
  readonly #agentName: string;
  readonly #terminal: ChatTerminal;
  readonly #connection: ChatConnection;
  readonly #over = Promise.withResolvers<'completed' | 'unreachable' | 'left'>();
  /** Lines of a piped script that wait for their turn. */
  readonly #script: string[] = [];
  #scriptEnded = false;
  #speaking = 0;
  #agentSpoke = false;
  #finished = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(agentName: string, api: ChatApi, created: Created, streams: Streams) {
    this.#api = api;
    this.#created = created;
    this.#agentName = agentName;
    this.#terminal = new ChatTerminal(streams);
    this.#connection = new ChatConnection(api, created);
  }

  async run(): Promise<number> {
    const interrupt = () => this.#over.resolve('left');
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    this.#listen();
    try {
      await this.#terminal.notice(`You are chatting with ${this.#agentName}. Ctrl-C leaves.`);
      await this.#open();
      const how = await this.#over.promise;
      await this.#farewell(how);
      return how === 'unreachable' ? 1 : 0;
    } finally {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
      this.#finished = true;
      clearTimeout(this.#timer);
      await this.#connection.leave();
      await this.#terminal.close();
      // LiveKit's native side keeps the process alive until told otherwise.
      await dispose();
    }
  }

  async #open(): Promise<void> {
    try {
      await this.#connection.open();
    } catch (cause) {
      throw new FloorwalkerError('chat_unavailable', 'The media server can not be reached from here.', {
        cause,
      });
    }
  }

  #listen(): void {
    const terminal = this.#terminal;
    terminal.onLine((line) => this.#typed(line));
    terminal.onInterrupt(() => this.#over.resolve('left'));
    terminal.onEnd(() => {
      if (terminal.interactive) this.#over.resolve('left');
      this.#scriptEnded = true;
      this.#becomeQuiet();
    });
    this.#connection.on('speech', (from, words) => void this.#heard(from, words));
    this.#connection.on('agent', (presence) => {
      if (presence === 'gone')
        void terminal.notice('The agent lost its connection. Another one is on its way.');
    });
    this.#connection.on('connection', (state) => {
      const lost = 'The connection is lost. Trying again; what you write is kept.';
      void terminal.notice(state === 'lost' ? lost : 'Connected again.');
    });
    this.#connection.on('ended', (how) => this.#over.resolve(how));
  }

  #typed(line: string): void {
    const text = line.trim();
    if (text !== '' && this.#terminal.interactive) this.#connection.write(text);
    if (text !== '' && !this.#terminal.interactive) this.#script.push(text);
    this.#terminal.prompt();
    if (!this.#terminal.interactive) this.#becomeQuiet();
  }

  async #heard(from: 'agent' | 'supervisor', words: AsyncIterable<string>): Promise<void> {
    this.#speaking += 1;
    clearTimeout(this.#timer);
    await this.#terminal.speech(from === 'agent' ? this.#agentName : 'Supervisor', words);
    this.#speaking -= 1;
    this.#agentSpoke = true;
    this.#becomeQuiet();
  }

  /** A script speaks when a person would: after the agent has finished. */
  #becomeQuiet(): void {
    if (this.#terminal.interactive || this.#finished || this.#speaking > 0 || !this.#agentSpoke) return;
    clearTimeout(this.#timer);
    if (this.#script.length === 0 && this.#scriptEnded) {
      this.#timer = setTimeout(() => this.#over.resolve('left'), SILENCE_AFTER_SCRIPT_MS);
      return;
    }
    this.#timer = setTimeout(() => {
      const text = this.#script.shift();
      if (text === undefined) return;
      this.#agentSpoke = false;
      void this.#terminal.notice(`you: ${text}`);
      this.#connection.write(text);
    }, QUIET_MS);
  }

  async #farewell(how: 'completed' | 'unreachable' | 'left'): Promise<void> {
    const terminal = this.#terminal;
    if (how === 'unreachable') {
      await terminal.notice('The conversation can not be reached any more.');
    } else if (how === 'left') {
      const unsent = this.#connection.unacknowledged;
      if (unsent > 0) await terminal.notice(`Not delivered: ${unsent} of your messages.`);
      await terminal.notice('You left the conversation.');
    } else {
      await terminal.notice('The conversation has ended.');
      if (terminal.interactive) await this.#askForRating();
    }
  }

  async #askForRating(): Promise<void> {
    const answer = await this.#terminal.ask('How was it, from 1 (bad) to 5 (good)? Enter to skip: ');
    const score = Number(answer?.trim());
    if (!Number.isInteger(score) || score < 1 || score > 5) return;
    try {
      await this.#api.rate(this.#created.interaction_id, this.#created.resume_token, score);
      await this.#terminal.notice('Thank you.');
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      await this.#terminal.notice(`The rating was not kept: ${error.message}`);
    }
  }
}
