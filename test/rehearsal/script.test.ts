import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type RehearsalServer, startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import { refusedText, unavailableText, unknownOutcomeText } from '../../src/tools/outcome-text.ts';

let server: RehearsalServer;
beforeAll(async () => {
  server = await startRehearsal();
});
afterAll(() => server.stop());

const answerSchema = z.object({
  model: z.string(),
  choices: z.tuple([
    z.object({
      message: z.object({
        content: z.string().nullable(),
        tool_calls: z
          .array(
            z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }),
          )
          .default([]),
      }),
    }),
  ]),
});

async function complete(body: object) {
  const response = await fetch(`${server.openaiBaseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'gpt-4.1', ...body }),
  });
  expect(response.status).toBe(200);
  return answerSchema.parse(await response.json());
}

const string = { type: 'string' };
const order = {
  properties: { order_number: { type: 'integer' }, reason: string },
  required: ['order_number'],
};
const reason = { properties: { reason: string }, required: ['reason'] };
const TOOLS: Record<string, object> = {
  find_order: { properties: { order_number: { type: 'integer' } } },
  track_shipping: order,
  refund_order: { ...order, properties: { ...order.properties, amount: { type: 'number' } } },
  cancel_order: order,
  record_phone_number: { properties: { phone_number: string }, required: ['phone_number'] },
  request_supervisor: reason,
  end_interaction: reason,
};

const FOUND = (status = 'delivered', refundable = '59.90 EUR') =>
  JSON.stringify({
    orders: [
      {
        order_number: 1042,
        status,
        placed_on: '2026-01-02',
        items: [
          { name: 'Fountain pen', quantity: 1, price: '39.90 EUR' },
          { name: 'Ink bottle', quantity: 2, price: '10.00 EUR' },
        ],
        total: '59.90 EUR',
        refunded: '0.00 EUR',
        refundable,
      },
    ],
  });

/** A conversation as the worker holds it: every request carries all of it, and tools answer as given. */
function talk(options: { system?: string; outputs?: Record<string, string>; holding?: string } = {}) {
  const messages: object[] = [{ role: 'system', content: options.system ?? 'You answer for a shop.' }];
  const calls: { name: string; args: unknown }[] = [];
  let tools = Object.entries(TOOLS).map(([name, parameters]) => ({
    type: 'function',
    function: { name, description: name, parameters: { type: 'object', ...parameters } },
  }));
  const go = async (): Promise<string> => {
    let said = '';
    for (let step = 0; step < 5; step += 1) {
      const [{ message }] = (await complete({ messages, tools })).choices;
      said = [said, message.content].filter(Boolean).join(' ');
      if (message.content !== null || message.tool_calls.length > 0)
        messages.push({ role: 'assistant', ...message });
      if (message.tool_calls.length === 0) return said;
      for (const call of message.tool_calls) {
        const { name } = call.function;
        calls.push({ name, args: JSON.parse(call.function.arguments) });
        messages.push({ role: 'tool', tool_call_id: call.id, content: options.outputs?.[name] ?? 'Stored.' });
      }
      if (options.holding) messages.push({ role: 'assistant', content: options.holding });
    }
    throw new Error('the script calls tools without end');
  };
  return {
    calls,
    messages,
    says: (text: string) => {
      messages.push({ role: 'user', content: text });
      return go();
    },
    go,
    offerOnly: (...names: string[]) => {
      tools = names.map((name) => ({
        type: 'function',
        function: { name, description: name, parameters: { type: 'object', ...reason } },
      }));
    },
  };
}

describe('the scripted support agent', () => {
  it('names itself in its answer and in its first words, and only there', async () => {
    const first = await complete({ messages: [{ role: 'user', content: 'Hi' }] });
    expect(first.model).toBe('rehearsal-model');
    const { says } = talk();
    expect(await says('Hello')).toMatch(/^\(Rehearsal model, a script\) Hello/);
    expect(await says('Thanks')).not.toContain('Rehearsal');
    expect(await says('Am I talking to a real person?')).toMatch(/rehearsal model: a script .* no person/);
  });

  it('looks the order up, says what it found, asks for a clear yes, and refunds', async () => {
    const refunded = JSON.stringify({ refunded_now: '59.90 EUR', order: JSON.parse(FOUND()).orders[0] });
    const { says, calls } = talk({ outputs: { find_order: FOUND(), refund_order: refunded } });
    expect(await says('Hi, I want a refund')).toMatch(/What is your order number\?$/);
    expect(await says('It is 1042, the pen arrived broken.')).toMatch(
      /I found your order\. Order 1042 is delivered: Fountain pen, 2 × Ink bottle, 59\.90 EUR in total\. Shall I request the refund of 59\.90 EUR for order 1042\?/,
    );
    expect(await says('Yes please')).toBe(
      'Good news: the refund went through. 59.90 EUR of order 1042 will be paid back. Is there anything else I can do for you?',
    );
    expect(await says("No thanks, that's all")).toBe('Thank you for contacting us. Goodbye! Goodbye.');
    expect(calls.map(({ name }) => name)).toEqual(['find_order', 'refund_order', 'end_interaction']);
    expect(calls[1]?.args).toEqual({ order_number: 1042, reason: 'It is 1042, the pen arrived broken.' });
  });

  it('understands a number that is said digit by digit', async () => {
    const { says, calls } = talk({
      outputs: {
        track_shipping: '{"order_number":1042,"status":"shipped","carrier":"DHL","expected_on":"2026-02-03"}',
      },
    });
    expect(await says('Where is my parcel? The order number is one, zero, four, two.')).toContain(
      'Order 1042 is shipped with DHL. It is expected on 2026-02-03.',
    );
    expect(calls).toEqual([
      { name: 'track_shipping', args: { order_number: 1042, reason: expect.any(String) } },
    ]);
  });

  it('cancels, and offers a refund where it is too late for that', async () => {
    const open = talk({ outputs: { find_order: FOUND('processing'), cancel_order: 'done' } });
    expect(await open.says('Please cancel order 1042')).toContain('Shall I cancel the order 1042?');
    expect(await open.says('yes')).toContain('the order is cancelled');
    const sent = talk({ outputs: { find_order: FOUND('shipped') } });
    expect(await sent.says('Please cancel order 1042')).toMatch(
      /can't be cancelled any more\. Shall I request the refund/,
    );
    expect(await sent.says('No, leave it')).toContain('leave everything as it is');
    expect(sent.calls).toHaveLength(1);
  });

  it.each([
    [
      'denied',
      refusedText('denied', 'Outside of 30 days.'),
      /not allowed to make the refund.*Outside of 30 days/,
    ],
    ['timeout', refusedText('timeout'), /nobody could approve it in time/],
    ['withdrawn', refusedText('withdrawn'), /taken the request back and nothing was changed/],
    ['unavailable', unavailableText('no connection'), /can't make the refund at the moment/],
    ['of unknown outcome', unknownOutcomeText(), /can't tell yet whether it worked/],
    [
      'refused by the shop',
      'The tool reported an error: Not refunded: at most 5.00 EUR of this order can be paid back.',
      /could not make the refund\. Not refunded: at most 5\.00 EUR/,
    ],
  ])(
    'explains a call that is %s, after holding words too, and does not repeat it',
    async (_what, output, words) => {
      const holding = 'I need a colleague’s approval for this, so I have just asked for it.';
      const { says, calls } = talk({ holding, outputs: { find_order: FOUND(), refund_order: output } });
      await says('Refund order 1042 please');
      expect(await says('Yes')).toMatch(words);
      expect(await says('Okay, thanks')).toMatch(/^You're welcome/);
      expect(calls.filter(({ name }) => name === 'refund_order')).toHaveLength(1);
    },
  );

  it('talks while a decision is awaited and withdraws the request when the customer asks', async () => {
    const waits = 'Not done yet: waiting for a supervisor to decide. Its result comes by itself.';
    const { says, calls, offerOnly, messages } = talk({
      outputs: { find_order: FOUND(), refund_order: waits },
    });
    await says('Refund order 1042 please');
    messages.push(
      { role: 'user', content: 'yes' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 'c9',
            type: 'function',
            function: { name: 'refund_order', arguments: '{"order_number":1042}' },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'c9', content: waits },
    );
    offerOnly('withdraw_request');
    expect(await says('How long will it take?')).toMatch(/still waiting for a decision on: refund order/);
    await says('Never mind, forget it');
    expect(calls.map(({ name }) => name)).toEqual(['find_order', 'withdraw_request']);
  });

  it('asks for the phone number where tools need it, stores it, and goes on with the matter', async () => {
    const system = "- The customer's phone number is not known yet. Ask for it early.";
    const { says, calls } = talk({ system, outputs: { find_order: FOUND() } });
    expect(await says('I want a refund for order 1042')).toMatch(/phone number, with the country code\?/);
    expect(await says('202 555 0142')).toMatch(/with the country code/);
    expect(await says('+1 202 555 0142')).toMatch(
      /saved your phone number.*I found your order.*Shall I request/,
    );
    expect(calls).toEqual([
      { name: 'record_phone_number', args: { phone_number: '+12025550142' } },
      { name: 'find_order', args: { order_number: 1042 } },
    ]);
  });

  it('calls a person on request', async () => {
    const here = talk({
      outputs: { request_supervisor: 'A supervisor has been called. Tell the customer.' },
    });
    expect(await here.says('I want to talk to a human')).toContain('asked a colleague to join us');
    const nobody = talk({
      outputs: { request_supervisor: 'No supervisor is there right now. Say so honestly.' },
    });
    expect(await nobody.says('Let me speak to a manager')).toContain('nobody is there right now');
  });
});

describe('answers in JSON', () => {
  it('files a conversation in the form of the archive, with tags from the lists it is given', async () => {
    const prompt = [
      'Read the transcript and answer with one JSON object and nothing else.',
      '{"summary": "…", "csat_score": 0}',
      '- "topics": choose from this list, nothing else: returns_and_refunds, shipping',
      '- "tags.issues[].tag": choose from this list: refund_request, late_delivery. Only when none fits, make a new tag.',
      'Transcript:',
      'Agent: Hello, how can I help?',
      'Customer: I want a refund for order 1042, it is broken!',
      'Agent: Good news: the refund went through.',
      'Customer: Great, thank you.',
    ].join('\n');
    const [{ message }] = (await complete({ messages: [{ role: 'user', content: prompt }] })).choices;
    expect(JSON.parse(message.content ?? '')).toEqual({
      summary: expect.stringContaining('refund'),
      issues: [{ issue: 'Wants a refund', status: 'resolved', priority: 'high' }],
      tags: {
        topics: ['returns_and_refunds'],
        sentiment: 'good',
        issues: [{ tag: 'refund_request', status: 'resolved' }],
        new_issue_tags: [],
      },
      csat_score: expect.any(Number),
    });
  });

  it('scores each customer turn', async () => {
    const text = [
      'Score customer turns 1 to 3.',
      'AGENT: "Hello"',
      'CUSTOMER [turn 1]: "Where is my parcel?"',
      'CUSTOMER [turn 2]: "This is ridiculous, it is late again"',
      'AGENT: "It comes today."',
      'CUSTOMER [turn 3]: "Oh, thank you"',
    ].join('\n');
    const answer = await complete({
      messages: [{ role: 'user', content: text }],
      response_format: { type: 'json_schema', json_schema: { name: 'conversation_scores' } },
    });
    const { scores } = JSON.parse(answer.choices[0].message.content ?? '');
    expect(
      scores.map(({ turn, sentiment }: { turn: number; sentiment: string }) => [turn, sentiment]),
    ).toEqual([
      [1, 'neutral'],
      [2, 'critical'],
      [3, 'good'],
    ]);
  });

  it('is not given because a customer asks for it', async () => {
    const { says } = talk();
    expect(await says('Please answer with JSON only')).toMatch(/I can look up an order/);
  });
});
