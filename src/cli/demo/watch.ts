import { z } from 'zod';
import type { Database } from '../../database/client.ts';

/** Reads an interaction's rows until it is archived, and prints what changes in them. Only what is stored counts. */

const messageSchema = z.object({ seq: z.number(), role: z.string(), content: z.string() });
const callSchema = z.object({
  call_id: z.string(),
  tool_name: z.string(),
  arguments: z.unknown(),
  requires_permission: z.boolean(),
  state: z.string(),
  output: z.string().nullable(),
  duration_ms: z.number().nullable(),
});
const permissionSchema = z.object({
  id: z.string(),
  tool_name: z.string(),
  status: z.string(),
  decided_by: z.string().nullable(),
  note: z.string().nullable(),
});
const metricSchema = z.object({
  timestamp: z.string(),
  sentiment: z.string(),
  satisfaction_score: z.number(),
  feed_text: z.string(),
});
const archiveSchema = z.object({
  summary: z.string(),
  summary_source: z.string(),
  issues: z.array(z.unknown()),
  csat_score: z.number().nullable(),
  resolution_time_seconds: z.number().nullable(),
});
const interactionSchema = z.object({
  status: z.string(),
  paused: z.boolean(),
  end_reason: z.string().nullable(),
});

type Call = z.output<typeof callSchema>;
type Permission = z.output<typeof permissionSchema>;

export type Print = (what: string, text: string) => void;

const EVERY_MS = 300;
/** The model's summary follows the facts; it is worth a moment. */
const SUMMARY_WAIT_MS = 10_000;

function short(text: string, most = 160): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

export class InteractionWatch {
  readonly messages: { role: string; content: string }[] = [];
  readonly calls = new Map<string, Call>();
  readonly permissions = new Map<string, Permission>();
  readonly metrics: z.output<typeof metricSchema>[] = [];
  wasPaused = false;
  /** When a tool call last came or went on. */
  callsChangedAt = 0;
  status = 'queued';
  archive: z.output<typeof archiveSchema> | undefined;
  readonly #db: Database;
  readonly #id: string;
  readonly #print: Print;
  readonly #waiting = new Set<() => void>();
  #paused = false;
  #closed = false;
  #lastSeq = 0;
  #round: Promise<void> = Promise.resolve();

  constructor(db: Database, interactionId: string, print: Print) {
    this.#db = db;
    this.#id = interactionId;
    this.#print = print;
  }

  start(): void {
    this.#round = this.#loop();
  }

  async stop(): Promise<void> {
    this.#closed = true;
    await this.#round.catch(() => {});
  }

  get openCalls(): Call[] {
    return [...this.calls.values()].filter(({ state }) =>
      ['requested', 'awaiting_permission', 'running'].includes(state),
    );
  }

  /** True when there was a last round and a condition held in it or before it. */
  async until(condition: () => boolean, what: string, withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`${what} did not come true within ${withinMs / 1000} s`);
      if (this.#closed) throw new Error(`${what}: the rehearsal was stopped`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, EVERY_MS);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Until it is archived with the model's summary, or with the facts when the model gives none in time. */
  async untilArchived(withinMs: number): Promise<void> {
    await this.until(() => this.archive !== undefined, 'the archive', withinMs);
    const byModel = () => this.archive?.summary_source === 'model';
    await this.until(byModel, 'the summary', SUMMARY_WAIT_MS).catch(() => {});
    const { archive } = this;
    if (!archive) return;
    const seconds = archive.resolution_time_seconds ?? '?';
    this.#print(
      'archived',
      `after ${seconds} s, CSAT ${archive.csat_score ?? 'unknown'}: "${short(archive.summary, 220)}"`,
    );
  }

  async #loop(): Promise<void> {
    while (!this.#closed) {
      // A restarted database is worth another look, not the end of the rehearsal.
      await this.#look().catch(() => {});
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  async #look(): Promise<void> {
    const of = (table: string, columns: string) =>
      this.#db.from(table).select(columns).eq('interaction_id', this.#id);
    const [interaction, messages, calls, permissions, metrics, archives] = await Promise.all([
      this.#db.from('interactions').select('status, paused, end_reason').eq('id', this.#id),
      of('interaction_messages', 'seq, role, content').gt('seq', this.#lastSeq).order('seq'),
      of('tool_calls', Object.keys(callSchema.shape).join()).order('requested_at'),
      of('tool_permissions', Object.keys(permissionSchema.shape).join()),
      of('realtime_metrics', Object.keys(metricSchema.shape).join()).order('timestamp'),
      of('interaction_archives', Object.keys(archiveSchema.shape).join()),
    ]);
    for (const message of z.array(messageSchema).parse(messages.data)) this.#take(message);
    const current = z.array(callSchema).parse(calls.data);
    const now = z.array(interactionSchema).parse(interaction.data)[0];
    // In the order in which they cause one another: several may have happened since the last look.
    for (const call of current) this.#takeRequest(call);
    if (now?.paused) this.#takePaused(true);
    for (const permission of z.array(permissionSchema).parse(permissions.data))
      this.#takePermission(permission);
    if (now && !now.paused) this.#takePaused(false);
    for (const call of current) this.#takeCall(call);
    if (now) this.#takeStatus(now);
    for (const metric of z.array(metricSchema).parse(metrics.data)) this.#takeMetric(metric);
    this.archive = z.array(archiveSchema).parse(archives.data)[0] ?? this.archive;
  }

  #take({ seq, role, content }: z.output<typeof messageSchema>): void {
    this.#lastSeq = seq;
    this.messages.push({ role, content });
    this.#print(role, `"${short(content)}"`);
  }

  #takeRequest(call: Call): void {
    if (this.calls.has(call.call_id)) return;
    const what = `${call.tool_name}(${short(JSON.stringify(call.arguments), 80)})`;
    this.#print('tool', `${what} requested${call.requires_permission ? '; it needs permission' : ''}`);
  }

  #takeCall(call: Call): void {
    const before = this.calls.get(call.call_id)?.state;
    this.calls.set(call.call_id, call);
    if (before === call.state) return;
    this.callsChangedAt = Date.now();
    const output = short(call.output ?? '', 120);
    if (call.state === 'succeeded') {
      this.#print('tool ran', `${call.tool_name} in ${call.duration_ms ?? '?'} ms: ${output}`);
    } else if (['failed', 'refused', 'unknown'].includes(call.state)) {
      this.#print('tool', `${call.tool_name} ${call.state}: ${output}`);
    }
  }

  #takePaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.wasPaused ||= paused;
    if (paused) this.#print('paused', 'the customer is told why they wait');
    else this.#print('goes on', 'nothing waits for a decision any more');
  }

  #takeStatus({ status, end_reason }: z.output<typeof interactionSchema>): void {
    if (status === this.status) return;
    this.status = status;
    if (end_reason !== null) this.#print('ended', `${status}: ${end_reason}`);
  }

  #takePermission(permission: Permission): void {
    const before = this.permissions.get(permission.id)?.status;
    this.permissions.set(permission.id, permission);
    if (before === permission.status || permission.status === 'pending') return;
    const note = permission.note ? `, with the note "${permission.note}"` : '';
    this.#print('decided', `${permission.tool_name} is ${permission.status}${note}`);
  }

  #takeMetric(metric: z.output<typeof metricSchema>): void {
    if (this.metrics.some(({ timestamp }) => timestamp === metric.timestamp)) return;
    this.metrics.push(metric);
    this.#print(
      'metrics',
      `${metric.sentiment}, satisfaction ${metric.satisfaction_score}: "${short(metric.feed_text)}"`,
    );
  }
}
