import { dispose, Room, RoomEvent } from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent, Person } from '../support/fixtures.ts';
import { requestGatedCall } from './gated-call.ts';
import { apiSettings, eventually, type Floor, forEachTry, setupFloor, startApi } from './support.ts';

let floor: Floor;
let supervisor: Person;
let agent: Agent;

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const business = await floor.database.createBusiness();
  supervisor = await floor.database.createUser({ businessId: business.id });
  agent = await floor.database.createAgent({ businessId: business.id, supervisorId: supervisor.id });
});
afterAll(async () => {
  await floor?.stop();
  await dispose();
});

const begin = async () => {
  const { body } = await floor.api.call('/v1/interactions', {
    body: { agent_id: agent.id, channel: 'chat' },
    key: true,
  });
  const claim = await floor.database.service.rpc('claim_interaction', {
    p_interaction_id: body.interaction_id,
    p_worker_id: 'worker',
    p_lease_seconds: 600,
  });
  return { ...body, generation: claim.data.generation as number };
};

async function join(identity: string, room: string): Promise<{ room: Room; heard: string[] }> {
  const { url, apiKey, apiSecret } = floor.livekit;
  const token = new AccessToken(apiKey, apiSecret, { identity });
  token.addGrant({ roomJoin: true, room });
  return connect(await token.toJwt(), url);
}

async function connect(token: string, url: string): Promise<{ room: Room; heard: string[] }> {
  const room = new Room();
  const heard: string[] = [];
  room.on(RoomEvent.DataReceived, (payload, _participant, _kind, topic) => {
    heard.push(`${topic}:${payload.length}`);
  });
  await room.connect(url, token, { autoSubscribe: false, dynacast: false });
  return { room, heard };
}

describe('the doorbell', () => {
  it('rings for the agent after a decision and after an end, without content, and not for the customer', async () => {
    const begun = await begin();
    const agentSide = await join(`agent-${begun.interaction_id}-g${begun.generation}`, begun.room);
    const customer = await connect(begun.token, begun.url);
    try {
      await eventually('both are in the room', () => agentSide.room.remoteParticipants.size || undefined);
      const interaction = { id: begun.interaction_id, room: begun.room, generation: begun.generation };
      const call = await requestGatedCall(floor, agent, interaction);
      await floor.api.call(`/v1/permissions/${call.permissionId}/decision`, {
        body: { decision: 'allowed' },
        token: supervisor.accessToken,
      });
      await eventually('the bell after the decision', () => agentSide.heard[0]);
      const { status, body } = await floor.api.call(`/v1/interactions/${begun.interaction_id}/end`, {
        body: { reason: 'shift is over' },
        token: supervisor.accessToken,
      });
      expect([status, body.status]).toEqual([202, 'active']);
      await eventually('the bell after the end', () => agentSide.heard[1]);
      expect(agentSide.heard).toEqual(['floorwalker.doorbell:0', 'floorwalker.doorbell:0']);
      expect(customer.heard).toEqual([]);
    } finally {
      await agentSide.room.disconnect();
      await customer.room.disconnect();
    }
  });

  it('that can not be rung does not undo the decision', async () => {
    const begun = await begin();
    const interaction = { id: begun.interaction_id, room: begun.room, generation: begun.generation };
    const call = await requestGatedCall(floor, agent, interaction);
    const api = await startApi(
      apiSettings(floor.database, floor.livekit, { livekit: { url: 'ws://127.0.0.1:9' } }),
    );
    try {
      const { status } = await api.call(`/v1/permissions/${call.permissionId}/decision`, {
        body: { decision: 'denied' },
        token: supervisor.accessToken,
      });
      expect(status).toBe(200);
      const failed = await eventually('the failed bell in the metrics', async () => {
        const text = await (await fetch(`${api.metricsUrl}/metrics`)).text();
        return /floorwalker_doorbells_total\{result="failed"\} 1/.test(text) || undefined;
      });
      expect(failed).toBe(true);
    } finally {
      await api.stop();
    }
  });
});

describe('a request to end', () => {
  const end = (id: string, body?: unknown) =>
    floor.api.call(`/v1/interactions/${id}/end`, { method: 'POST', body, token: supervisor.accessToken });

  it('needs no body, and ends at once what no worker carries', async () => {
    const { body } = await floor.api.call('/v1/interactions', {
      body: { agent_id: agent.id, channel: 'chat' },
      key: true,
    });
    const { status, body: ended } = await end(body.interaction_id);
    expect([status, ended.status]).toEqual([202, 'failed']);
  });

  it('is too late when it has ended', async () => {
    const begun = await begin();
    await floor.database.service.rpc('complete_interaction', {
      p_interaction_id: begun.interaction_id,
      p_generation: begun.generation,
      p_status: 'completed',
      p_end_reason: 'customer_left',
    });
    const { status, body } = await end(begun.interaction_id, {});
    expect([status, body.code, body.interaction_status]).toEqual([409, 'interaction_ended', 'completed']);
  });
});
