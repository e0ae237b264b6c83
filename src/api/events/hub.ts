import type { SupabaseClient } from '@supabase/supabase-js';
import { touchPresences } from '../../database/control.ts';
import { FloorwalkerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { type ChangePage, ChangeReader, readWindow } from './change-reader.ts';
import type { Clock } from './clock.ts';
import { composeEvents } from './compose.ts';
import { eventFrame } from './frames.ts';
import { History, type TellableEvent } from './history.ts';
import { Listener, type ListenerRequest } from './listener.ts';
import type { EventMetrics } from './metrics.ts';
import { decodePosition, encodePosition, type Position } from './position.ts';
import { covers, type Snapshot } from './snapshot.ts';
import { type VisibilityChanges, Watchers } from './watchers.ts';

const SWEEP_MS = 1_000;
const PRESENCE_MS = 20_000;
/** A hiccup is not worth a word. */
const TROUBLE_TOLD_AFTER_MS = 2_000;
/** Reading goes on for a while after the last listener: most of them come back. */
const LINGER_MS = 30_000;
/** Well below what makes a listener count as too far behind. */
const MOST_MISSED_BYTES = 512 * 1_024;
/** Two processes read within a moment of each other. */
const TOLD_WITHIN_MS = 3_000;
/** More than this between a returning listener and the history is not read for them. */
const MOST_PAGES_BACK = 20;

export interface EventHubDeps {
  readonly db: SupabaseClient;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: EventMetrics;
  readonly pollMs: number;
  readonly streamsPerPerson: number;
}

/**
 * The event streams of this process. One reader of the database's change log serves them all; each event is put into
 * words once and goes to those who reach its agent.
 */
export class EventHub {
  readonly #deps: EventHubDeps;
  readonly #log: Log;
  readonly #watchers: Watchers;
  readonly #history = new History();
  readonly #listeners = new Set<Listener>();
  #reader: ChangeReader | undefined;
  #beginning: Promise<unknown> | undefined;
  #reachingBack: Promise<unknown> = Promise.resolve();
  #cancelSweep: (() => void) | undefined;
  #presenceAtMs = Number.NEGATIVE_INFINITY;
  #emptySinceMs: number | undefined;
  #troubleSinceMs: number | undefined;
  #troubleTold = false;
  /** Everything up to here has been told. */
  #toldUpTo: Snapshot | undefined;
  #nextTold = Promise.withResolvers<void>();
  readonly #background = new Set<Promise<void>>();
  #stopped = false;

  constructor(deps: EventHubDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ component: 'events' });
    this.#watchers = new Watchers(deps.db, deps.clock);
  }

  /**
   * Opens a stream for one person. It begins with `ready`; what was committed after that, or after the position they
   * come back with, is told once and in order.
   *
   * @throws FloorwalkerError `too_many_streams`, `database_unavailable`, `shutting_down`
   */
  async open(request: ListenerRequest): Promise<ReadableStream<Uint8Array>> {
    if (this.#stopped) throw new FloorwalkerError('shutting_down');
    const { personId, lastEventId } = request;
    if (this.#watchers.streamsOf(personId) >= this.#deps.streamsPerPerson) {
      throw new FloorwalkerError('too_many_streams');
    }
    await this.#watchers.add(personId);
    const listener = new Listener(request, this.#deps.clock, (reason) => this.#left(listener, reason));
    try {
      await this.#begin();
      const back = lastEventId === undefined ? undefined : await this.#reachBack(lastEventId);
      if (this.#stopped) throw new FloorwalkerError('shutting_down');
      this.#welcome(listener, lastEventId !== undefined, back);
    } catch (error) {
      this.#watchers.remove(personId);
      throw error;
    }
    this.#sweepSoon();
    return listener.stream;
  }

  /** Something was changed through this process: no need to wait for the next look. */
  nudge(): void {
    this.#reader?.nudge();
  }

  /** Ends every stream; their listeners go on at another process where they were. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelSweep?.();
    for (const listener of [...this.#listeners]) listener.close('shutdown');
    await this.#reader?.stop();
    await Promise.all(this.#background);
  }

  #welcome(listener: Listener, returning: boolean, back: Position | undefined): void {
    const position = this.#reader?.position;
    if (position === undefined) throw new FloorwalkerError('database_unavailable');
    this.#listeners.add(listener);
    this.#deps.metrics.listeners.set(this.#listeners.size);
    this.#emptySinceMs = undefined;
    const at = new Date(this.#deps.clock.now()).toISOString();
    const id = encodePosition(position);
    const missed = back === undefined ? undefined : this.#missedBy(listener, back);
    if (back !== undefined && missed !== undefined) {
      // Its id stays the one they brought along until they have been told what they missed.
      listener.greet(eventFrame('ready', { at }));
      listener.skipUpTo(back);
      for (const event of missed) this.#tell(listener, event);
    } else {
      listener.greet(eventFrame('ready', { at }, id));
      if (returning) listener.send(eventFrame('reset', {}, id));
    }
    if (this.#troubleTold) listener.send(this.#troubleFrame());
    this.#inBackground('presence', () => touchPresences(this.#deps.db, [listener.personId]));
  }

  /** Undefined when it is so much that loading the state is less. */
  #missedBy(listener: Listener, back: Position): TellableEvent[] | undefined {
    const missed: TellableEvent[] = [];
    let bytes = 0;
    for (const event of this.#history.after(back)) {
      if (!this.#watchers.reaches(listener.personId, event.agentId)) continue;
      bytes += event.frame.length;
      if (bytes > MOST_MISSED_BYTES) return undefined;
      missed.push(event);
    }
    return missed;
  }

  /** One reader, begun once for all who come at the same time. */
  async #begin(): Promise<void> {
    if (this.#reader?.position !== undefined) return;
    this.#beginning ??= this.#beginReading().finally(() => {
      this.#beginning = undefined;
    });
    await this.#beginning;
  }

  async #beginReading(): Promise<void> {
    const { db, clock, pollMs } = this.#deps;
    const reader = new ChangeReader({
      db,
      log: this.#log,
      clock,
      pollMs,
      onPage: (page) => this.#tellAll(page),
      onLost: (position) => this.#resetAll(position),
      onTrouble: (sinceMs) => this.#trouble(sinceMs),
    });
    const { from } = await reader.begin();
    this.#history.clear();
    this.#history.append(from, from, [], clock.now());
    this.#toldUpTo = from;
    this.#reader = reader;
    reader.start();
  }

  /**
   * Makes sure that the history reaches back to where a listener was.
   *
   * @returns their position, or undefined when it is too old, or none of ours
   */
  async #reachBack(lastEventId: string): Promise<Position | undefined> {
    const position = decodePosition(lastEventId);
    if (position === undefined) return undefined;
    // One after the other: the first one back reads for all who were away as long.
    const reaching = this.#reachingBack.then(() => this.#readBack(position));
    this.#reachingBack = reaching.catch(() => undefined);
    return (await reaching) && (await this.#hasTold(position)) ? position : undefined;
  }

  /** Another process may have told them what this one will read in a moment: it must not be told again after that. */
  async #hasTold({ from, window }: Position): Promise<boolean> {
    const { clock } = this.#deps;
    const untilMs = clock.now() + TOLD_WITHIN_MS;
    const wanted = window?.to ?? from;
    while (this.#toldUpTo === undefined || !covers(this.#toldUpTo, wanted)) {
      if (clock.now() >= untilMs) return false;
      this.nudge();
      const pause = Promise.withResolvers<void>();
      const cancel = clock.after(TOLD_WITHIN_MS, pause.resolve);
      await Promise.race([this.#nextTold.promise, pause.promise]);
      cancel();
    }
    return true;
  }

  async #readBack(position: Position): Promise<boolean> {
    const epoch = this.#reader?.position?.epoch;
    const to = this.#history.since;
    if (epoch !== position.epoch || to === undefined) return false;
    if (this.#history.reaches(position)) return true;
    const { from } = position;
    // Moments follow one another. One that lies neither before the history nor within it never was: somebody made it
    // up, and what is put before the history on its strength would be told twice to others.
    if (!covers(to, from)) return false;
    const events: TellableEvent[] = [];
    let afterId = 0;
    for (let pages = 1; ; pages += 1) {
      const page = await readWindow(this.#deps.db, { epoch, from, to, afterId });
      if (page === undefined || pages > MOST_PAGES_BACK) return false;
      events.push(...(await this.#compose(page)));
      const last = page.changes.at(-1);
      if (!page.more || last === undefined) break;
      afterId = last.id;
    }
    // Meanwhile the oldest of it may have been dropped, or all of it.
    if (this.#history.since?.text !== to.text) return this.#history.reaches(position);
    return this.#history.prepend(from, events, this.#deps.clock.now());
  }

  async #compose(page: ChangePage): Promise<TellableEvent[]> {
    const { epoch, from, to, more } = page;
    const composed = await composeEvents(this.#deps.db, page.changes);
    return composed.map((event, index) => {
      const isLast = !more && index === composed.length - 1;
      const position = isLast ? { epoch, from: to } : { epoch, from, window: { to, id: event.change.id } };
      const { change, name, agentId, interactionId } = event;
      return {
        change,
        name,
        agentId,
        interactionId,
        frame: eventFrame(name, event.data, encodePosition(position)),
      };
    });
  }

  async #tellAll(page: ChangePage): Promise<void> {
    const { clock, metrics } = this.#deps;
    const events = await this.#compose(page);
    const assigned = page.changes.some(({ kind }) => kind === 'agent' || kind === 'person');
    // Before, not after: what somebody has just been given or has lost sight of is in this very page.
    if (assigned || (events.length > 0 && this.#watchers.isStale))
      this.#apply(await this.#watchers.refresh());
    this.#history.append(page.from, page.to, events, clock.now());
    for (const event of events) for (const listener of this.#listeners) this.#tell(listener, event);
    const readAtMs = Date.parse(page.now);
    for (const { created_at } of page.changes) {
      metrics.delay.observe(Math.max(0, (readAtMs - Date.parse(created_at)) / 1_000));
    }
    if (!page.more) this.#caughtUp(page.to);
  }

  #tell(listener: Listener, event: TellableEvent): void {
    if (!this.#watchers.reaches(listener.personId, event.agentId)) return;
    if (listener.tell(event)) this.#deps.metrics.sent.inc({ event: event.name });
  }

  #apply({ changed, gone }: VisibilityChanges): void {
    if (changed.size === 0 && gone.size === 0) return;
    for (const listener of [...this.#listeners]) {
      if (gone.has(listener.personId)) listener.close('gone');
      else if (changed.has(listener.personId)) listener.send(eventFrame('reset', {}));
    }
  }

  async #resetAll(position: Position): Promise<void> {
    this.#log.warn('the change log was emptied or is too far ahead; listeners load their state anew');
    this.#apply(await this.#watchers.refresh());
    this.#history.clear();
    this.#history.append(position.from, position.from, [], this.#deps.clock.now());
    const frame = eventFrame('reset', {}, encodePosition(position));
    for (const listener of this.#listeners) listener.send(frame);
    this.#caughtUp(position.from);
  }

  #trouble(sinceMs: number | undefined): void {
    this.#deps.metrics.failing.set(sinceMs === undefined ? 0 : 1);
    // That it is over is told when what had happened has been.
    if (sinceMs !== undefined) this.#troubleSinceMs = sinceMs;
  }

  #caughtUp(upTo: Snapshot): void {
    this.#toldUpTo = upTo;
    this.#nextTold.resolve();
    this.#nextTold = Promise.withResolvers();
    this.#troubleSinceMs = undefined;
    if (!this.#troubleTold) return;
    this.#troubleTold = false;
    const frame = eventFrame('live', { at: new Date(this.#deps.clock.now()).toISOString() });
    for (const listener of this.#listeners) listener.send(frame);
  }

  #troubleFrame(): Buffer {
    const since = this.#troubleSinceMs ?? this.#deps.clock.now();
    return eventFrame('delayed', { at: new Date(since).toISOString() });
  }

  #left(listener: Listener, reason: string): void {
    const { metrics, clock } = this.#deps;
    if (!this.#listeners.delete(listener)) return;
    this.#watchers.remove(listener.personId);
    metrics.listeners.set(this.#listeners.size);
    metrics.closed.inc({ reason });
    if (reason === 'slow')
      this.#log.warn({ personId: listener.personId }, 'a listener that was too far behind was dropped');
    if (this.#listeners.size === 0) this.#emptySinceMs = clock.now();
  }

  #sweepSoon(): void {
    if (this.#cancelSweep !== undefined || this.#stopped) return;
    this.#cancelSweep = this.#deps.clock.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      this.#sweep();
      if (this.#reader !== undefined) this.#sweepSoon();
    });
  }

  #sweep(): void {
    const nowMs = this.#deps.clock.now();
    const position = this.#reader?.position;
    // While nothing can be read, our place may be behind one that a listener has brought along.
    const news =
      position !== undefined && this.#troubleSinceMs === undefined
        ? () => eventFrame('position', { at: new Date(nowMs).toISOString() }, encodePosition(position))
        : undefined;
    for (const listener of [...this.#listeners]) listener.sweep(news);
    if (
      this.#troubleSinceMs !== undefined &&
      !this.#troubleTold &&
      nowMs - this.#troubleSinceMs >= TROUBLE_TOLD_AFTER_MS
    ) {
      this.#troubleTold = true;
      const frame = this.#troubleFrame();
      for (const listener of this.#listeners) listener.send(frame);
    }
    if (this.#watchers.isDue)
      this.#inBackground('who may see what', async () => this.#apply(await this.#watchers.refresh()));
    if (this.#listeners.size > 0 && nowMs - this.#presenceAtMs >= PRESENCE_MS) {
      this.#presenceAtMs = nowMs;
      this.#inBackground('presence', () => touchPresences(this.#deps.db, this.#watchers.ids));
    }
    if (this.#emptySinceMs !== undefined && nowMs - this.#emptySinceMs >= LINGER_MS) this.#rest();
  }

  /** Nobody has listened for a while: nothing is read, and nothing kept. */
  #rest(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#emptySinceMs = undefined;
    this.#history.clear();
    if (reader !== undefined) this.#inBackground('the reader', () => reader.stop());
  }

  #inBackground(what: string, work: () => Promise<unknown>): void {
    const done = work()
      .then(() => undefined)
      .catch((err: unknown) => this.#log.warn({ err, what }, 'could not be done; it is tried again'))
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}
