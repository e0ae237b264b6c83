import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import type { Channel } from '../domain/channel.ts';
import { parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { type Clock, delay } from '../session/clock.ts';
import type { Ending } from './ending.ts';
import { type HostOrder, type HostReport, hostReportSchema, type StallReport } from './host-messages.ts';
import { readStallReports } from './stall-reports.ts';

const ENTRY = fileURLToPath(new URL('../host.ts', import.meta.url));
const FIRST_RESTART_MS = 500;
const LONGEST_RESTART_MS = 30_000;
/** Another process is started while the last one still has this part of its places. */
const SPARE_PART = 0.25;
/** How much longer than a lease the process's own word is waited for. */
const REPORT_MS = 2_000;
/** How long the system takes for a process that was killed, and the database for its leases. */
const KILLED_MS = 8_000;
/** One that has outgrown its limit waits so long for another that can take what it holds. */
const REPLACEMENT_MS = 20_000;

const CONVERSATIONS = { chat: 'chats', voice: 'calls' } as const;

interface HostProcess {
  readonly child: ChildProcess;
  /** Conversations that it may hold. */
  readonly cap: number;
  readonly exited: Promise<void>;
  /** Of its leases; there from the moment at which it takes conversations. */
  hostId: string | undefined;
  ready: boolean;
  active: number;
  /** Takes nothing new, and another is started in its place: it has failed, or outgrown its limit. */
  replaced: boolean;
  /** It was told to end: it is replaced, or the worker stops. */
  leaving: boolean;
  /** It stood still, or did not end when it was to. */
  killed: boolean;
  /** The interaction that held it up. */
  stalledBy: string | undefined;
  /** Larger than its limit from the beginning: the limit is wrong, and no replacement would be smaller. */
  limitTooLow: boolean | undefined;
  cancelStall: () => void;
}

export interface HostProcessesDeps {
  readonly config: Config;
  readonly channel: Channel;
  /** A process has ended by itself: what it held is for others to carry on; `stalledBy` is the interaction at fault. */
  onLost(hostId: string, stalledBy: string | undefined): Promise<void>;
  readonly ending: Ending;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The processes that hold this worker's conversations of one channel, many in each: started when they are needed,
 * replaced when they stand still, grow too large, fail or die. What such a process held goes on in others.
 */
export class HostProcesses {
  readonly #deps: HostProcessesDeps;
  readonly #what: string;
  readonly #processes = new Set<HostProcess>();
  #failures = 0;
  #cancelRestart: (() => void) | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;
  #firstReady = Promise.withResolvers<void>();

  constructor(deps: HostProcessesDeps) {
    this.#deps = deps;
    this.#what = `a process of ${CONVERSATIONS[deps.channel]}`;
  }

  /** How many more conversations could begin now. */
  get places(): number {
    return [...this.#processes]
      .filter(({ ready, replaced, leaving }) => ready && !replaced && !leaving)
      .reduce((sum, { cap, active }) => sum + Math.max(0, cap - active), 0);
  }

  /** Whether it can take what it is there for: a process is registered with LiveKit. */
  get ready(): boolean {
    return this.#limits.most === 0 || [...this.#processes].some(({ ready }) => ready);
  }

  /** Resolves when the first process has registered with LiveKit. */
  start(): Promise<void> {
    if (this.#limits.most === 0) this.#firstReady.resolve();
    this.#grow();
    return this.#firstReady.promise;
  }

  /**
   * Lets the conversations end within `drainMs`; then they leave, and the processes exit or are killed. Safe to call
   * twice; the first time counts.
   */
  stop(drainMs: number): Promise<void> {
    this.#stopped ??= this.#stop(drainMs);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    const { channel, config, ending } = this.#deps;
    this.#stopping = true;
    this.#cancelRestart?.();
    this.#firstReady.resolve();
    for (const process of this.#processes) this.#retire(process, drainMs);
    await ending.step(
      `processes of ${CONVERSATIONS[channel]}`,
      drainMs + config.figures.endMs + KILLED_MS,
      Promise.all([...this.#processes].map(({ exited }) => exited)),
      'they are left behind',
    );
  }

  get #limits(): Config['worker'][Channel] {
    return this.#deps.config.worker[this.#deps.channel];
  }

  /** As many processes as the conversations need, with places to spare, up to the worker's cap. */
  #grow(): void {
    if (this.#stopping) return;
    const { perProcess, most } = this.#limits;
    const staying = [...this.#processes].filter(({ leaving, replaced }) => !leaving && !replaced);
    const places = staying.reduce((sum, { cap }) => sum + cap, 0);
    const taken = staying.reduce((sum, { active }) => sum + active, 0);
    if (places >= most) return;
    if (staying.length > 0 && (places - taken) / perProcess > SPARE_PART) return;
    if (staying.some(({ ready }) => !ready)) return;
    // The last process gets what is left of the worker's cap, which is strict.
    this.#fork(Math.min(perProcess, most - places));
  }

  #fork(cap: number): void {
    const { channel, log } = this.#deps;
    // Detached from the terminal's group: Ctrl-C reaches the worker alone, which then drains.
    const child = fork(ENTRY, [channel, String(cap)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
      detached: true,
    });
    const exit = Promise.withResolvers<void>();
    const process: HostProcess = {
      child,
      cap,
      exited: exit.promise,
      hostId: undefined,
      ready: false,
      active: 0,
      replaced: false,
      leaving: false,
      killed: false,
      stalledBy: undefined,
      limitTooLow: undefined,
      cancelStall: () => {},
    };
    this.#processes.add(process);
    child.on('message', (message) => this.#onReport(process, message));
    readStallReports(child, (report) => this.#onStallReport(process, report));
    child.on('error', (err) => log.error({ err, child: child.pid }, `${this.#what} failed`));
    child.on('exit', (code, signal) => {
      process.cancelStall();
      this.#processes.delete(process);
      // One that left of itself has given back everything.
      const { leaving, killed } = process;
      if (!leaving) this.#onLost(process, code ?? signal);
      void (leaving && killed ? this.#giveBack(process) : Promise.resolve()).then(() => exit.resolve());
      this.#grow();
    });
  }

  #onLost(process: HostProcess, how: number | string | null): void {
    const { clock, log } = this.#deps;
    this.#failures = process.ready ? 1 : this.#failures + 1;
    const longest = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** (this.#failures - 1));
    log.error(
      { child: process.child.pid, how, interactions: process.active, restartMs: longest },
      `${this.#what} ended by itself; its ${CONVERSATIONS[this.#deps.channel]} are taken over`,
    );
    process.leaving = true;
    void this.#giveBack(process);
    this.#cancelRestart = clock.after(longest, () => this.#grow());
  }

  async #giveBack({ hostId, stalledBy }: HostProcess): Promise<void> {
    const { log, onLost } = this.#deps;
    if (hostId === undefined) return;
    await onLost(hostId, stalledBy).catch((err: unknown) =>
      log.warn({ err }, 'leases could not be given back; they run out by themselves'),
    );
  }

  #onReport(process: HostProcess, message: unknown): void {
    const report = hostReportSchema.safeParse(message);
    if (!report.success) return;
    const { clock, config, log } = this.#deps;
    process.cancelStall();
    // Its event loop does not turn, and nor does the thread that would say why: by then its leases have run out, and
    // others take its conversations over.
    process.cancelStall = clock.after(config.figures.leaseMs + REPORT_MS, () => this.#onStalled(process));
    switch (report.data.kind) {
      case 'ready':
        process.ready = true;
        process.hostId = report.data.hostId;
        this.#firstReady.resolve();
        log.info({ child: process.child.pid }, `${this.#what} is registered with LiveKit`);
        return;
      case 'failed':
        process.replaced = true;
        // It ends by itself, unless what failed keeps it from that.
        this.#endWithin(process, this.#deps.config.figures.endMs);
        break;
      case 'beat':
        process.active = report.data.active;
        this.#weigh(process, report.data);
        break;
    }
    this.#grow();
  }

  #weigh(
    process: HostProcess,
    { residentBytes, largest, active }: Extract<HostReport, { kind: 'beat' }>,
  ): void {
    const limitBytes = this.#limits.processMegabytes * 1_048_576;
    const tooLarge = residentBytes > limitBytes;
    const fields = { child: process.child.pid, residentBytes, limitBytes, interactions: active, largest };
    if (process.limitTooLow === undefined && process.ready) {
      process.limitTooLow = tooLarge && active === 0;
      if (process.limitTooLow)
        this.#deps.log.error(
          fields,
          `${this.#what} is larger than its limit before it holds any; the limit is not kept`,
        );
    }
    if (!tooLarge || process.limitTooLow || process.leaving || process.replaced) return;
    this.#deps.log.error(
      fields,
      `${this.#what} is too large; its ${CONVERSATIONS[this.#deps.channel]} go on in another`,
    );
    void this.#replace(process);
  }

  /** Ends when another can take what it holds, so that nobody waits for one that still starts. */
  async #replace(process: HostProcess): Promise<void> {
    process.replaced = true;
    send(process, { kind: 'refuse' });
    const { clock } = this.#deps;
    const end = clock.now() + REPLACEMENT_MS;
    while (!process.leaving && this.places < process.active && clock.now() < end) {
      await delay(clock, 100);
    }
    this.#retire(process, 0);
  }

  /** One of its sessions holds all others up: they go on elsewhere, and it is remembered. */
  #onStallReport(process: HostProcess, { session, frames }: StallReport): void {
    process.stalledBy = session === null ? undefined : parseAgentIdentity(session)?.interactionId;
    this.#deps.log.error(
      {
        child: process.child.pid,
        interactions: process.active,
        interaction: process.stalledBy,
        frames,
      },
      process.stalledBy
        ? `${this.#what} stands still and is ended: this interaction holds it up`
        : `${this.#what} stands still and is ended: what holds it up is no interaction, or can not be told`,
    );
    process.child.kill('SIGKILL');
  }

  #onStalled(process: HostProcess): void {
    const { config, log } = this.#deps;
    log.error(
      {
        child: process.child.pid,
        interactions: process.active,
        stalledMs: config.figures.leaseMs + REPORT_MS,
      },
      `${this.#what} stands still and is ended; its ${CONVERSATIONS[this.#deps.channel]} are taken over`,
    );
    process.killed = true;
    process.child.kill('SIGKILL');
  }

  #retire(process: HostProcess, drainMs: number): void {
    if (process.leaving) return;
    process.leaving = true;
    send(process, { kind: 'stop', drainMs });
    this.#endWithin(process, drainMs + this.#deps.config.figures.endMs);
  }

  #endWithin(process: HostProcess, limitMs: number): void {
    const { clock, ending, log } = this.#deps;
    const cancel = clock.after(limitMs, () => {
      const fields = { limitMs, child: process.child.pid, interactions: process.active };
      const instead = 'it is killed, and its conversations given back';
      if (this.#stopping) ending.gaveUp(this.#what, { ...fields, instead });
      else log.error(fields, `${this.#what} does not end and is killed; its conversations are given back`);
      process.killed = true;
      process.child.kill('SIGKILL');
    });
    process.child.once('exit', cancel);
  }
}

function send({ child }: HostProcess, order: HostOrder): void {
  if (child.connected) child.send(order);
}
