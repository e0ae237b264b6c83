import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';
import { type HostOrder, hostReportSchema, type StallReport } from './host-messages.ts';
import { readStallReports } from './stall-reports.ts';

const ENTRY = fileURLToPath(new URL('../chat-host.ts', import.meta.url));
const FIRST_RESTART_MS = 500;
const LONGEST_RESTART_MS = 30_000;
/** Another process is started while the last one still has this part of its places. */
const SPARE_PART = 0.25;
/** How much longer than a lease the process's own word is waited for. */
const REPORT_MS = 2_000;
/** How long after its drain a process may take to exit. */
const EXIT_MS = 20_000;

interface HostProcess {
  readonly child: ChildProcess;
  /** Chats that it may hold. */
  readonly cap: number;
  readonly exited: Promise<void>;
  /** Of its leases; there from the moment at which it takes chats. */
  hostId: string | undefined;
  ready: boolean;
  active: number;
  /** Takes nothing new: it is being replaced, or the worker stops. */
  leaving: boolean;
  /** The interaction that held it up. */
  stalledBy: string | undefined;
  cancelStall: () => void;
}

export interface HostProcessesDeps {
  readonly config: Config;
  /** A process has ended by itself: what it held is for others to carry on; `stalledBy` is the interaction at fault. */
  onLost(hostId: string, stalledBy: string | undefined): Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The processes that hold this worker's chats, many in each: started when they are needed, replaced when they
 * stand still, grow too large or die. What such a process held is taken over by others, as after any death.
 */
export class HostProcesses {
  readonly #deps: HostProcessesDeps;
  readonly #processes = new Set<HostProcess>();
  #failures = 0;
  #cancelRestart: (() => void) | undefined;
  #stopping = false;
  #firstReady = Promise.withResolvers<void>();

  constructor(deps: HostProcessesDeps) {
    this.#deps = deps;
  }

  get active(): number {
    return this.#sum((process) => process.active);
  }

  /** How many more chats could begin now. */
  get places(): number {
    return this.#sum((process) =>
      process.ready && !process.leaving ? Math.max(0, process.cap - process.active) : 0,
    );
  }

  /** Resolves when the first process has registered with LiveKit. */
  start(): Promise<void> {
    if (this.#deps.config.worker.maxChats === 0) this.#firstReady.resolve();
    this.#grow();
    return this.#firstReady.promise;
  }

  /** Lets the chats end within `drainMs`; then they leave, and the processes exit. Safe to call twice. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart?.();
    this.#firstReady.resolve();
    for (const process of this.#processes) this.#retire(process, drainMs);
    await Promise.all([...this.#processes].map(({ exited }) => exited));
  }

  #sum(of: (process: HostProcess) => number): number {
    return [...this.#processes].reduce((sum, process) => sum + of(process), 0);
  }

  /** As many processes as the chats need, with places to spare, up to the worker's cap. */
  #grow(): void {
    if (this.#stopping) return;
    const { chatsPerProcess, maxChats } = this.#deps.config.worker;
    const staying = [...this.#processes].filter(({ leaving }) => !leaving);
    const places = staying.reduce((sum, { cap }) => sum + cap, 0);
    const taken = staying.reduce((sum, { active }) => sum + active, 0);
    if (places >= maxChats) return;
    if (staying.length > 0 && (places - taken) / chatsPerProcess > SPARE_PART) return;
    if (staying.some(({ ready }) => !ready)) return;
    // The last process gets what is left of the worker's cap, which is strict.
    this.#fork(Math.min(chatsPerProcess, maxChats - places));
  }

  #fork(cap: number): void {
    const { log } = this.#deps;
    // Detached from the terminal's group: Ctrl-C reaches the worker alone, which then drains.
    const child = fork(ENTRY, [String(cap)], {
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
      leaving: false,
      stalledBy: undefined,
      cancelStall: () => {},
    };
    this.#processes.add(process);
    child.on('message', (message) => this.#onReport(process, message));
    readStallReports(child, (report) => this.#onStallReport(process, report));
    child.on('error', (err) => log.error({ err, child: child.pid }, 'a process of chats failed'));
    child.on('exit', (code, signal) => {
      process.cancelStall();
      this.#processes.delete(process);
      exit.resolve();
      if (!process.leaving) this.#onLost(process, code ?? signal);
      this.#grow();
    });
  }

  #onLost(process: HostProcess, how: number | string | null): void {
    const { clock, log } = this.#deps;
    this.#failures = process.ready ? 1 : this.#failures + 1;
    const longest = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** (this.#failures - 1));
    log.error(
      { child: process.child.pid, how, interactions: process.active, restartMs: longest },
      'a process of chats ended by itself; its chats are taken over',
    );
    process.leaving = true;
    if (process.hostId !== undefined) {
      this.#deps
        .onLost(process.hostId, process.stalledBy)
        .catch((err: unknown) =>
          log.warn({ err }, 'leases could not be given back; they run out by themselves'),
        );
    }
    this.#cancelRestart = clock.after(longest, () => this.#grow());
  }

  #onReport(process: HostProcess, message: unknown): void {
    const report = hostReportSchema.safeParse(message);
    if (!report.success) return;
    const { clock, config, log } = this.#deps;
    process.cancelStall();
    // Its event loop does not turn, and nor does the thread that would say why: by then its leases have run out, and
    // others take its chats over.
    process.cancelStall = clock.after(config.figures.leaseMs + REPORT_MS, () => this.#onStalled(process));
    if (report.data.kind === 'ready') {
      process.ready = true;
      process.hostId = report.data.hostId;
      this.#firstReady.resolve();
      log.info({ child: process.child.pid }, 'a process of chats is registered with LiveKit');
      return;
    }
    const { active, residentBytes } = report.data;
    process.active = active;
    const limitBytes = config.worker.chatProcessMegabytes * 1_048_576;
    if (residentBytes > limitBytes && !process.leaving) {
      log.error(
        { child: process.child.pid, residentBytes, limitBytes, interactions: active },
        'a process of chats is too large; its chats go on in another',
      );
      this.#retire(process, 0);
    }
    this.#grow();
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
        ? 'a process of chats stands still and is ended: this interaction holds it up'
        : 'a process of chats stands still and is ended: what holds it up is no interaction, or can not be told',
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
      'a process of chats stands still and is ended; its chats are taken over',
    );
    process.child.kill('SIGKILL');
  }

  #retire(process: HostProcess, drainMs: number): void {
    if (process.leaving) return;
    process.leaving = true;
    const order: HostOrder = { kind: 'stop', drainMs };
    if (process.child.connected) process.child.send(order);
    const cancel = this.#deps.clock.after(drainMs + EXIT_MS, () => process.child.kill('SIGKILL'));
    void process.exited.then(cancel);
  }
}
