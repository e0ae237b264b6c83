import { describe, expect, test } from 'vitest';
import { canonicalHash, hashToolCall } from '../../src/tools/canonical-hash.ts';
import { readPermission } from '../../src/tools/gate.ts';
import type { PolledPermission } from '../../src/tools/ledger-types.ts';

const call = {
  businessId: 'business',
  interactionId: 'interaction',
  callId: 'call-1',
  toolName: 'refund',
  definitionHash: 'definition',
  arguments: { order: 7, amount: 5 },
};
const request = { ...call, argumentsHash: hashToolCall(call) };
const permission = (given: Partial<PolledPermission>): PolledPermission => ({
  id: 'p',
  call_id: 'call-1',
  status: 'allowed',
  expires_at: '2026-01-01T00:00:00Z',
  ...given,
});

describe('the gate', () => {
  test('opens for what was asked', () => {
    expect(readPermission(request, permission({}))).toEqual({
      kind: 'run',
      arguments: request.arguments,
      hash: request.argumentsHash,
      edited: false,
    });
  });

  test.each(['denied', 'timeout', 'withdrawn'] as const)('stays shut on %s', (status) => {
    expect(readPermission(request, permission({ status, note: 'why' }))).toEqual({
      kind: 'refuse',
      reason: status,
      note: 'why',
    });
  });

  test('waits while nobody has decided, and for the row of its own call', () => {
    expect(readPermission(request, permission({ status: 'pending' }))).toEqual({ kind: 'wait' });
    expect(readPermission(request, permission({ call_id: 'call-2' }))).toEqual({ kind: 'wait' });
  });

  test("opens for the approver's edit with the edit's own hash only", () => {
    const edited = { order: 7, amount: 4 };
    const hash = hashToolCall({ ...call, arguments: edited });
    const allowed = permission({ edited_arguments: edited, edited_hash: hash });
    expect(readPermission(request, allowed)).toEqual({ kind: 'run', arguments: edited, hash, edited: true });
    for (const wrong of [
      null,
      undefined,
      '',
      request.argumentsHash,
      hashToolCall({ ...call, callId: 'call-2', arguments: edited }),
    ]) {
      expect(readPermission(request, { ...allowed, edited_hash: wrong })).toEqual({
        kind: 'refuse',
        reason: 'policy',
      });
    }
  });

  test.each([[[1]], 'text', 7, true])('stays shut on an edit that is no object: %j', (edited) => {
    const edited_hash = hashToolCall({ ...call, arguments: edited });
    expect(readPermission(request, permission({ edited_arguments: edited, edited_hash }))).toMatchObject({
      kind: 'refuse',
    });
  });

  test('stays shut on a status that nobody knows', () => {
    expect(readPermission(request, permission({ status: 'maybe' as never }))).toMatchObject({
      kind: 'refuse',
      reason: 'policy',
    });
  });
});

describe('the hash of a call', () => {
  test.each(Object.keys(call) as (keyof typeof call)[])('is another for another %s', (part) => {
    const other = { ...call, [part]: part === 'arguments' ? { order: 8, amount: 5 } : 'other' };
    expect(hashToolCall(other)).not.toBe(hashToolCall(call));
  });

  test('does not depend on the order of keys or the way numbers are written', () => {
    expect(canonicalHash(JSON.parse('{"b":1.0,"a":[1e2,-0]}'))).toBe(canonicalHash({ a: [100, 0], b: 1 }));
    expect(canonicalHash({ a: undefined, b: 1 })).toBe(canonicalHash({ b: 1 }));
  });

  test('is SHA-256 of the RFC 8785 form', () => {
    // printf '{"a":1,"\303\266":"\342\202\254"}' | sha256sum
    expect(canonicalHash({ ö: '€', a: 1 })).toBe(EXPECTED);
  });
});

const EXPECTED = '42db677e1eefcc13a6bad7bb13dd99440b98d4dac2d50318f22f05b4249b59fd';
