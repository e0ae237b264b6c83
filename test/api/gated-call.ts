import { expect } from 'vitest';
import { hashToolCall } from '../../src/tools/canonical-hash.ts';
import type { Agent } from '../support/fixtures.ts';
import type { Floor } from './support.ts';

export interface OpenInteraction {
  readonly id: string;
  readonly room: string;
  readonly generation: number;
}

/** An interaction that a worker holds. */
export async function openInteraction(
  floor: Floor,
  agent: Agent,
  options: { kind?: 'live' | 'rehearsal'; phoneNumber?: string } = {},
): Promise<OpenInteraction> {
  const service = floor.database.service;
  const created = await service.rpc('create_interaction', {
    p_request: {
      agent_id: agent.id,
      channel: agent.agentType,
      require_public: false,
      kind: options.kind ?? 'live',
      ...(options.phoneNumber === undefined ? {} : { phone_number: options.phoneNumber }),
    },
  });
  expect(created.error).toBeNull();
  const { interaction_id: id, room } = created.data;
  const claim = await service.rpc('claim_interaction', {
    p_interaction_id: id,
    p_worker_id: 'worker',
    p_lease_seconds: 600,
  });
  expect(claim.error).toBeNull();
  return { id, room, generation: claim.data.generation };
}

export interface GatedCall {
  readonly permissionId: string;
  readonly callId: string;
  readonly argumentsHash: string;
}

/** A tool call that waits for a decision, as a session requests it. */
export async function requestGatedCall(
  floor: Floor,
  agent: Agent,
  interaction: OpenInteraction,
  options: {
    callId?: string;
    toolName?: string;
    arguments?: Record<string, unknown>;
    timeoutSeconds?: number;
  } = {},
): Promise<GatedCall> {
  const callId = options.callId ?? `call_${crypto.randomUUID()}`;
  const toolName = options.toolName ?? 'refund_order';
  const args = options.arguments ?? { order: '1042', amount: 25 };
  const argumentsHash = hashToolCall({
    businessId: agent.businessId,
    interactionId: interaction.id,
    callId,
    toolName,
    definitionHash: 'definition',
    arguments: args,
  });
  const { data, error } = await floor.database.service.rpc('request_tool_call', {
    p_call: {
      interaction_id: interaction.id,
      generation: interaction.generation,
      call_id: callId,
      tool_name: toolName,
      tool_description: 'Pays money back',
      arguments: args,
      arguments_hash: argumentsHash,
      definition_hash: 'definition',
      requires_permission: true,
      permission_timeout_seconds: options.timeoutSeconds ?? 360,
      idempotency_key: callId,
    },
  });
  expect(error).toBeNull();
  return { permissionId: data.permission.id, callId, argumentsHash };
}
