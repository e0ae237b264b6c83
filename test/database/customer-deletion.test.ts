import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateArchive } from '../../src/database/archives.ts';
import { completeCallback, requestCallback } from '../../src/database/callbacks.ts';
import { deleteCustomer, deleteCustomerAsOperator } from '../../src/database/deletions.ts';
import { completeInteraction, rateInteraction, requestEnd } from '../../src/database/interactions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { type Floor, gatedCall, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

/** A conversation in which the customer's number and words are in every place there is for them. */
async function talkative(phone: string, words: string) {
  const { db, agent, supervisor } = floor;
  const token = `hash-${randomUUID()}`;
  const mine = await startInteraction(db.service, agent, { phone_number: phone, resume_token_hash: token });
  const { permissionId } = await gatedCall(db.service, mine, { arguments: { note: words, phone } });
  await supervisor.client.rpc('decide_permission', {
    p_permission_id: permissionId,
    p_decision: 'denied',
    p_note: words,
  });
  const batch = {
    interaction_id: mine.id,
    generation: 1,
    messages: [{ item_id: 'a', role: 'customer' as const, content: words }],
    steps: [{ step_id: 's', step_type: 'tool_result', output: { words, phone } }],
  };
  await appendRecords(db.service, [batch]);
  await recordMetrics(db.service, [
    {
      interaction_id: mine.id,
      generation: 1,
      timestamp: new Date().toISOString(),
      sentiment: 'critical',
      satisfaction_score: 20,
      feed_text: words,
    },
  ]);
  const whispered = await supervisor.client.rpc('whisper', { p_interaction_id: mine.id, p_text: words });
  expect(whispered.error).toBeNull();
  const { id: callbackId } = await requestCallback(db.service, {
    ...mine.key,
    reason: words,
    phoneNumber: phone,
    preferredTime: words,
  });
  await completeCallback(supervisor.client, { callbackId, note: words });
  await requestEnd(supervisor.client, { interactionId: mine.id, reason: words });
  await supervisor.client.rpc('set_disposition', {
    p_interaction_id: mine.id,
    p_disposition: words,
    p_notes: words,
  });
  const finish = async () => {
    await completeInteraction(db.service, { ...mine.key, status: 'completed', endReason: words });
    await updateArchive(db.service, {
      interactionId: mine.id,
      result: { summary: words, issues: [], tags: { topics: [], issues: [] } },
    });
    await rateInteraction(db.service, {
      interactionId: mine.id,
      resumeTokenHash: token,
      score: 2,
      comment: words,
    });
  };
  return { ...mine, batch, finish };
}

/** Every row of every table of ours, as one text. */
async function everything(): Promise<string> {
  const tables = await floor.db.sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
    where relkind = 'r' and relnamespace in ('public'::regnamespace, 'floorwalker'::regnamespace)`;
  const texts = await Promise.all(
    tables.map(({ name }) =>
      floor.db.sql.unsafe(`select coalesce(string_agg(t::text, '|'), '') as all from ${name} t`),
    ),
  );
  return texts.map(([row]) => String(row?.all)).join('\n');
}

describe('deleting a customer', () => {
  it('leaves nothing of them anywhere in the database, and a receipt that proves it', async () => {
    const phone = '+31611111111';
    const words = 'My neighbour Wilhelmina stole the parcel';
    const conversation = await talkative(phone, words);
    await conversation.finish();
    const other = await talkative('+31622222222', 'Somebody else entirely');
    await other.finish();
    expect(await everything()).toContain('Wilhelmina');

    const receipt = await deleteCustomer(floor.admin.client, { phone_number: phone });

    const left = await everything();
    expect(left).not.toContain('Wilhelmina');
    expect(left).not.toContain(phone);
    expect(left).toContain('Somebody else entirely');
    expect(receipt.counts).toMatchObject({
      customers: 1,
      interactions: 1,
      interaction_messages: 1,
      interaction_archives: 1,
      tool_calls: 1,
      tool_permissions: 1,
      whispers: 1,
      callback_requests: 1,
    });
    expect(receipt).toMatchObject({ deleted_by: floor.admin.id, deleted_by_name: floor.admin.name });
    const proof = createHash('sha256').update(`${receipt.subject_nonce}:${phone}`).digest('hex');
    expect(receipt.subject_hash).toBe(proof);
    expect(left).not.toContain(receipt.subject_nonce);
    // What happened is still known: who ended and decided, and that the data was deleted.
    const audit = await floor.db.sql`
      select action, actor_id, details from audit_events
      where subject_id = ${conversation.id} or subject_id = ${receipt.id} order by id`;
    expect(audit.map(({ action }) => action)).toEqual([
      'interaction.whisper',
      'interaction.end_requested',
      'interaction.disposition',
      'customer.deleted',
    ]);
    expect(audit[0]).toMatchObject({
      actor_id: floor.supervisor.id,
      details: { deleted_by_receipt: receipt.id },
    });
  });

  it('refuses while a conversation goes on, and says which; afterwards a stopped session writes nothing again', async () => {
    const phone = '+31633333333';
    const mine = await talkative(phone, 'Still talking');
    await expect(deleteCustomer(floor.admin.client, { phone_number: phone })).rejects.toMatchObject({
      code: 'customer_in_conversation',
      details: { interaction_ids: [mine.id] },
    });
    await mine.finish();
    await deleteCustomer(floor.admin.client, { phone_number: phone });
    const [stored] = await appendRecords(floor.db.service, [mine.batch]);
    expect(stored).toMatchObject({ stored: false, reason: 'stale' });
    await expect(
      updateArchive(floor.db.service, {
        interactionId: mine.id,
        result: { summary: 'Still talking', issues: [], tags: { topics: [], issues: [] } },
      }),
    ).rejects.toMatchObject({ code: 'archive_not_found' });
    const again = await completeInteraction(floor.db.service, {
      ...mine.key,
      status: 'completed',
      endReason: 'x',
    });
    expect(again).toMatchObject({ archive: null, already: true });
    expect(await everything()).not.toContain('Still talking');
  });

  it('of one conversation whose number was never known, by an operator', async () => {
    const { db, agent, business } = floor;
    const mine = await startInteraction(db.service, agent);
    await completeInteraction(db.service, { ...mine.key, status: 'completed', endReason: 'customer_left' });
    const subject = { interaction_id: mine.id };
    const receipt = await deleteCustomerAsOperator(db.service, { business_slug: business.slug }, subject);
    expect(receipt).toMatchObject({
      subject_kind: 'interaction',
      deleted_by: null,
      deleted_by_name: 'operator',
      counts: { interactions: 1, interaction_archives: 1 },
    });
    await expect(
      deleteCustomerAsOperator(db.service, { business_slug: business.slug }, subject),
    ).rejects.toMatchObject({ code: 'interaction_not_found' });
  });

  it('is for admins of the business alone', async () => {
    const phone = '+31644444444';
    const mine = await talkative(phone, 'x');
    await mine.finish();
    const refused = { code: 'not_allowed' };
    await expect(deleteCustomer(floor.supervisor.client, { phone_number: phone })).rejects.toMatchObject(
      refused,
    );
    for (const subject of [{ phone_number: phone }, { interaction_id: mine.id }]) {
      const code = 'phone_number' in subject ? 'customer_not_found' : 'interaction_not_found';
      await expect(deleteCustomer(floor.strangeAdmin.client, subject)).rejects.toMatchObject({ code });
    }
    const [row] = await floor.db.sql`select phone_number from interactions where id = ${mine.id}`;
    expect(row?.phone_number).toBe(phone);
  });

  it('wants exactly one name of whom it is about', async () => {
    const { error } = await floor.admin.client.rpc('delete_customer', {
      p_subject: { phone_number: '+31655555555', interaction_id: randomUUID() },
    });
    expect(error?.message).toBe('invalid_request');
  });

  it('leaves receipts and the audit log that nobody can alter, not even with the secret key', async () => {
    const { db } = floor;
    const mine = await startInteraction(db.service, floor.agent);
    await completeInteraction(db.service, { ...mine.key, status: 'completed', endReason: 'x' });
    const subject = { interaction_id: mine.id };
    const { id } = await deleteCustomerAsOperator(db.service, { business_id: floor.business.id }, subject);
    const { error } = await db.service.from('deletion_receipts').delete().eq('id', id);
    expect(error).not.toBeNull();
    await expect(db.sql`delete from deletion_receipts where id = ${id}`).rejects.toThrow('audit_append_only');
    await expect(db.sql`update audit_events set action = 'x.y'`).rejects.toThrow('audit_append_only');
    await expect(db.sql`update audit_events set details = '{"deleted_by_receipt": "none"}'`).rejects.toThrow(
      'audit_append_only',
    );
  });
});
