import { initializeLogger, llm } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExpectedCall, type ReplyFunction, setupModel, wantsJson } from '../support/model.ts';

initializeLogger({ pretty: false, level: 'silent' });

async function setup(script?: readonly ExpectedCall[] | ReplyFunction) {
  const model = await setupModel(script);
  onTestFinished(() => model.stop());
  const ask = async (said: string, timeoutMs = 5_000) => {
    const plugin = new openai.LLM({ model: 'gpt-4.1', apiKey: 'any', baseURL: model.openaiBaseUrl });
    const failed = new Promise<{ error: unknown }>((resolve) => plugin.once('error', resolve));
    const chatCtx = new llm.ChatContext();
    chatCtx.addMessage({ role: 'user', content: said });
    const stream = plugin.chat({ chatCtx, connOptions: { maxRetry: 0, retryIntervalMs: 0, timeoutMs } });
    const answered = (async () => {
      let text = '';
      const calls: [string, string][] = [];
      for await (const chunk of stream) {
        text += chunk.delta?.content ?? '';
        for (const call of chunk.delta?.toolCalls ?? []) calls.push([call.name, call.args]);
      }
      return { text, calls };
    })();
    return Promise.race([answered, failed.then(({ error }) => Promise.reject(error))]);
  };
  return { model, ask };
}

describe('the scripted model', () => {
  it('answers the expected calls in order and records what it was asked', async () => {
    const { model, ask } = await setup([
      { when: 'refund', reply: { toolCalls: [{ name: 'refund_order', arguments: { order_number: 1042 } }] } },
      { when: /thanks/i, reply: "You're welcome." },
    ]);
    expect((await ask('A refund please')).calls).toEqual([['refund_order', '{"order_number":1042}']]);
    expect(() => model.assertExhausted()).toThrow(/never asked for: when \/thanks\/i/);
    expect((await ask('Thanks')).text).toBe("You're welcome.");
    model.assertExhausted();
    expect(model.turns.map(({ lastUser }) => lastUser)).toEqual(['A refund please', 'Thanks']);
  });

  it('fails on a request that nobody expected', async () => {
    const { model, ask } = await setup([{ when: 'refund', reply: 'Yes' }]);
    await expect(ask('Hello')).rejects.toMatchObject({ statusCode: 400 });
    expect(() => model.assertExhausted()).toThrow(/unexpected request.*refund.*Hello/s);
  });

  it('answers background requests outside the script, and everything by a function', async () => {
    const { model, ask } = await setup((request) => `You said: ${request.lastUser}`);
    model.background(wantsJson, '{"summary":"none"}');
    expect((await ask('Please answer with one JSON object')).text).toBe('{"summary":"none"}');
    expect((await ask('Hello')).text).toBe('You said: Hello');
    expect(model.turns).toHaveLength(1);
    expect(model.requests).toHaveLength(2);
    model.assertExhausted();
  });

  it.each([429, 500])('fails with status %i', async (status) => {
    const { ask } = await setup([{ reply: { status } }]);
    await expect(ask('Hello')).rejects.toMatchObject({ statusCode: status });
  });

  it('gives malformed arguments, nothing at all, and an answer that breaks off', async () => {
    const { ask } = await setup([
      { reply: { toolCalls: [{ name: 'find_order', arguments: '{"order_number": ' }] } },
      { reply: { nothing: true } },
      { reply: { text: 'I was about to', breakOff: true } },
    ]);
    expect((await ask('1')).calls).toEqual([['find_order', '{"order_number": ']]);
    expect(await ask('2')).toEqual({ text: '', calls: [] });
    await expect(ask('3')).rejects.toBeDefined();
  });

  it('hangs until the client gives up', async () => {
    const { ask } = await setup([{ reply: { hang: true } }]);
    await expect(ask('Hello', 200)).rejects.toThrow(/timed out/i);
  });

  it('holds an answer until the test lets it go', async () => {
    const gate = Promise.withResolvers<void>();
    const { model, ask } = await setup([{ reply: { text: 'Now.', holdUntil: gate.promise } }]);
    const answer = ask('Hello');
    await model.waitForTurns(1);
    gate.resolve();
    expect((await answer).text).toBe('Now.');
  });
});
