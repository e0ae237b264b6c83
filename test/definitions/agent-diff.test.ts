import { describe, expect, it } from 'vitest';
import { type AgentState, diffAgent, formatDifference } from '../../src/definitions/agent-diff.ts';

function state(changes: Partial<AgentState> = {}): AgentState {
  return {
    slug: 'helper',
    name: 'Helper',
    agent_type: 'chat',
    language: 'en',
    public: true,
    max_concurrent_interactions: 10,
    greeting: null,
    system_prompt: 'one\ntwo\nthree\nfour\nfive\nsix\n',
    model_settings: { llm_model: 'a', temperature: 0.3 },
    voice_settings: {},
    supervisor: 'sam@example.com',
    cover: null,
    tools: [
      {
        tool_name: 'find',
        requires_permission: false,
        tool_config: { transport: 'stdio', server: 'orders' },
      },
      {
        tool_name: 'refund',
        requires_permission: true,
        tool_config: { transport: 'stdio', server: 'orders' },
      },
    ],
    ...changes,
  };
}

function printed(current: AgentState | null, wanted: AgentState): string {
  return formatDifference(wanted, diffAgent(current, wanted)).join('\n');
}

describe('the difference of an agent', () => {
  it('is none when nothing changed, whatever the order of keys and tools', () => {
    const current = state({
      model_settings: { temperature: 0.3, llm_model: 'a' },
      tools: state().tools.toReversed(),
    });
    expect(diffAgent(current, state()).kind).toBe('same');
    expect(printed(current, state())).toBe('= agent helper (chat): no change');
  });

  it('lists a new agent with its tools', () => {
    expect(printed(null, state())).toMatch(
      /^\+ agent helper[\s\S]*\+ tool find\n {2}\+ tool refund \(needs permission\)$/,
    );
  });

  it('names each field with what it was and what it will be, settings one by one', () => {
    const wanted = state({
      greeting: 'Hi',
      model_settings: { llm_model: 'b' },
      max_concurrent_interactions: 3,
    });
    expect(printed(state(), wanted).split('\n')).toEqual([
      '~ agent helper (chat)',
      '  ~ max_concurrent_interactions: 10 → 3',
      '  ~ greeting: none → "Hi"',
      '  ~ model_settings.llm_model: "a" → "b"',
      '  ~ model_settings.temperature: 0.3 → none',
    ]);
  });

  it('shows a long text line by line with a little of what is around', () => {
    const wanted = state({ system_prompt: 'one\ntwo\nthree\nfour\nFIVE\nsix\n' });
    expect(printed(state(), wanted).split('\n').slice(1)).toEqual([
      '  ~ system_prompt:',
      '        …',
      '        four',
      '      - five',
      '      + FIVE',
      '        six',
      '        …',
    ]);
  });

  it('names tools that come, go and change, and says when a gate is removed', () => {
    const wanted = state({
      tools: [
        {
          tool_name: 'refund',
          requires_permission: false,
          tool_config: { transport: 'stdio', server: 'shop' },
        },
        { tool_name: 'cancel', requires_permission: true, tool_config: {} },
      ],
    });
    expect(printed(state(), wanted).split('\n').slice(1)).toEqual([
      '  + tool cancel (needs permission)',
      '  - tool find',
      '  ~ tool refund',
      '      requires_permission: true → false   (the gate is removed)',
      '      tool_config.server: "orders" → "shop"',
    ]);
  });
});
