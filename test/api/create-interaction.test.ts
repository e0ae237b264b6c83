import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/fixtures.ts';
import { apiSettings, type Floor, setupFloor, startApi } from './support.ts';

let floor: Floor;
let chatAgent: Agent;
let voiceAgent: Agent;
let rooms: RoomServiceClient;
let dispatches: AgentDispatchClient;

beforeAll(async () => {
  floor = await setupFloor();
  const { database, livekit } = floor;
  const business = await database.createBusiness({ allowedOrigins: ['https://shop.example'] });
  chatAgent = await database.createAgent({ businessId: business.id });
  voiceAgent = await database.createAgent({ businessId: business.id, agentType: 'voice' });
  rooms = new RoomServiceClient(livekit.url, livekit.apiKey, livekit.apiSecret);
  dispatches = new AgentDispatchClient(livekit.url, livekit.apiKey, livekit.apiSecret);
});
afterAll(() => floor?.stop());

const create = (body: unknown, headers: Record<string, string> = {}) =>
  floor.api.call('/v1/interactions', { body, key: true, headers });
const chat = (headers: Record<string, string> = {}) =>
  create({ agent_id: chatAgent.id, channel: 'chat' }, headers);

describe('a customer who begins a chat', () => {
  it('gets a queued interaction, a room without metadata and an agent on its way', async () => {
    const { status, body } = await create({
      agent_id: chatAgent.id,
      channel: 'chat',
      phone_number: '+441632960123',
    });
    expect(status).toBe(201);
    expect(body.url).toBe(floor.livekit.url);

    const [row] = await floor.database.sql`select * from interactions where id = ${body.interaction_id}`;
    expect(row).toMatchObject({
      status: 'queued',
      kind: 'live',
      interaction_type: 'chat',
      livekit_room_id: body.room,
      phone_number: '+441632960123',
      phone_source: 'claimed',
    });
    const [room] = await rooms.listRooms([body.room]);
    expect(room).toMatchObject({ name: body.room, metadata: '' });
    // And none without a name: LiveKit adds that to a room which is made without an agent, and looks for one in vain.
    const dispatched = await dispatches.listDispatch(body.room);
    expect(dispatched.map(({ agentName }) => agentName)).toEqual(['floorwalker']);
    expect(JSON.parse(dispatched[0]?.metadata ?? '')).toEqual({
      interaction_id: body.interaction_id,
      channel: 'chat',
    });
  });

  it('gets a resume token of which only the hash is stored', async () => {
    const { body } = await chat();
    const [row] = await floor.database.sql`select * from interactions where id = ${body.interaction_id}`;
    const hash = createHash('sha256').update(body.resume_token).digest('hex');
    expect(Buffer.from(body.resume_token, 'base64url')).toHaveLength(32);
    expect(row?.resume_token_hash).toBe(hash);
    expect(JSON.stringify(row)).not.toContain(body.resume_token);
  });

  it('gets a token for that one room that lets them write and nothing else', async () => {
    const { body } = await chat();
    const claims = decodeJwt(body.token);
    expect(claims.sub).toBe(`customer-${body.interaction_id}`);
    expect(claims.video).toEqual({
      roomJoin: true,
      room: body.room,
      canPublish: false,
      canPublishData: true,
      canSubscribe: true,
      canUpdateOwnMetadata: false,
      hidden: false,
      roomCreate: false,
      roomList: false,
      roomAdmin: false,
      roomRecord: false,
      ingressAdmin: false,
    });
    expect(Object.keys(claims).sort()).toEqual(['exp', 'iss', 'nbf', 'sub', 'video']);
    const lifetime = (claims.exp ?? 0) - Math.floor(Date.now() / 1_000);
    expect(lifetime).toBeGreaterThan(590);
    expect(lifetime).toBeLessThanOrEqual(600);
  });
});

describe('a customer who calls', () => {
  it('may send a microphone and no camera or screen', async () => {
    const { status, body } = await create({ agent_id: voiceAgent.id, channel: 'voice' });
    expect(status).toBe(201);
    expect(decodeJwt(body.token).video).toMatchObject({
      room: body.room,
      canPublish: true,
      canPublishSources: ['microphone'],
      canUpdateOwnMetadata: false,
      roomAdmin: false,
    });
  });

  it('is told when the agent only chats', async () => {
    const { status, body } = await create({ agent_id: chatAgent.id, channel: 'voice' });
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 'channel_mismatch', agent_type: 'chat' });
  });
});

describe('who may begin', () => {
  it('is nobody without the publishable key', async () => {
    const body = { agent_id: chatAgent.id, channel: 'chat' };
    for (const key of [undefined, '', 'sb_publishable_wrong', floor.database.secretKey]) {
      const answer = await floor.api.call('/v1/interactions', {
        body,
        ...(key === undefined ? {} : { key }),
      });
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe('api_key_invalid');
    }
  });

  it('is nobody for an agent that is not public', async () => {
    const hidden = await floor.database.createAgent({
      businessId: chatAgent.businessId,
      isPublic: false,
    });
    const { status, body } = await create({ agent_id: hidden.id, channel: 'chat' });
    expect([status, body.code]).toEqual([403, 'agent_not_public']);
  });

  it('is nobody for an agent that is not there', async () => {
    const { status, body } = await create({ agent_id: crypto.randomUUID(), channel: 'chat' });
    expect([status, body.code]).toEqual([404, 'agent_not_found']);
  });

  it('is a page of an allowed origin, which is named and never "*"', async () => {
    const { status, headers } = await chat({ origin: 'https://shop.example' });
    expect(status).toBe(201);
    expect(headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(headers.get('vary')?.toLowerCase()).toContain('origin');
  });

  it('is no page of another origin', async () => {
    for (const origin of [
      'https://evil.example',
      'https://shop.example.evil.example',
      'http://shop.example',
      'null',
    ]) {
      const { status, body, headers } = await chat({ origin });
      expect([origin, status, body.code]).toEqual([origin, 403, 'origin_not_allowed']);
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('is a page of an origin of that business, not of any', async () => {
    const other = await floor.database.createBusiness({ allowedOrigins: ['https://other.example'] });
    await floor.database.createAgent({ businessId: other.id });
    const { status, body } = await chat({ origin: 'https://other.example' });
    expect([status, body.code]).toEqual([403, 'origin_not_allowed']);
  });

  it('is answered before the request itself when a browser asks', async () => {
    const preflight = (origin: string) =>
      floor.api.call('/v1/interactions', {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'apikey',
        },
      });
    const allowed = await preflight('https://shop.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(allowed.headers.get('access-control-allow-headers')).toContain('apikey');
    const refused = await preflight('https://evil.example');
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    expect(refused.headers.get('access-control-allow-headers')).toBeNull();
  });
});

describe('a request that is not as described', () => {
  it.each([
    ['no agent', { channel: 'chat' }],
    ['an agent id with SQL in it', { agent_id: "' or 1=1; drop table interactions; --", channel: 'chat' }],
    ['another channel', { agent_id: crypto.randomUUID(), channel: 'fax' }],
    [
      'a phone number that is none',
      { agent_id: crypto.randomUUID(), channel: 'chat', phone_number: "0' or ''='" },
    ],
    ['a field too many', { agent_id: crypto.randomUUID(), channel: 'chat', kind: 'rehearsal' }],
    ['a list', []],
    ['null', null],
  ])('is refused: %s', async (_name, body) => {
    const answer = await create(body);
    expect(answer.status).toBe(400);
    expect(answer.body.code).toBe('invalid_request');
    expect(answer.body.problems.length).toBeGreaterThan(0);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('is refused when it is not JSON', async () => {
    const broken = await floor.api.call('/v1/interactions', { rawBody: '{"agent_id":', key: true });
    expect([broken.status, broken.body.code]).toEqual([400, 'invalid_request']);
    const form = await floor.api.call('/v1/interactions', {
      rawBody: 'agent_id=1',
      key: true,
      headers: { 'content-type': 'text/plain' },
    });
    expect([form.status, form.body.code]).toEqual([415, 'unsupported_media_type']);
  });

  it('is refused when it is a megabyte', async () => {
    const { status, body } = await create({ agent_id: chatAgent.id, channel: 'x'.repeat(1_048_576) });
    expect([status, body.code]).toEqual([413, 'body_too_large']);
  });

  it('is refused when it is a megabyte that did not say so', async () => {
    const response = await fetch(`${floor.api.url}/v1/interactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', apikey: floor.database.publishableKey },
      body: new Blob(['{"channel":"', 'x'.repeat(1_048_576), '"}']).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  it('leaves nothing behind', async () => {
    const [before] = await floor.database.sql`select count(*)::int as n from interactions`;
    await create({ agent_id: chatAgent.id, channel: 'fax' });
    await chat({ origin: 'https://evil.example' });
    const [after] = await floor.database.sql`select count(*)::int as n from interactions`;
    expect(after).toEqual(before);
  });
});

describe('limits', () => {
  const settingsWith = (api: Parameters<typeof apiSettings>[2]) =>
    apiSettings(floor.database, floor.livekit, api);
  const perMinute = (count: number) => ({
    api: {
      limits: { ...floor.api.settings.api.limits, perAddressPerMinute: count },
      trustedProxies: ['127.0.0.1'],
    },
  });
  const agentOfNewBusiness = async (limits: Record<string, number> = {}) => {
    const business = await floor.database.createBusiness({ limits });
    return floor.database.createAgent({ businessId: business.id });
  };

  it('let a burst of one address through up to the limit, whichever API process it asks', async () => {
    const agent = await agentOfNewBusiness();
    const apis = await Promise.all([
      startApi(settingsWith(perMinute(4))),
      startApi(settingsWith(perMinute(4))),
    ]);
    try {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          apis[i % 2]?.call('/v1/interactions', {
            body: { agent_id: agent.id, channel: 'chat' },
            key: true,
            headers: { 'x-forwarded-for': '198.51.100.20' },
          }),
        ),
      );
      const statuses = answers.map((answer) => answer?.status).sort();
      expect(statuses).toEqual([201, 201, 201, 201, 429, 429, 429, 429, 429, 429, 429, 429]);
      const refused = answers.find((answer) => answer?.status === 429);
      expect(refused?.body).toMatchObject({ code: 'rate_limited', limit: 'per_address_per_minute' });
      expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);

      const elsewhere = await apis[0]?.call('/v1/interactions', {
        body: { agent_id: agent.id, channel: 'chat' },
        key: true,
        headers: { 'x-forwarded-for': '198.51.100.21' },
      });
      expect(elsewhere?.status).toBe(201);
    } finally {
      await Promise.all(apis.map((api) => api.stop()));
    }
  });

  it('are not escaped by a forged X-Forwarded-For when no proxy is trusted', async () => {
    const agent = await agentOfNewBusiness({ per_address_per_minute: 2 });
    const ask = (claimed: string) =>
      create({ agent_id: agent.id, channel: 'chat' }, { 'x-forwarded-for': claimed });
    const answers = [await ask('192.0.2.1'), await ask('192.0.2.2'), await ask('192.0.2.3')];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 429]);
  });

  it('of the business say that its lines are taken', async () => {
    const agent = await agentOfNewBusiness({ per_business_open: 1 });
    const first = await create({ agent_id: agent.id, channel: 'chat' });
    const second = await create({ agent_id: agent.id, channel: 'chat' });
    expect(first.status).toBe(201);
    expect([second.status, second.body.code]).toEqual([429, 'business_limit_reached']);
  });

  it('keep no address, only its keyed hash', async () => {
    const { body } = await chat();
    const [row] = await floor.database.sql`select * from interactions where id = ${body.interaction_id}`;
    expect(row?.address_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(row)).not.toContain('127.0.0.1');
  });
});

describe('when the media server is away', () => {
  it('the customer is told, and the interaction does not wait for ever', async () => {
    const api = await startApi(
      apiSettings(floor.database, floor.livekit, { livekit: { url: 'ws://127.0.0.1:9' } }),
    );
    try {
      const { status, body } = await api.call('/v1/interactions', {
        body: { agent_id: chatAgent.id, channel: 'chat' },
        key: true,
      });
      expect([status, body.code]).toEqual([503, 'media_unavailable']);
      const [row] = await floor.database.sql`
        select status, end_reason from interactions where end_reason = 'media_unavailable'`;
      expect(row).toEqual({ status: 'failed', end_reason: 'media_unavailable' });
    } finally {
      await api.stop();
    }
  });
});
