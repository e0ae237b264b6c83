import { decodeJwt } from 'jose';
import { RoomServiceClient } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/fixtures.ts';
import { type Body, type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let agent: Agent;

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const business = await floor.database.createBusiness();
  agent = await floor.database.createAgent({ businessId: business.id });
});
afterAll(() => floor?.stop());

const begin = async (): Promise<Body> => {
  const { body } = await floor.api.call('/v1/interactions', {
    body: { agent_id: agent.id, channel: 'chat' },
    key: true,
  });
  return body;
};
const post = (path: string, body: unknown) => floor.api.call(`/v1/interactions/${path}`, { body, key: true });

/** As the worker does it at the end of a conversation. */
async function complete(interactionId: string): Promise<void> {
  const service = floor.database.service;
  const claim = await service.rpc('claim_interaction', {
    p_interaction_id: interactionId,
    p_worker_id: 'worker',
    p_lease_seconds: 8,
  });
  expect(claim.error).toBeNull();
  const completed = await service.rpc('complete_interaction', {
    p_interaction_id: interactionId,
    p_generation: claim.data.generation,
    p_status: 'completed',
    p_end_reason: 'customer_left',
  });
  expect(completed.error).toBeNull();
}

describe('a customer who comes back', () => {
  it('gets a new token for the same place in the same room', async () => {
    const begun = await begin();
    const { status, body } = await post(`${begun.interaction_id}/rejoin`, {
      resume_token: begun.resume_token,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ room: begun.room, url: begun.url, status: 'queued', channel: 'chat' });
    const [before, after] = [decodeJwt(begun.token), decodeJwt(body.token)];
    expect(after.sub).toBe(before.sub);
    expect(after.video).toEqual(before.video);
    expect(body).not.toHaveProperty('resume_token');
  });

  it('finds the room again when the media server has forgotten it', async () => {
    const { url, apiKey, apiSecret } = floor.livekit;
    const rooms = new RoomServiceClient(url, apiKey, apiSecret);
    const begun = await begin();
    await rooms.deleteRoom(begun.room);
    await post(`${begun.interaction_id}/rejoin`, { resume_token: begun.resume_token });
    expect(await rooms.listRooms([begun.room])).toHaveLength(1);
  });

  it('can not use the token of another conversation, nor learn whether one exists', async () => {
    const [mine, theirs] = [await begin(), await begin()];
    const attempts = [
      await post(`${theirs.interaction_id}/rejoin`, { resume_token: mine.resume_token }),
      await post(`${crypto.randomUUID()}/rejoin`, { resume_token: mine.resume_token }),
      await post(`${mine.interaction_id}/rejoin`, {
        resume_token: mine.resume_token.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')),
      }),
    ];
    for (const { status, body } of attempts)
      expect([status, body.code]).toEqual([403, 'resume_token_invalid']);
  });

  it('can not use a stored hash as a token', async () => {
    const begun = await begin();
    const [row] = await floor.database.sql`
      select resume_token_hash from interactions where id = ${begun.interaction_id}`;
    const { status } = await post(`${begun.interaction_id}/rejoin`, { resume_token: row?.resume_token_hash });
    expect(status).toBe(400);
  });

  it('is told when the conversation has ended', async () => {
    const begun = await begin();
    await complete(begun.interaction_id);
    const { status, body } = await post(`${begun.interaction_id}/rejoin`, {
      resume_token: begun.resume_token,
    });
    expect([status, body.code]).toEqual([409, 'interaction_ended']);
    expect(body.interaction_status).toBe('completed');
  });

  it.each(['rejoin', 'status', 'leave'])('needs the publishable key as well (%s)', async (what) => {
    const begun = await begin();
    const { status } = await floor.api.call(`/v1/interactions/${begun.interaction_id}/${what}`, {
      body: { resume_token: begun.resume_token },
    });
    expect(status).toBe(401);
  });
});

describe('a customer who is done', () => {
  const leave = ({ interaction_id, resume_token }: Body) => post(`${interaction_id}/leave`, { resume_token });
  const endOf = async ({ interaction_id }: Body) => {
    const [row] = await floor.database.sql`
      select i.status, i.end_reason, i.end_requested_reason, a.id is not null as archived from interactions i
      left join interaction_archives a on a.interaction_id = i.id where i.id = ${interaction_id}`;
    return row;
  };

  it('before anybody took the conversation up ends it there and then, as often as they say so', async () => {
    const begun = await begin();
    const [first, again] = [await leave(begun), await leave(begun)];
    expect([first.status, first.body.status]).toEqual([202, 'failed']);
    expect([again.status, again.body.status]).toEqual([202, 'failed']);
    expect(await endOf(begun)).toMatchObject({ end_reason: 'customer_ended', archived: true });
  });

  it('asks whoever has the conversation to end it', async () => {
    const begun = await begin();
    await floor.database.service.rpc('claim_interaction', {
      p_interaction_id: begun.interaction_id,
      p_worker_id: 'worker',
      p_lease_seconds: 600,
    });
    const { status, body } = await leave(begun);
    expect([status, body]).toEqual([202, { interaction_id: begun.interaction_id, status: 'active' }]);
    expect(await endOf(begun)).toMatchObject({ status: 'active', end_requested_reason: 'customer_ended' });
  });

  it('can end no other conversation', async () => {
    const [mine, theirs] = [await begin(), await begin()];
    const { status, body } = await leave({ ...theirs, resume_token: mine.resume_token });
    expect([status, body.code]).toEqual([403, 'resume_token_invalid']);
    expect(await endOf(theirs)).toMatchObject({ status: 'queued', end_requested_reason: null });
  });
});

describe('a rating', () => {
  it('is the CSAT that counts, also when it comes after the archive', async () => {
    const begun = await begin();
    await complete(begun.interaction_id);
    const { status } = await post(`${begun.interaction_id}/rating`, {
      resume_token: begun.resume_token,
      score: 4,
      comment: 'Quick — “thanks”; drop table users;',
    });
    expect(status).toBe(204);
    const [row] = await floor.database.sql`
      select i.rating, i.rating_comment, a.csat_score::float as csat, a.csat_source
      from interactions i join interaction_archives a on a.interaction_id = i.id
      where i.id = ${begun.interaction_id}`;
    expect(row).toEqual({
      rating: 4,
      rating_comment: 'Quick — “thanks”; drop table users;',
      csat: 75,
      csat_source: 'customer',
    });
  });

  it.each([0, 6, 3.5, '5', null])('is refused when it is %s', async (score) => {
    const begun = await begin();
    const { status, body } = await post(`${begun.interaction_id}/rating`, {
      resume_token: begun.resume_token,
      score,
    });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it('is refused with another conversation’s token', async () => {
    const [mine, theirs] = [await begin(), await begin()];
    const { status, body } = await post(`${theirs.interaction_id}/rating`, {
      resume_token: mine.resume_token,
      score: 1,
    });
    expect([status, body.code]).toEqual([403, 'resume_token_invalid']);
  });

  it('is refused with a character that the database can not keep', async () => {
    const begun = await begin();
    const { status, body } = await post(`${begun.interaction_id}/rating`, {
      resume_token: begun.resume_token,
      score: 1,
      comment: 'a\u0000b',
    });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});
