import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readConversations } from '../../scripts/train-scorer/read-material.ts';
import { describeFeed, FEED_LIMIT, type FeedState } from '../../src/scoring/feed.ts';
import type { Turn } from '../../src/scoring/types.ts';

const QUIET: FeedState = {
  control: 'agent',
  customerSilentMs: 0,
  agentSpeaking: false,
  customerSpeaking: false,
  supervisorRequested: false,
};

function customer(...texts: string[]): Turn[] {
  return texts.map((text) => ({ role: 'customer', text }));
}

describe('the feed line', () => {
  it('says what is asked for and what is waited for', () => {
    const turns = customer('hi i want my money back for order 1042 please');
    const waitingPermission = { toolName: 'refund_order', arguments: { order_number: '1042' } };
    expect(describeFeed(turns, { ...QUIET, waitingPermission })).toBe(
      'Asks for a refund of order 1042; waiting for permission to refund_order',
    );
  });

  it.each([
    ['hello where is my order number 55120 it should be here by now', /Asks where order 55120 is/],
    ['i want to cancel my order it is number 8812', /Wants to cancel order 8812/],
    ["I can't log in, it says my password is wrong", /Can't get into the account/],
    ['you charged me twice 49.90 euros', /charged 49.90 euros twice/],
    ['somebody used my card in another country', /not theirs/],
    ['my internet is down since this morning', /internet/],
    ['the sofa you delivered has a crack in the leg', /damaged sofa/],
    ['can i move my appointment to friday', /appointment/],
    ['i got the wrong item in my package', /wrong item/],
    ['i moved house can you change the address', /address/],
    ['i want to cancel my subscription', /cancel a contract/],
    ['let me speak to a human', /speak to a person/],
    ['hello', /Says hello/],
  ])('recognises "%s"', (text, expected) => {
    expect(describeFeed(customer(text), QUIET)).toMatch(expected);
  });

  it('keeps the subject while details are exchanged', () => {
    const turns: Turn[] = [
      { role: 'customer', text: 'id like a refund for my headphones' },
      { role: 'agent', text: 'What is the order number?' },
      { role: 'customer', text: 'one oh four two' },
    ];
    expect(describeFeed(turns, QUIET)).toMatch(/^Asks for a refund of order 1042/);
  });

  it.each<[Partial<FeedState>, RegExp]>([
    [{ runningTool: 'track_shipping' }, /; running track_shipping$/],
    [{ supervisorRequested: true }, /; waiting for a supervisor$/],
    [{ control: 'supervisor' }, /; a supervisor has taken over$/],
    [{ customerSpeaking: true }, /; customer is speaking$/],
    [{ agentSpeaking: true }, /; agent is answering$/],
    [{ ended: true }, /; conversation has ended$/],
    [{}, /; agent is working on an answer$/],
  ])('names what %j waits for', (state, expected) => {
    expect(describeFeed(customer('where is my order 1042'), { ...QUIET, ...state })).toMatch(expected);
  });

  it('names a silent customer and what the agent asked for', () => {
    const turns: Turn[] = [
      ...customer('where is my parcel'),
      { role: 'agent', text: 'Could I have your order number?' },
    ];
    expect(describeFeed(turns, QUIET)).toMatch(/waiting for the order number$/);
    expect(describeFeed(turns, { ...QUIET, customerSilentMs: 26_000 })).toMatch(/customer silent for 25 s$/);
  });

  it('says that nothing was said yet', () => {
    expect(describeFeed([], QUIET)).toBe(
      "Conversation has just begun; waiting for the customer's first words",
    );
  });

  it('marks a repeat contact and a threat', () => {
    expect(
      describeFeed(customer('this is the third time im calling my router is not working'), QUIET),
    ).toMatch(/^Repeat contact: /);
    expect(describeFeed(customer('my refund', 'you will hear from my solicitor'), QUIET)).toMatch(/legal/);
  });

  it('names no phone number, e-mail address, card or name', () => {
    const turns = customer(
      'my name is Barbara Holmgren, order 1042, call me at +49 171 2345678 or 0171 2345678',
      'mail barbara.holmgren@example.com, card 4111 1111 1111 1111, i want a refund of order 1042',
    );
    const waitingPermission = {
      toolName: 'refund_order',
      arguments: { order: '1042', email: 'barbara.holmgren@example.com', reason: 'Barbara says it broke' },
    };
    for (const state of [QUIET, { ...QUIET, waitingPermission }]) {
      const line = describeFeed(turns, state);
      expect(line).toContain('1042');
      expect(line).not.toMatch(/barbara|holmgren|example|171|2345678|4111|1111/i);
    }
  });

  it('takes no order number from a phone number that answers the question for one', () => {
    const turns: Turn[] = [
      ...customer('where is my order'),
      { role: 'agent', text: 'What is your order number?' },
      ...customer('i only have my phone number 0171 2345678'),
    ];
    expect(describeFeed(turns, QUIET)).not.toMatch(/\d{4}/);
  });

  it('stays within its limit and is no copy, on every turn of the labelled conversations', () => {
    const folder = new URL('./conversations/', import.meta.url);
    const lines = new Set<string>();
    for (const name of readdirSync(folder)) {
      for (const { turns } of readConversations(readFileSync(new URL(name, folder), 'utf8'), name)) {
        for (let length = 1; length <= turns.length; length += 1) {
          const seen = turns.slice(0, length);
          const waitingPermission = { toolName: `refund_${'x'.repeat(60)}`, arguments: {} };
          for (const state of [QUIET, { ...QUIET, waitingPermission }]) {
            const line = describeFeed(seen, state);
            expect(line.length).toBeLessThanOrEqual(FEED_LIMIT);
            expect(line).not.toMatch(/\n|undefined|NaN/);
            const newest = seen.at(-1)?.text ?? '';
            if (newest.length > 25)
              expect(line.toLowerCase()).not.toContain(newest.toLowerCase().slice(0, 25));
          }
          lines.add(describeFeed(seen, QUIET));
        }
      }
    }
    // A line that fits everything says nothing: the conversations are about a hundred different things.
    expect(lines.size).toBeGreaterThan(120);
  });

  it('reads a very long message in no time', () => {
    const turns = customer('my order is late '.repeat(6_000));
    const started = performance.now();
    expect(describeFeed(turns, QUIET).length).toBeLessThanOrEqual(FEED_LIMIT);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
