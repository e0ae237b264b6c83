import { expect, it } from 'vitest';
import { AnswerMarks, isOwed } from '../../src/session/unanswered.ts';

type Past = Parameters<typeof isOwed>[0];
type Message = Past['messages'][number];
type Call = Past['calls'][number];

const customer = (id: string, at: number): Message => ({
  id,
  role: 'customer',
  text: id,
  interrupted: false,
  at,
  resends: true,
  cutOff: false,
});
const agent = (at: number, mark?: Message['mark']): Message => ({
  id: `agent-${at}`,
  role: 'agent',
  text: 'words',
  interrupted: false,
  at,
  resends: false,
  cutOff: false,
  ...(mark ? { mark } : {}),
});
const call = (id: string, state: Call['state'], at: number): Call => ({
  call_id: id,
  tool_name: 'tool',
  arguments: {},
  state,
  generation: 1,
  at,
});
const answers = (id: string | null, ...settled: string[]) => ({ answers: id, settled });

const cutOff = (at: number): Message => ({ ...agent(at), interrupted: true, cutOff: true });

it.each<[string, boolean, Past]>([
  ['its answer broke off', true, { messages: [customer('a', 2), cutOff(3)], calls: [] }],
  [
    'the second answer broke off',
    true,
    { messages: [customer('a', 1), agent(2, answers('a')), customer('b', 3), cutOff(4)], calls: [] },
  ],
  [
    'an answer broke off and its rest was given',
    false,
    { messages: [customer('a', 2), cutOff(3), agent(4, answers('a'))], calls: [] },
  ],
  ['nothing was said', false, { messages: [], calls: [] }],
  ['only the greeting was said', false, { messages: [agent(1)], calls: [] }],
  ['the first message has no answer', true, { messages: [agent(1), customer('a', 2)], calls: [] }],
  ['it was answered', false, { messages: [customer('a', 2), agent(3, answers('a'))], calls: [] }],
  [
    'a second one came while the first was being answered',
    true,
    { messages: [customer('a', 2), customer('b', 3), agent(4, answers('a'))], calls: [] },
  ],
  [
    'an apology came after the question',
    true,
    { messages: [customer('a', 1), agent(2, answers('a')), customer('b', 3), agent(4)], calls: [] },
  ],
  [
    'a call waits for its decision',
    false,
    { messages: [customer('a', 2)], calls: [call('c', 'awaiting_permission', 3)] },
  ],
  [
    'a call has its output, which nobody was told',
    true,
    { messages: [customer('a', 2), agent(3, answers('a'))], calls: [call('c', 'succeeded', 4)] },
  ],
  [
    'a call has its output, and words of comfort came after it',
    true,
    { messages: [customer('a', 2), agent(3, answers('a')), agent(5)], calls: [call('c', 'unknown', 4)] },
  ],
  [
    'a call was told of',
    false,
    { messages: [customer('a', 2), agent(5, answers('a', 'c'))], calls: [call('c', 'succeeded', 4)] },
  ],
  [
    'a transcript without marks ends with the customer',
    true,
    { messages: [agent(1), customer('a', 2)], calls: [] },
  ],
  [
    'a transcript without marks ends with the agent',
    false,
    { messages: [customer('a', 2), agent(3)], calls: [] },
  ],
])('when %s, an answer is owed: %s', (_name, owed, past) => {
  expect(isOwed(past)).toBe(owed);
});

it('a reply is marked with the outputs that no reply before it has told of', () => {
  const marks = new AnswerMarks({
    messages: [agent(5, answers('a', 'old'))],
    calls: [call('old', 'succeeded', 4)],
  });
  marks.asked({ customerMessage: 'b', settledCalls: ['old', 'new'] });
  expect(marks.current).toEqual({ answers: 'b', settled: ['new'] });
  // A reply that was given up has told of nothing.
  marks.asked({ customerMessage: 'b', settledCalls: ['old', 'new'] });
  expect(marks.current.settled).toEqual(['new']);
  marks.answered();
  marks.asked({ customerMessage: 'b', settledCalls: ['old', 'new'] });
  expect(marks.current.settled).toEqual([]);
});
