import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import { claimInteraction, completeInteraction, createInteraction } from '../../database/interactions.ts';
import { heartbeat, pollSessions } from '../../database/leases.ts';
import { FloorwalkerError } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { createToolCallStore } from '../../tools/call-store.ts';
import { ToolLedger } from '../../tools/ledger.ts';
import type { ToolOutcome } from '../../tools/ledger-types.ts';
import { type ToolAgent, withTools } from './agent.ts';

const LEASE_SECONDS = 30;
const POLL_MS = 500;

export interface HandCall {
  readonly toolName: string;
  readonly rawArguments: string;
  /** The customer that bound arguments are about; only claimed, as in a chat. */
  readonly phoneNumber?: string | undefined;
  onWaiting(permissionId: string): void;
}

/**
 * A call by hand is a call of a rehearsal interaction: the same ledger, rules and gate, and a gated one waits for the
 * agent's supervisor. Rehearsals count in no score and no live view.
 */
export async function callByHand(
  agent: ToolAgent,
  config: Config['tools'],
  figures: Config['figures'],
  call: HandCall,
): Promise<ToolOutcome> {
  const { db } = agent;
  const workerId = `by-hand-${process.pid}`;
  const { interaction_id: interactionId } = await createInteraction(db, {
    agent_id: agent.id,
    channel: agent.channel,
    kind: 'rehearsal',
    require_public: false,
    ...(call.phoneNumber === undefined
      ? {}
      : { phone_number: call.phoneNumber, phone_source: 'claimed' as const }),
  });
  const claimed = await claimInteraction(db, { interactionId, workerId, leaseSeconds: LEASE_SECONDS });
  if (!claimed.claimed)
    throw new FloorwalkerError('internal', `The rehearsal could not be claimed (${claimed.reason}).`);
  const key = { interactionId, generation: claimed.generation };
  const { interaction } = claimed;
  const identity = {
    interactionId,
    customerId: interaction.customer_id,
    phoneNumber: interaction.phone_number,
    phoneSource: interaction.phone_source,
  };
  try {
    return await withTools(agent, config, { identity }, async (catalogue) => {
      let heldUntilMs = performance.now() + LEASE_SECONDS * 1_000;
      const ledger = new ToolLedger({
        businessId: agent.businessId,
        ...key,
        catalogue,
        store: createToolCallStore(db),
        permissionTimeoutSeconds: figures.permissionTimeoutMs / 1_000,
        log: createLog({ level: 'silent' }),
        holdsLease: () => performance.now() < heldUntilMs,
        clock: { now: () => performance.now() },
      });
      ledger.on('awaiting', ({ permissionId }) => call.onWaiting(permissionId));
      const { toolName, rawArguments } = call;
      const { outcome } = ledger.request({ callId: 'by-hand', toolName, rawArguments });
      const done = new AbortController();
      const polling = keepUp(done.signal, async () => {
        const askedAtMs = performance.now();
        const [mine] = await heartbeat(db, { workerId, leases: [key], leaseSeconds: LEASE_SECONDS });
        heldUntilMs = mine?.held ? askedAtMs + LEASE_SECONDS * 1_000 : 0;
        const [session] = await pollSessions(db, [key]);
        ledger.permissionsChanged(session?.permissions ?? []);
      });
      try {
        return await outcome;
      } finally {
        done.abort();
        await polling;
        await ledger.close('the call by hand is done');
      }
    });
  } finally {
    await completeInteraction(db, { ...key, status: 'completed', endReason: 'tool_called_by_hand' });
  }
}

async function keepUp(signal: AbortSignal, round: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await round().catch(() => undefined);
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
