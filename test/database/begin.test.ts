import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInteraction } from '../../src/database/interactions.ts';
import { type Floor, newInteraction, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('creating an interaction', () => {
  it('makes a queued one with its room', async () => {
    const created = await createInteraction(floor.db.service, newInteraction(floor.agent));
    expect(created).toEqual({
      interaction_id: expect.any(String),
      room: `fw-${created.interaction_id}`,
      status: 'queued',
      agent_type: 'chat',
      business_id: floor.business.id,
      position: expect.any(Number),
      first_in_turn: true,
    });
  });

  it.each([
    ['agent_not_found', { agent_id: '00000000-0000-4000-8000-000000000000' }],
    ['agent_not_found', { agent_id: 'not an id' }],
    ['channel_mismatch', { channel: 'voice' as const }],
    ['invalid_phone_number', { phone_number: '020 1234567' }],
  ])('is refused with %s for %o', async (expected, given) => {
    const attempt = createInteraction(floor.db.service, newInteraction(floor.agent, given));
    await expect(attempt).rejects.toEqual(code(expected));
  });

  it('is refused to the public for a private agent, and allowed to the runtime', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id, isPublic: false });
    const attempt = createInteraction(floor.db.service, newInteraction(agent));
    await expect(attempt).rejects.toEqual(code('agent_not_public'));
    const allowed = createInteraction(floor.db.service, newInteraction(agent, { require_public: false }));
    await expect(allowed).resolves.toMatchObject({ status: 'queued' });
  });

  it('is refused to pages of an origin that is not listed', async () => {
    const business = await floor.db.createBusiness({ allowedOrigins: ['https://shop.example'] });
    const agent = await floor.db.createAgent({ businessId: business.id });
    const from = (origin: string) => createInteraction(floor.db.service, newInteraction(agent, { origin }));
    await expect(from('https://elsewhere.example')).rejects.toEqual(code('origin_not_allowed'));
    await expect(from('https://shop.example')).resolves.toMatchObject({ status: 'queued' });
  });

  it('gives the same interaction for the same call of the phone network', async () => {
    const call = { provider_call_id: 'sip-1', phone_number: '+31201234567', phone_source: 'sip' as const };
    const first = await createInteraction(floor.db.service, newInteraction(floor.agent, call));
    const second = await createInteraction(floor.db.service, newInteraction(floor.agent, call));
    expect(second.interaction_id).toBe(first.interaction_id);
  });

  it('keeps to every limit also when 20 ask at once', async () => {
    const limits: [string, number, Record<string, string>, string][] = [
      ['per_address_per_minute', 3, { address_hash: 'a1' }, 'rate_limited'],
      ['per_address_open', 4, { address_hash: 'a2' }, 'rate_limited'],
      ['per_agent_per_minute', 5, {}, 'rate_limited'],
      ['per_business_open', 6, {}, 'business_limit_reached'],
    ];
    for (const [limit, most, given, expected] of limits) {
      const business = await floor.db.createBusiness();
      const agent = await floor.db.createAgent({ businessId: business.id });
      const attempts = await Promise.allSettled(
        Array.from({ length: 20 }, () =>
          createInteraction(floor.db.service, newInteraction(agent, { ...given, limits: { [limit]: most } })),
        ),
      );
      const refused = attempts.flatMap((a) => (a.status === 'rejected' ? [a.reason] : []));
      expect(attempts.length - refused.length, limit).toBe(most);
      expect(refused[0]).toMatchObject({
        code: expected,
        details: { limit, retry_after_seconds: expect.any(Number) },
      });
    }
  });

  it('lets a business set a limit of its own', async () => {
    const business = await floor.db.createBusiness({ limits: { per_business_open: 1 } });
    const agent = await floor.db.createAgent({ businessId: business.id });
    const limits = { per_business_open: 100 };
    await createInteraction(floor.db.service, newInteraction(agent, { limits }));
    const attempt = createInteraction(floor.db.service, newInteraction(agent, { limits }));
    await expect(attempt).rejects.toEqual(code('business_limit_reached'));
  });

  it('counts the minutes of today', async () => {
    const business = await floor.db.createBusiness({ limits: { per_business_minutes_per_day: 10 } });
    const agent = await floor.db.createAgent({ businessId: business.id });
    const long = await startInteraction(floor.db.service, agent);
    await floor.db
      .sql`update interactions set started_at = date_trunc('day', now()) - interval '1 hour' where id = ${long.id}`;
    await createInteraction(floor.db.service, newInteraction(agent));
    await floor.db
      .sql`update businesses set limits = '{"per_business_minutes_per_day": 0}' where id = ${business.id}`;
    const attempt = createInteraction(floor.db.service, newInteraction(agent));
    await expect(attempt).rejects.toEqual(code('business_limit_reached'));
  });
});
