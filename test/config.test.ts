import { expect, test } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { FloorwalkerError } from '../src/errors.ts';

const COMPLETE = {
  LIVEKIT_URL: 'wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'secret',
  SUPABASE_URL: 'https://project.supabase.co',
  SUPABASE_SECRET_KEY: 'sb_secret',
  OPENAI_API_KEY: 'sk',
};

function problemsOf(env: Record<string, string | undefined>): string {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof FloorwalkerError && error.code === 'config_invalid') return error.message;
    throw error;
  }
  return '';
}

test('an empty environment names every missing setting in one go, each with its remedy', () => {
  const lines = problemsOf({}).split('\n');
  for (const setting of [
    'LIVEKIT_URL',
    'LIVEKIT_API_KEY',
    'LIVEKIT_API_SECRET',
    'SUPABASE_URL',
    'SUPABASE_SECRET_KEY',
    'OPENAI_API_KEY',
  ]) {
    const line = lines.find((candidate) => candidate.startsWith(setting));
    expect(line, setting).toMatch(/is not set\. .{10,}/);
  }
});

test.for([
  [{ LIVEKIT_URL: 'livekit.example' }, 'LIVEKIT_URL'],
  [{ SUPABASE_URL: 'ftp://example.com' }, 'SUPABASE_URL'],
  [{ PORT: 'http' }, 'PORT'],
  [{ PORT: '70000' }, 'PORT'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
  [{ ALLOW_INLINE_STDIO: 'maybe' }, 'ALLOW_INLINE_STDIO'],
  [{ TOOL_SERVERS: '{"orders": {"args": []}}' }, 'TOOL_SERVERS'],
  [{ TOOL_SERVERS: 'orders' }, 'TOOL_SERVERS'],
  [{ FLOORWALKER_HEARTBEAT_MS: '5000' }, 'FLOORWALKER_HEARTBEAT_MS'],
  [{ FLOORWALKER_SILENCE_FIRST_MS: '60000' }, 'FLOORWALKER_SILENCE_FIRST_MS'],
  [{ FLOORWALKER_METRICS_MS: '-1' }, 'FLOORWALKER_METRICS_MS'],
  [{ SCORER: 'guess' }, 'SCORER'],
  [{ WORKER_CHAT_EXECUTION: 'forked' }, 'WORKER_CHAT_EXECUTION'],
  [{ WORKER_VOICE_EXECUTION: 'many' }, 'WORKER_VOICE_EXECUTION'],
] as const)('%o is refused and the line names the setting', ([wrong, setting]) => {
  expect(problemsOf({ ...COMPLETE, ...wrong })).toContain(setting);
});

test('the development key is refused for a LiveKit that is not on this machine, and allowed on loopback', () => {
  expect(problemsOf({ ...COMPLETE, LIVEKIT_API_KEY: 'devkey' })).toContain('LIVEKIT_API_KEY');
  expect(problemsOf({ ...COMPLETE, LIVEKIT_API_KEY: 'devkey', LIVEKIT_URL: 'ws://127.0.0.1:7880' })).toBe('');
});

test('the older names of the Supabase keys are understood', () => {
  const { SUPABASE_SECRET_KEY: _new, ...rest } = COMPLETE;
  const config = loadConfig({ ...rest, SUPABASE_SERVICE_ROLE_KEY: 'old', SUPABASE_ANON_KEY: 'anon' });
  expect(config.supabase).toMatchObject({ secretKey: 'old', publishableKey: 'anon' });
});

test('the configuration can not be changed and contains no tool secret', () => {
  const config = loadConfig({
    ...COMPLETE,
    TOOL_SECRET_SHOP: 'hidden-value',
    TOOL_SECRET_SHOP_HOSTS: 'api.shop.example',
  });
  expect(() => Object.assign(config.figures, { leaseMs: 1 })).toThrow(TypeError);
  expect(JSON.stringify(config)).not.toContain('hidden-value');
  expect(config.tools.secret('SHOP')).toBe('hidden-value');
  expect(config.tools.secretHosts('SHOP')).toEqual(['api.shop.example']);
});

test('calls have a process each and chats share them, unless the settings say otherwise', () => {
  const executions = (env: Record<string, string>) => {
    const { voice, chat } = loadConfig({ ...COMPLETE, ...env }).worker;
    return { voice: voice.execution, chat: chat.execution };
  };
  expect(executions({})).toEqual({ voice: 'isolated', chat: 'shared' });
  expect(executions({ WORKER_CHAT_EXECUTION: 'isolated', WORKER_VOICE_EXECUTION: 'shared' })).toEqual({
    voice: 'shared',
    chat: 'isolated',
  });
});
