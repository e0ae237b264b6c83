import { afterEach, expect, test, vi } from 'vitest';
import { CustomerApi, Refusal } from '../../src/customer-page/api.ts';
import { statusWords } from '../../src/customer-page/view/status.ts';

afterEach(() => vi.unstubAllGlobals());

const agent = {
  id: 'a',
  name: 'Ada',
  agent_type: 'chat',
  language: 'en',
  business_name: 'Harbour Goods',
} as const;
const ended = {
  phase: 'ended',
  agent,
  lines: [],
  position: undefined,
  supervisor: undefined,
  speaking: undefined,
  soundBlocked: false,
} as const;

test.each([
  ['completed', 'The conversation has ended.'],
  ['failed', 'We are sorry: this had to be ended because of a fault on our side.'],
])('who comes back to an interaction that has %s reads: %s', async (interaction_status, words) => {
  vi.stubGlobal('fetch', async (path: string) =>
    path.endsWith('config.json')
      ? Response.json({ publishable_key: 'key' })
      : Response.json({ code: 'interaction_ended', interaction_status }, { status: 409 }),
  );
  const api = await CustomerApi.connect('try');
  const refusal: unknown = await api.rejoin('i', 'token').catch((error: unknown) => error);
  const failed = refusal instanceof Refusal && refusal.failed;
  expect(statusWords({ ...ended, failed })).toBe(words);
});
