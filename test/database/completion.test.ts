import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateArchive } from '../../src/database/archives.ts';
import {
  completeInteraction,
  createInteraction,
  pollSessions,
  rateInteraction,
  requestEnd,
  resumeInteraction,
  setDisposition,
} from '../../src/database/interactions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { requestToolCall, startToolCall } from '../../src/database/tool-calls.ts';
import { type Floor, gatedCall, newCall, newInteraction, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const code = (expected: string) => expect.objectContaining({ code: expected });

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
      position: 0,
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
