import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateArchive } from '../../src/database/archives.ts';
import {
  claimableInteractions,
  claimInteraction,
  completeInteraction,
  createInteraction,
  heartbeat,
  pollSessions,
  rateInteraction,
  reapUnjoined,
  releaseLease,
  requestEnd,
  requestSupervisor,
  resumeInteraction,
  setDisposition,
  setPhoneNumber,
} from '../../src/database/interactions.ts';
import { touchPresence } from '../../src/database/people.ts';
import { withdrawPermissions } from '../../src/database/permissions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { finishToolCall, requestToolCall, startToolCall } from '../../src/database/tool-calls.ts';
import { type Floor, gatedCall, newCall, newInteraction, setupFloor, startInteraction } from './floor.ts';

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

describe('leases', () => {
  it('gives an interaction to one of 30 workers', async () => {
    const { interaction_id } = await createInteraction(floor.db.service, newInteraction(floor.agent));
    const claims = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        claimInteraction(floor.db.service, {
          interactionId: interaction_id,
          workerId: `w${n}`,
          leaseSeconds: 30,
        }),
      ),
    );
    expect(claims.filter((claim) => claim.claimed)).toHaveLength(1);
    expect(claims.filter((claim) => !claim.claimed && claim.reason === 'held')).toHaveLength(29);
  });

  it('starts with the agent as it was, and keeps to it when the agent is edited', async () => {
    const agent = await floor.db.createAgent({
      businessId: floor.business.id,
      systemPrompt: 'first',
      tools: [{ toolName: 'find_order', toolConfig: { transport: 'stdio', server: 'orders' } }],
    });
    const first = await startInteraction(floor.db.service, agent);
    expect(first).toMatchObject({ recovered: false, generation: 1, snapshot: { system_prompt: 'first' } });
    expect(first.snapshot.tools).toHaveLength(1);
    await floor.db.sql`update agents set system_prompt = 'second' where id = ${agent.id}`;
    await floor.db.sql`update interactions set lease_until = now() where id = ${first.id}`;
    const again = await claimInteraction(floor.db.service, {
      interactionId: first.id,
      workerId: 'b',
      leaseSeconds: 30,
    });
    expect(again).toMatchObject({
      claimed: true,
      recovered: true,
      generation: 2,
      snapshot: { system_prompt: 'first' },
      agent: { system_prompt: 'second' },
    });
  });

  it('keeps to the most an agent takes at once, also when all claim together', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id, maxConcurrentInteractions: 2 });
    const created = await Promise.all(
      Array.from({ length: 8 }, () => createInteraction(floor.db.service, newInteraction(agent))),
    );
    const claims = await Promise.all(
      created.map(({ interaction_id }) =>
        claimInteraction(floor.db.service, {
          interactionId: interaction_id,
          workerId: 'w',
          leaseSeconds: 30,
        }),
      ),
    );
    expect(claims.filter((claim) => claim.claimed)).toHaveLength(2);
    expect(claims.filter((claim) => !claim.claimed && claim.reason === 'agent_at_capacity')).toHaveLength(6);
    const offered = await claimableInteractions(floor.db.service, { limit: 1000 });
    const mine = new Set(created.map(({ interaction_id }) => interaction_id));
    expect(offered.filter(({ interaction_id }) => mine.has(interaction_id))).toEqual([]);
  });

  it('renews for the holder and tells a replaced one', async () => {
    const mine = await startInteraction(floor.db.service, floor.agent);
    const beat = () =>
      heartbeat(floor.db.service, { workerId: 'worker-a', leases: [mine.key], leaseSeconds: 30 });
    expect(await beat()).toEqual([{ interaction_id: mine.id, held: true }]);
    expect(await releaseLease(floor.db.service, mine.key)).toBe(true);
    const offered = await claimableInteractions(floor.db.service, { limit: 1000 });
    expect(offered.map(({ interaction_id }) => interaction_id)).toContain(mine.id);
    const next = await claimInteraction(floor.db.service, {
      interactionId: mine.id,
      workerId: 'b',
      leaseSeconds: 30,
    });
    expect(next.claimed).toBe(true);
    expect(await beat()).toEqual([{ interaction_id: mine.id, held: false }]);
    expect(await releaseLease(floor.db.service, mine.key)).toBe(false);
  });

  it('says that an unknown or ended interaction can not be claimed', async () => {
    const ended = await startInteraction(floor.db.service, floor.agent);
    await completeInteraction(floor.db.service, {
      ...ended.key,
      status: 'completed',
      endReason: 'customer_left',
    });
    const claim = (interactionId: string) =>
      claimInteraction(floor.db.service, { interactionId, workerId: 'w', leaseSeconds: 30 });
    expect(await claim(ended.id)).toEqual({ claimed: false, reason: 'ended' });
    expect(await claim('00000000-0000-4000-8000-000000000000')).toEqual({
      claimed: false,
      reason: 'not_found',
    });
  });

  it('refuses every write of a replaced session', async () => {
    const old = await startInteraction(floor.db.service, floor.agent);
    const call = await requestToolCall(floor.db.service, newCall(old, { requires_permission: false }));
    await releaseLease(floor.db.service, old.key);
    await claimInteraction(floor.db.service, { interactionId: old.id, workerId: 'b', leaseSeconds: 30 });
    const { service } = floor.db;
    const callId = call.call.call_id;

    expect(
      await appendRecords(service, [
        {
          interaction_id: old.id,
          generation: 1,
          messages: [{ item_id: 'x', role: 'agent', content: 'late' }],
        },
      ]),
    ).toEqual([{ interaction_id: old.id, stored: false, reason: 'stale' }]);
    expect(
      await recordMetrics(service, [
        {
          interaction_id: old.id,
          generation: 1,
          timestamp: new Date().toISOString(),
          sentiment: 'good',
          satisfaction_score: 50,
          feed_text: '',
        },
      ]),
    ).toEqual({ stored: 0, refused: 1 });
    expect(await startToolCall(service, { ...old.key, callId, argumentsHash: 'hash-of-1042' })).toMatchObject(
      { started: false, reason: 'stale' },
    );
    const refused = [
      () => requestToolCall(service, newCall(old)),
      () => finishToolCall(service, { ...old.key, callId, state: 'failed' }),
      () => setPhoneNumber(service, { ...old.key, phoneNumber: '+31201234567', source: 'claimed' }),
      () => requestSupervisor(service, { ...old.key, reason: 'help' }),
      () => completeInteraction(service, { ...old.key, status: 'completed', endReason: 'x' }),
      () => withdrawPermissions(service, old.key),
    ];
    for (const attempt of refused) await expect(attempt()).rejects.toEqual(code('stale_generation'));
    expect((await pollSessions(service, [old.key]))[0]).toMatchObject({ held: false });
  });

  it('ends what nobody joined or carried on, and leaves who waits in the room', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id });
    const create = async () =>
      (await createInteraction(floor.db.service, newInteraction(agent))).interaction_id;
    const [gone, waiting, fresh] = [await create(), await create(), await create()];
    const lost = await startInteraction(floor.db.service, agent);
    await floor.db
      .sql`update interactions set queued_at = now() - interval '10 minutes' where id = any(${[gone, waiting]})`;
    await floor.db.sql`update interactions set lease_until = now() - interval '1 hour' where id = ${lost.id}`;
    const reaped = await reapUnjoined(floor.db.service, { afterSeconds: 120, present: [waiting] });
    expect(reaped).toEqual(expect.arrayContaining([gone, lost.id]));
    expect(reaped).not.toContain(waiting);
    expect(reaped).not.toContain(fresh);
    const rows = await floor.db.sql`select status, end_reason from interactions where id = ${gone}`;
    expect(rows[0]).toEqual({ status: 'failed', end_reason: 'nobody_joined' });
  });
});

describe('records', () => {
  it('keeps order, drops repeats, and corrects an interrupted utterance', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const batch = {
      interaction_id: id,
      generation: key.generation,
      messages: [
        { item_id: 'a', role: 'agent' as const, content: 'Hello, how can I' },
        { item_id: 'b', role: 'customer' as const, content: 'Hi', metadata: { via: 'chat' } },
      ],
      steps: [{ step_id: 's1', step_type: 'llm_call', duration_ms: 12.6, tokens_input: 3 }],
    };
    for (let n = 0; n < 2; n += 1) {
      expect(await appendRecords(floor.db.service, [batch])).toEqual([{ interaction_id: id, stored: true }]);
    }
    await appendRecords(floor.db.service, [
      {
        ...batch,
        steps: [],
        messages: [{ item_id: 'a', role: 'agent', content: 'Hello, how', interrupted: true }],
      },
    ]);
    const messages = await floor.db.sql`
      select seq::int, item_id, content, interrupted from interaction_messages where interaction_id = ${id} order by seq`;
    expect([...messages]).toEqual([
      { seq: 1, item_id: 'a', content: 'Hello, how', interrupted: true },
      { seq: 2, item_id: 'b', content: 'Hi', interrupted: false },
    ]);
    const steps = await floor.db.sql`select duration_ms from interaction_steps where interaction_id = ${id}`;
    expect([...steps]).toEqual([{ duration_ms: 13 }]);
  });

  it('stores what PostgreSQL would refuse, without the part it refuses', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const content = 'a\u0000b\ud800c';
    const [stored] = await appendRecords(floor.db.service, [
      {
        interaction_id: id,
        generation: key.generation,
        messages: [{ item_id: 'x', role: 'customer', content }],
      },
    ]);
    expect(stored?.stored).toBe(true);
    const [row] = await floor.db.sql`select content from interaction_messages where interaction_id = ${id}`;
    expect(row?.content).toBe('ab\ufffdc');
  });

  it('orders 40 writers of one interaction without a gap', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        appendRecords(floor.db.service, [
          {
            interaction_id: id,
            generation: key.generation,
            messages: [{ item_id: `m${n}`, role: 'customer', content: `${n}` }],
          },
        ]),
      ),
    );
    const [row] = await floor.db.sql`
      select count(*)::int as n, max(seq)::int as last from interaction_messages where interaction_id = ${id}`;
    expect(row).toEqual({ n: 40, last: 40 });
  });

  it('still takes the last words after the end, but no metrics', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'customer_left' });
    const metric = {
      interaction_id: id,
      generation: 1,
      timestamp: new Date().toISOString(),
      sentiment: 'good' as const,
      satisfaction_score: 80,
      feed_text: 'x',
    };
    expect(await recordMetrics(floor.db.service, [metric])).toEqual({ stored: 0, refused: 1 });
    const [stored] = await appendRecords(floor.db.service, [
      { interaction_id: id, generation: 1, messages: [{ item_id: 'bye', role: 'agent', content: 'Bye' }] },
    ]);
    expect(stored?.stored).toBe(true);
  });

  it('takes a metrics batch twice and keeps it once, with at most 120 characters', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const metric = {
      interaction_id: id,
      generation: key.generation,
      timestamp: new Date().toISOString(),
      sentiment: 'critical' as const,
      satisfaction_score: 12.345,
      feed_text: 'y'.repeat(300),
    };
    expect(await recordMetrics(floor.db.service, [metric])).toEqual({ stored: 1, refused: 0 });
    expect(await recordMetrics(floor.db.service, [metric])).toEqual({ stored: 1, refused: 0 });
    const rows = await floor.db
      .sql`select length(feed_text)::int as n from realtime_metrics where interaction_id = ${id}`;
    expect([...rows]).toEqual([{ n: 120 }]);
  });

  it('links the customer by number, and keeps a trusted number over a claimed one', async () => {
    const { key } = await startInteraction(floor.db.service, floor.agent);
    const set = (phoneNumber: string, source: 'claimed' | 'sip' | 'verified') =>
      setPhoneNumber(floor.db.service, { ...key, phoneNumber, source });
    const first = await set('+31612345678', 'claimed');
    expect(first).toMatchObject({ stored: true, phone_source: 'claimed', customer_id: expect.any(String) });
    expect(await set('+31612345678', 'verified')).toMatchObject({
      phone_source: 'verified',
      customer_id: first.customer_id,
    });
    expect(await set('+31687654321', 'claimed')).toMatchObject({
      stored: false,
      reason: 'trusted_number_kept',
      phone_number: '+31612345678',
    });
    expect(await set('+31612345678', 'claimed')).toMatchObject({ stored: true, phone_source: 'verified' });
    await expect(set('12', 'claimed')).rejects.toEqual(code('invalid_phone_number'));
  });

  it('knows whether a supervisor is there', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await floor.db.sql`update users set last_seen_at = null`;
    const ask = () => requestSupervisor(floor.db.service, { ...key, reason: 'wants a human' });
    expect(await ask()).toEqual({ supervisor_present: false });
    await touchPresence(floor.colleague.client);
    expect(await ask()).toEqual({ supervisor_present: false });
    await touchPresence(floor.cover.client);
    expect(await ask()).toEqual({ supervisor_present: true });
    const [row] = await floor.db
      .sql`select supervisor_request_reason as reason from interactions where id = ${id}`;
    expect(row).toEqual({ reason: 'wants a human' });
  });
});

describe('the end', () => {
  const metric = (id: string, n: number, sentiment: 'good' | 'neutral' | 'critical', score: number) => ({
    interaction_id: id,
    generation: 1,
    timestamp: new Date(Date.UTC(2030, 0, 1, 0, 0, n * 5)).toISOString(),
    sentiment,
    satisfaction_score: score,
    feed_text: `tick ${n}`,
  });

  it('archives the facts, reduces the metrics, and settles what was open', async () => {
    const { service, sql } = floor.db;
    const { id, key } = await startInteraction(service, floor.agent);
    await appendRecords(service, [
      {
        interaction_id: id,
        generation: 1,
        messages: [
          { item_id: '1', role: 'customer', content: 'Hi' },
          { item_id: '2', role: 'agent', content: 'Hello' },
        ],
      },
    ]);
    await recordMetrics(service, [
      metric(id, 0, 'neutral', 50),
      metric(id, 1, 'critical', 20),
      metric(id, 2, 'good', 80),
    ]);
    const running = await requestToolCall(service, newCall({ key }, { requires_permission: false }));
    await startToolCall(service, { ...key, callId: running.call.call_id, argumentsHash: 'hash-of-1042' });
    const gated = await gatedCall(service, { key });

    const { archive, already } = await completeInteraction(service, {
      ...key,
      status: 'completed',
      endReason: 'customer_left',
    });
    expect(already).toBe(false);
    expect(archive).toMatchObject({
      summary_source: 'facts',
      csat_score: 50,
      csat_source: 'metrics',
      fcr_status: true,
      issues: [],
      tags: { sentiment: 'good', topics: [], issues: [] },
      facts: {
        messages: { customer: 1, agent: 1, supervisor: 0 },
        tool_calls: { unknown: 1, refused: 1 },
        permissions: { withdrawn: 1 },
        sentiment: { good: 1, neutral: 1, critical: 1, last: 'good', satisfaction_lowest: 20 },
      },
      metrics_series: {
        points: 3,
        sentiment: 'ncg',
        satisfaction: [50, 20, 80],
        offset_seconds: [0, 5, 10],
        last_feed_text: 'tick 2',
      },
    });
    expect(archive?.summary).toMatch(
      /^Chat of \d+ s: 1 message from the customer, 1 from the agent; tool calls: 1 refused, 1 unknown\. Ended: customer left\.$/,
    );
    const [row] =
      await sql`select status, paused, worker_id, end_reason, duration_seconds is not null as timed from interactions where id = ${id}`;
    expect(row).toEqual({
      status: 'completed',
      paused: false,
      worker_id: null,
      end_reason: 'customer_left',
      timed: true,
    });
    const [left] = await sql`select count(*)::int as n from realtime_metrics where interaction_id = ${id}`;
    expect(left).toEqual({ n: 0 });
    const [permission] = await sql`select status from tool_permissions where id = ${gated.permissionId}`;
    expect(permission).toEqual({ status: 'withdrawn' });
  });

  it('happens once, whoever of 20 says it', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const ends = await Promise.all(
      Array.from({ length: 20 }, () =>
        completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'customer_left' }),
      ),
    );
    expect(ends.filter(({ already }) => !already)).toHaveLength(1);
    expect(new Set(ends.map(({ archive }) => archive?.id)).size).toBe(1);
    const [row] = await floor.db
      .sql`select count(*)::int as n from interaction_archives where interaction_id = ${id}`;
    expect(row).toEqual({ n: 1 });
  });

  it('keeps at most 600 points of a long series', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await recordMetrics(
      floor.db.service,
      Array.from({ length: 1500 }, (_, n) => metric(id, n, 'good', 70)),
    );
    const { archive } = await completeInteraction(floor.db.service, {
      ...key,
      status: 'completed',
      endReason: 'x',
    });
    expect(archive?.metrics_series).toMatchObject({ points: 500, last_feed_text: 'tick 1497' });
  });

  const result = {
    summary: 'Asked for a refund.',
    issues: [{ issue: 'Refund', status: 'resolved' as const, priority: 'high' as const }],
    tags: {
      topics: ['billing'],
      sentiment: 'good',
      issues: [{ tag: 'refund', status: 'resolved' as const }],
    },
    csat_score: 90,
  };

  async function endedAt(vocabulary: { topics: string[]; issues: string[] }) {
    const business = await floor.db.createBusiness({ tagVocabulary: vocabulary });
    const agent = await floor.db.createAgent({ businessId: business.id });
    const interaction = await startInteraction(floor.db.service, agent);
    const { key } = interaction;
    await completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'x' });
    return { ...interaction, businessId: business.id };
  }

  it('takes the words of a model into the archive', async () => {
    const { id } = await endedAt({ topics: ['billing'], issues: ['refund'] });
    expect(await updateArchive(floor.db.service, { interactionId: id, result })).toMatchObject({
      summary: 'Asked for a refund.',
      summary_source: 'model',
      csat_score: 90,
      csat_source: 'model',
      tags: result.tags,
    });
  });

  it('refuses tags outside the vocabulary, and extends it by declared ones', async () => {
    const { id, businessId } = await endedAt({ topics: ['billing'], issues: [] });
    const attempt = updateArchive(floor.db.service, { interactionId: id, result });
    await expect(attempt).rejects.toMatchObject({
      code: 'archive_invalid',
      details: { unknown: ['refund'] },
    });
    await updateArchive(floor.db.service, {
      interactionId: id,
      result: { ...result, tags: { ...result.tags, new_issue_tags: ['refund'] } },
    });
    const [row] = await floor.db.sql`select tag_vocabulary as v from businesses where id = ${businessId}`;
    expect(row?.v).toEqual({ topics: ['billing'], issues: ['refund'] });
  });

  it.each([
    ['an empty summary', { ...result, summary: ' ' }],
    ['an issue of no status', { ...result, issues: [{ issue: 'x', priority: 'low' }] }],
    ['tags of another form', { ...result, tags: { topics: 'billing', issues: [] } }],
  ])('refuses %s and keeps the facts', async (_, bad) => {
    const { id } = await endedAt({ topics: ['billing'], issues: ['refund'] });
    const attempt = updateArchive(floor.db.service, { interactionId: id, result: bad as typeof result });
    await expect(attempt).rejects.toEqual(code('archive_invalid'));
    const [row] = await floor.db
      .sql`select summary_source as source from interaction_archives where interaction_id = ${id}`;
    expect(row).toEqual({ source: 'facts' });
  });

  it("counts the customer's own rating over any estimate, before or after", async () => {
    const { service } = floor.db;
    const token = { resume_token_hash: 'mine' };
    const before = await startInteraction(service, floor.agent, token);
    await rateInteraction(service, { interactionId: before.id, resumeTokenHash: 'mine', score: 4 });
    const { archive } = await completeInteraction(service, {
      ...before.key,
      status: 'completed',
      endReason: 'x',
    });
    expect(archive).toMatchObject({ csat_score: 75, csat_source: 'customer' });

    const { id } = await endedAt({ topics: ['billing'], issues: ['refund'] });
    await floor.db.sql`update interactions set resume_token_hash = 'mine' where id = ${id}`;
    await rateInteraction(service, { interactionId: id, resumeTokenHash: 'mine', score: 1, comment: 'no' });
    expect(await updateArchive(service, { interactionId: id, result })).toMatchObject({
      csat_score: 0,
      csat_source: 'customer',
    });
    const other = rateInteraction(service, { interactionId: id, resumeTokenHash: 'other', score: 1 });
    await expect(other).rejects.toEqual(code('resume_token_invalid'));
    const six = rateInteraction(service, { interactionId: id, resumeTokenHash: 'mine', score: 6 });
    await expect(six).rejects.toEqual(code('invalid_rating'));
  });

  it('lets a customer find the conversation again with the token only', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent, { resume_token_hash: 'secret' });
    const resume = (resumeTokenHash: string) =>
      resumeInteraction(floor.db.service, { interactionId: id, resumeTokenHash });
    expect(await resume('secret')).toEqual({
      interaction_id: id,
      room: `fw-${id}`,
      status: 'active',
      agent_type: 'chat',
    });
    await expect(resume('guess')).rejects.toEqual(code('resume_token_invalid'));
  });

  it('can be asked for by a supervisor: seen by the poll, or done at once when nobody carries it', async () => {
    const active = await startInteraction(floor.db.service, floor.agent);
    await requestEnd(floor.supervisor.client, { interactionId: active.id, reason: 'abuse' });
    const [polled] = await pollSessions(floor.db.service, [active.key]);
    expect(polled).toMatchObject({ held: true, end_requested_reason: 'abuse' });
    const queued = await createInteraction(floor.db.service, newInteraction(floor.agent));
    const ended = await requestEnd(floor.admin.client, { interactionId: queued.interaction_id });
    expect(ended.status).toBe('failed');
    const again = requestEnd(floor.admin.client, { interactionId: queued.interaction_id });
    await expect(again).rejects.toEqual(code('interaction_ended'));
    const foreign = requestEnd(floor.stranger.client, { interactionId: active.id });
    await expect(foreign).rejects.toEqual(code('interaction_not_found'));
  });

  it('gets its disposition and notes from who may see it', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const set = setDisposition(floor.cover.client, {
      interactionId: id,
      disposition: 'solved',
      notes: 'nice',
    });
    expect(await set).toMatchObject({ disposition: 'solved', supervisor_notes: 'nice' });
    const foreign = setDisposition(floor.colleague.client, { interactionId: id, disposition: 'x' });
    await expect(foreign).rejects.toEqual(code('interaction_not_found'));
  });
});
