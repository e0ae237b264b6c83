import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { onTestFinished } from 'vitest';
import { pollSessions } from '../../src/database/leases.ts';
import { createToolCallStore } from '../../src/tools/call-store.ts';
import { ToolLedger } from '../../src/tools/ledger.ts';
import type { LedgerEvents, ToolOutcome } from '../../src/tools/ledger-types.ts';
import type { ToolCatalogue } from '../../src/tools/types.ts';
import { type Floor, startInteraction } from '../database/floor.ts';
import type { HttpFixture } from './servers/http.ts';
import { http, NOBODY, open, recordingLog, row } from './support.ts';

/** A line to the database that a test can cut, or cut after the request went through. */
export class Line {
  state: 'up' | 'down' | 'answers_lost' = 'up';
  lost = 0;
  /** What happens between the commit of a write and its answer. */
  committed: (path: string) => Promise<unknown> = async () => undefined;

  readonly fetch: typeof fetch = async (input, init) => {
    if (this.state === 'down') throw new TypeError('fetch failed');
    const response = await fetch(input, init);
    await this.committed(String(input instanceof Request ? input.url : input));
    if (this.state === 'answers_lost') {
      this.lost += 1;
      this.state = 'up';
      throw new TypeError('fetch failed');
    }
    return response;
  };
}

export interface LedgerSetup {
  readonly ledger: ToolLedger;
  readonly server: HttpFixture;
  readonly catalogue: ToolCatalogue;
  readonly line: Line;
  readonly service: SupabaseClient;
  readonly interaction: { id: string; key: { interactionId: string; generation: number } };
  readonly heard: { name: keyof LedgerEvents; args: unknown[] }[];
  /** Sends what the database says about permissions to the ledger, as the session's poll does. */
  poll(): Promise<void>;
  call(toolName: string, args?: unknown, callId?: string): ReturnType<ToolLedger['request']>;
  /** Waits until the call has its permission request and returns its id. */
  permissionOf(callId: string): Promise<string>;
  rowOf(callId: string): Promise<Record<string, unknown>>;
  /** Another life of the same interaction: what a recovery makes. */
  anotherLife(): Promise<ToolLedger>;
}

let calls = 0;

/** A claimed interaction with the fixture's tools: `refund` needs permission, the others do not. */
export async function setupLedger(
  floor: Floor,
  options: {
    mode?: string;
    timeoutSeconds?: number;
    tools?: object;
    holdsLease?: () => boolean;
  } = {},
): Promise<LedgerSetup> {
  const { server, tool } = await http(options.mode ?? 'plain');
  const interaction = await startInteraction(floor.db.service, floor.agent);
  const bind = { bind: { phone: 'customer.phone_number' }, ...options.tools };
  const identity = {
    ...NOBODY,
    businessId: floor.business.id,
    interactionId: interaction.id,
    phoneNumber: '+4912345678',
    phoneSource: 'verified' as const,
  };
  const { catalogue } = await open(
    [
      row('refund', tool(bind), true),
      row('find_order', tool(bind)),
      row('ping', tool()),
      row('whoami', tool()),
    ],
    { identity },
  );
  const line = new Line();
  const service = createClient(floor.db.supabaseUrl, floor.db.secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { fetch: line.fetch },
  });
  const { log } = recordingLog();
  const heard: LedgerSetup['heard'] = [];
  const makeLedger = (generation: number) => {
    const ledger = new ToolLedger({
      businessId: floor.business.id,
      interactionId: interaction.id,
      generation,
      catalogue,
      store: createToolCallStore(service),
      permissionTimeoutSeconds: options.timeoutSeconds ?? 360,
      holdsLease: () => options.holdsLease?.() ?? true,
      log,
      clock: { now: () => performance.now() },
    });
    for (const name of ['awaiting', 'decided', 'started', 'finished', 'delayed', 'fenced'] as const) {
      ledger.on(name, (...args: unknown[]) => void heard.push({ name, args }));
    }
    onTestFinished(() => ledger.close('test over'));
    return ledger;
  };
  const ledger = makeLedger(interaction.key.generation);
  const { sql } = floor.db;
  return {
    ledger,
    server,
    catalogue,
    line,
    service,
    interaction,
    heard,
    async poll() {
      const [session] = await pollSessions(floor.db.service, [interaction.key]);
      ledger.permissionsChanged(session?.permissions ?? []);
    },
    call(toolName, args = {}, callId) {
      calls += 1;
      const rawArguments = typeof args === 'string' ? args : JSON.stringify(args);
      return ledger.request({ callId: callId ?? `call-${calls}`, toolName, rawArguments });
    },
    async permissionOf(callId) {
      const endMs = performance.now() + 8_000;
      while (!ledger.pending().some((pending) => pending.callId === callId)) {
        if (performance.now() > endMs) throw new Error(`No permission was asked for ${callId}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return ledger.pending().find((pending) => pending.callId === callId)?.permissionId ?? '';
    },
    async rowOf(callId) {
      const [found] =
        await sql`select * from tool_calls where interaction_id = ${interaction.id} and call_id = ${callId}`;
      return found ?? {};
    },
    async anotherLife() {
      const [{ generation } = {}] = await sql`
        update interactions set generation = generation + 1 where id = ${interaction.id} returning generation`;
      return makeLedger(Number(generation));
    },
  };
}

export function summary(outcome: ToolOutcome): [string, string | undefined] {
  return [outcome.status, outcome.reason];
}
