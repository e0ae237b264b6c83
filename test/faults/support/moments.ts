import { waitUntil } from '../../support/stack.ts';
import type { Hold } from './database-proxy.ts';
import type { ShopTool } from './shop.ts';
import type { World } from './world.ts';

/** A step in the life of a turn or a tool call, at which time can be stopped from outside. */
export interface Moment {
  readonly name: string;
  /** The tool of the turn; without one the customer only says something. */
  readonly tool?: ShopTool;
  /** The model answers a word at a time. */
  readonly slow?: true;
  /** Arms the hold for the turn in which the customer says `words`. */
  arm(world: World, words: string, order: string): Hold;
  /** When its supervisor allows a gated call: to come to this moment, in it, or when somebody has died in it. */
  readonly decided?: 'before' | 'here' | 'later';
  /** What becomes of the call when its process is killed here: its state, and how often the tool really ran. */
  readonly outcome?: { readonly state: string; readonly runs: number };
}

const database =
  (call: string, when: 'before' | 'after', matching: 'words' | 'order' | 'answer' | 'began') =>
  ({ proxy }: World, words: string, order: string): Hold => {
    const text = { order, words, answer: `Heard: ${words}`, began: 'Heard: slowly' }[matching];
    return proxy.hold({ call, when, matching: text });
  };

/** Start and finish name the call by its id alone. */
const callStep =
  (call: string, when: 'before' | 'after') =>
  ({ proxy }: World): Hold =>
    proxy.hold({ call, when });

const toolRuns =
  (tool: ShopTool) =>
  ({ recorder }: World): Hold => {
    const release = recorder.hold(`/${tool}`);
    const before = recorder.calls.length;
    const reached = (async () => {
      while (!recorder.calls.slice(before).some(({ path }) => path === `/${tool}`)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    return { reached, release };
  };

const modelIsAsked = ({ holdModel }: World, words: string): Hold =>
  holdModel((request) => request.lastUser === words && request.body.messages.at(-1)?.role !== 'tool');

const modelIsTold = ({ holdModel }: World, words: string): Hold =>
  holdModel((request) => request.lastUser === words && request.body.messages.at(-1)?.role === 'tool');

const asked = async ({ stack }: World, order: string): Promise<void> => {
  await waitUntil(async () => {
    const [row] = await stack.database.sql`
      select 1 from tool_permissions where status = 'pending' and arguments ->> 'order' = ${order}`;
    return row;
  }, 40_000);
};

/** Whoever waits for the decision asks for it no more. */
const waitsUnknowing = (world: World, _words: string, order: string): Hold => {
  const hold = Promise.withResolvers<Hold>();
  const reached = asked(world, order).then(async () => {
    const polled = world.proxy.hold({ call: 'poll_sessions', when: 'before' });
    hold.resolve(polled);
    await polled.reached;
  });
  return { reached, release: (lost) => void hold.promise.then((polled) => polled.release(lost)) };
};

export const MOMENTS: readonly Moment[] = [
  { name: 'a message is about to be stored', arm: database('append_records', 'before', 'words') },
  {
    name: 'a message is stored and not acknowledged',
    arm: database('append_records', 'after', 'words'),
  },
  { name: 'the model is asked', arm: modelIsAsked },
  {
    name: 'a part of the answer was shown and is about to be kept',
    slow: true,
    arm: database('append_interim', 'before', 'began'),
  },
  {
    name: 'a part of the answer was shown and kept',
    slow: true,
    arm: database('append_interim', 'after', 'began'),
  },
  { name: 'the answer is about to be stored', arm: database('append_records', 'before', 'answer') },
  {
    name: 'the answer is stored and its end not shown',
    arm: database('append_records', 'after', 'answer'),
  },
  {
    name: 'a call is about to be written down',
    tool: 'charge',
    arm: database('request_tool_call', 'before', 'order'),
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a call is written down',
    tool: 'charge',
    arm: database('request_tool_call', 'after', 'order'),
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a call is about to start',
    tool: 'charge',
    arm: callStep('start_tool_call', 'before'),
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a call has started and is not sent',
    tool: 'charge',
    arm: callStep('start_tool_call', 'after'),
    outcome: { state: 'unknown', runs: 0 },
  },
  {
    name: 'a repeatable call has started and is not sent',
    tool: 'look_up',
    arm: callStep('start_tool_call', 'after'),
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a call runs',
    tool: 'charge',
    arm: toolRuns('charge'),
    outcome: { state: 'unknown', runs: 1 },
  },
  {
    name: 'a repeatable call runs',
    tool: 'look_up',
    arm: toolRuns('look_up'),
    outcome: { state: 'succeeded', runs: 2 },
  },
  {
    name: 'an outcome is about to be written down',
    tool: 'charge',
    arm: callStep('finish_tool_call', 'before'),
    outcome: { state: 'unknown', runs: 1 },
  },
  {
    name: 'an outcome is written down',
    tool: 'charge',
    arm: callStep('finish_tool_call', 'after'),
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'the model is told of an outcome',
    tool: 'charge',
    arm: modelIsTold,
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a permission is about to be asked for',
    tool: 'refund',
    arm: database('request_tool_call', 'before', 'order'),
    decided: 'later',
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a permission is asked for',
    tool: 'refund',
    arm: database('request_tool_call', 'after', 'order'),
    decided: 'later',
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'a decision has fallen and was not heard of',
    tool: 'refund',
    arm: waitsUnknowing,
    decided: 'here',
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'an allowed call is about to start',
    tool: 'refund',
    arm: callStep('start_tool_call', 'before'),
    decided: 'before',
    outcome: { state: 'succeeded', runs: 1 },
  },
  {
    name: 'an allowed call has started and is not sent',
    tool: 'refund',
    arm: callStep('start_tool_call', 'after'),
    decided: 'before',
    outcome: { state: 'unknown', runs: 0 },
  },
  {
    name: 'an allowed call runs',
    tool: 'refund',
    arm: toolRuns('refund'),
    decided: 'before',
    outcome: { state: 'unknown', runs: 1 },
  },
];
