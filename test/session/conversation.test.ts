import { initializeLogger, llm } from '@livekit/agents';
import { expect, it } from 'vitest';
import { Conversation, type Speaker } from '../../src/session/conversation.ts';

initializeLogger({ pretty: false, level: 'silent' });

function setup() {
  const conversation = new Conversation();
  const say = (role: Speaker, text: string, at: number, id = `${role}-${at}`) =>
    conversation.say({ id, role, text, at });
  const call = (callId: string, stepId: string, at: number) =>
    conversation.call({ callId, stepId, at, toolName: 'find_order', rawArguments: '{"order":"1042"}' });
  const context = (speculative?: llm.ChatMessage) =>
    conversation.toChatContext('Be kind.', () => 'not yet', speculative);
  /** The request as one line an item, in the order the model reads it. */
  const request = (speculative?: llm.ChatMessage) =>
    context(speculative).items.map((item) => {
      if (item.type === 'function_call') return `call ${item.callId}`;
      if (item.type === 'function_call_output') return `output ${item.callId}: ${item.output}`;
      return item.type === 'message' ? `${item.role}: ${item.textContent}` : item.type;
    });
  return { conversation, say, call, context, request };
}

it('keeps the order of happening, however late something arrives', () => {
  const { say, request } = setup();
  say('customer', 'second', 20);
  say('agent', 'third', 30);
  say('customer', 'first', 10);
  say('agent', 'with the second', 20, 'same-time');
  expect(request()).toEqual([
    'system: Be kind.',
    'user: first',
    'user: second',
    'assistant: with the second',
    'assistant: third',
  ]);
});

it('an utterance that was cut off replaces its longer version', () => {
  const { conversation, say } = setup();
  say('agent', 'The order left on Monday and will arrive', 10, 'item');
  conversation.say({ id: 'item', role: 'agent', text: 'The order left', interrupted: true, at: 12 });
  expect(conversation.items).toHaveLength(1);
  expect(conversation.lastSaid('agent')).toMatchObject({ text: 'The order left', interrupted: true, at: 10 });
});

it('a call has one output: until it comes a placeholder, and the first that comes stays', () => {
  const { conversation, say, call, request } = setup();
  say('customer', 'where is it', 10);
  call('c1', 'step', 20);
  call('c1', 'another step', 21);
  expect(request().slice(2)).toEqual(['call c1', 'output c1: not yet']);
  expect(conversation.openCalls()).toHaveLength(1);
  expect(conversation.settle('c1', 'on its way', false, 30)).toBe(true);
  expect(conversation.settle('c1', 'lost', true, 40)).toBe(false);
  expect(request().slice(2)).toEqual(['call c1', 'output c1: on its way']);
  expect(conversation.openCalls()).toEqual([]);
  expect(conversation.settle('unknown', 'x', false, 50)).toBe(false);
});

it('a result that comes late stands at the end, after what was said during the wait', () => {
  const { conversation, say, call, request } = setup();
  say('customer', 'refund it', 10);
  call('c1', 'step', 20);
  say('agent', 'I have asked for that', 25);
  say('customer', 'how long', 30);
  say('agent', 'a few minutes', 40);
  conversation.settle('c1', 'refunded', false, 50);
  expect(request().slice(-3)).toEqual(['assistant: a few minutes', 'call c1', 'output c1: refunded']);
});

it('parallel calls of a step stay together and reach the provider as one message', async () => {
  const { conversation, say, call, context } = setup();
  say('customer', 'look up both', 10);
  call('c1', 'step', 20);
  call('c2', 'step', 20);
  conversation.settle('c2', 'second', false, 30);
  expect(conversation.stepIsOpen('c2')).toBe(true);
  say('customer', 'and?', 35);
  conversation.settle('c1', 'first', false, 40);
  expect(conversation.stepIsOpen('c2')).toBe(false);
  const messages = (await context().toProviderFormat('openai')) as Record<string, unknown>[];
  const asking = messages.filter((message) => Array.isArray(message.tool_calls));
  expect(asking).toHaveLength(1);
  expect(asking[0]?.tool_calls).toHaveLength(2);
  const outputs = messages.filter((message) => message.role === 'tool');
  expect(outputs.map((message) => message.content).sort()).toEqual(['first', 'second']);
});

it('a turn that is not final yet is shown once, also when it became final meanwhile', () => {
  const { say, request } = setup();
  const turn = llm.ChatMessage.create({ id: 'turn', role: 'user', content: 'hello' });
  expect(request(turn)).toEqual(['system: Be kind.', 'user: hello']);
  say('customer', 'hello', 10, 'turn');
  expect(request(turn)).toEqual(['system: Be kind.', 'user: hello']);
});

it('the model is shown a bounded part; the conversation keeps all of it', () => {
  const { conversation, say, request } = setup();
  say('customer', 'x'.repeat(100_000), 1);
  expect(request()[1]?.length).toBeLessThan(9_000);
  expect(request()[1]).toContain('92000 characters');
  expect(conversation.turns()[0]?.text).toHaveLength(100_000);
  for (let index = 0; index < 500; index += 1) say('customer', `message ${index}`, 10 + index);
  expect(request()).toHaveLength(201);
  expect(request()[0]).toBe('system: Be kind.');
  expect(request().at(-1)).toBe('user: message 499');
  expect(conversation.turns()).toHaveLength(501);
});

it('counts the tool steps since the customer last spoke', () => {
  const { conversation, say, call } = setup();
  say('customer', 'go', 10);
  call('c1', 'one', 20);
  call('c2', 'one', 20);
  call('c3', 'two', 30);
  expect(conversation.toolStepsInTurn()).toBe(2);
  say('customer', 'and now', 40);
  expect(conversation.toolStepsInTurn()).toBe(0);
});

it('a human colleague’s words are marked for the model, and notes are for the model alone', () => {
  const { conversation, say, request } = setup();
  say('supervisor', 'I will look into it', 10);
  conversation.note('whisper', 'Offer free shipping.', 20);
  expect(request().slice(1)).toEqual([
    'assistant: [Said by a human colleague who had taken over] I will look into it',
    'system: Offer free shipping.',
  ]);
  expect(conversation.turns()).toEqual([{ role: 'agent', text: 'I will look into it' }]);
});

it('what the agent is told in confidence is never between a tool’s result and the request for the next words', () => {
  const { conversation, say, call, request } = setup();
  say('customer', 'where is it', 10);
  call('c1', 's1', 20);
  conversation.settle('c1', 'on its way', false, 30);
  conversation.note('n1', 'A colleague hands it back.', 40);
  expect(request()).toEqual([
    'system: Be kind.',
    'user: where is it',
    'system: A colleague hands it back.',
    'call c1',
    'output c1: on its way',
  ]);
  conversation.note('n1', 'once more', 50);
  say('agent', 'It is on its way.', 60);
  expect(request().slice(-4)).toEqual([
    'call c1',
    'output c1: on its way',
    'system: A colleague hands it back.',
    'assistant: It is on its way.',
  ]);
});
