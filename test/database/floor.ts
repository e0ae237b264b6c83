import { randomUUID } from 'node:crypto';
import type { SupabaseClient } from '@supabase/supabase-js';
import {
  type ClaimedInteraction,
  claimInteraction,
  completeInteraction,
  createInteraction,
  type NewInteraction,
} from '../../src/database/interactions.ts';
import { type NewToolCall, type RequestedToolCall, requestToolCall } from '../../src/database/tool-calls.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Agent, Business, Person } from '../support/fixtures.ts';

/** A business with everyone who may or may not look at one agent, and another business beside it. */
export interface Floor {
  readonly db: TestDatabase;
  readonly business: Business;
  readonly other: Business;
  readonly agent: Agent;
  readonly admin: Person;
  readonly supervisor: Person;
  readonly cover: Person;
  /** Another supervisor of the same business. */
  readonly colleague: Person;
  readonly stranger: Person;
  readonly strangeAdmin: Person;
}

export async function setupFloor(): Promise<Floor> {
  const db = await setupDatabase();
  const [business, other] = await Promise.all([db.createBusiness(), db.createBusiness()]);
  const businessId = business.id;
  const [admin, supervisor, cover, colleague, stranger, strangeAdmin] = await Promise.all([
    db.createUser({ businessId, role: 'admin' }),
    db.createUser({ businessId }),
    db.createUser({ businessId }),
    db.createUser({ businessId }),
    db.createUser({ businessId: other.id }),
    db.createUser({ businessId: other.id, role: 'admin' }),
  ]);
  const agent = await db.createAgent({ businessId, supervisorId: supervisor.id, coverId: cover.id });
  return { db, business, other, agent, admin, supervisor, cover, colleague, stranger, strangeAdmin };
}

export function newInteraction(agent: Agent, given: Partial<NewInteraction> = {}): NewInteraction {
  return {
    agent_id: agent.id,
    channel: agent.agentType,
    require_public: true,
    resume_token_hash: `hash-${randomUUID()}`,
    ...given,
  };
}

/** A claimed interaction, and how its session would write. */
export async function startInteraction(
  service: SupabaseClient,
  agent: Agent,
  given: Partial<NewInteraction> = {},
): Promise<ClaimedInteraction & { id: string; key: { interactionId: string; generation: number } }> {
  const { interaction_id: id } = await createInteraction(service, newInteraction(agent, given));
  const claim = await claimInteraction(service, {
    interactionId: id,
    workerId: 'worker-a',
    leaseSeconds: 30,
  });
  if (!claim.claimed) throw new Error(`not claimed: ${claim.reason}`);
  return { ...claim, id, key: { interactionId: id, generation: claim.generation } };
}

export function newCall(
  interaction: { key: { interactionId: string; generation: number } },
  given: Partial<NewToolCall> = {},
): NewToolCall {
  const callId = given.call_id ?? `call-${randomUUID()}`;
  return {
    interaction_id: interaction.key.interactionId,
    generation: interaction.key.generation,
    call_id: callId,
    tool_name: 'refund_order',
    tool_description: 'Gives the money of an order back',
    arguments: { order: 1042 },
    arguments_hash: 'hash-of-1042',
    definition_hash: 'definition',
    requires_permission: true,
    permission_timeout_seconds: 360,
    idempotency_key: `key-${callId}`,
    ...given,
  };
}

/** A gated call with its pending permission. */
export async function gatedCall(
  service: SupabaseClient,
  interaction: { key: { interactionId: string; generation: number } },
  given: Partial<NewToolCall> = {},
): Promise<RequestedToolCall & { permissionId: string; callId: string }> {
  const requested = await requestToolCall(service, newCall(interaction, given));
  if (!requested.permission) throw new Error('the call is not gated');
  return { ...requested, permissionId: requested.permission.id, callId: requested.call.call_id };
}

/** An interaction of the past, with the archive and the times a test wants. */
export async function pastInteraction(
  db: TestDatabase,
  agent: Agent,
  given: {
    startedAt: Date | string;
    seconds?: number;
    csat?: number | null;
    phone?: string;
    issueTags?: string[];
    kind?: 'live' | 'rehearsal';
    status?: 'completed' | 'failed';
  },
): Promise<string> {
  const interaction = await startInteraction(db.service, agent, {
    ...(given.phone === undefined ? {} : { phone_number: given.phone }),
    ...(given.kind === undefined ? {} : { kind: given.kind }),
  });
  const startedAt = new Date(given.startedAt).toISOString();
  await db.sql`update interactions set started_at = ${startedAt} where id = ${interaction.id}`;
  await completeInteraction(db.service, {
    ...interaction.key,
    status: given.status ?? 'completed',
    endReason: 'customer_left',
  });
  const seconds = given.seconds ?? 60;
  await db.sql`
    update interactions set duration_seconds = ${seconds}, queued_at = started_at,
      ended_at = started_at + make_interval(secs => ${seconds})
    where id = ${interaction.id}`;
  if (given.csat !== undefined) {
    await db.sql`
      update interaction_archives set csat_score = ${given.csat}, csat_source = ${given.csat === null ? null : 'model'}
      where interaction_id = ${interaction.id}`;
  }
  if (given.issueTags) await setIssueTags(db, interaction.id, given.issueTags);
  return interaction.id;
}

export async function setIssueTags(db: TestDatabase, interactionId: string, tags: string[]): Promise<void> {
  const issues = tags.map((tag) => ({ tag, status: 'unresolved' }));
  await db.sql`
    update interaction_archives set tags = ${db.sql.json({ topics: [], sentiment: 'neutral', issues })}
    where interaction_id = ${interactionId}`;
}
