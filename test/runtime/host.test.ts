import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { setupLiveKit } from '../support/livekit.ts';

const PROCESS = fileURLToPath(new URL('../../src/host.ts', import.meta.url));

it('a process of chats whose worker died while it was starting ends, before it takes any', async () => {
  const livekit = setupLiveKit();
  const child = fork(PROCESS, ['chat', '10'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: {
      PATH: process.env.PATH,
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      // Nobody is there: it ends without having asked for anything.
      SUPABASE_URL: 'http://127.0.0.1:9',
      SUPABASE_SECRET_KEY: 'none',
      SUPABASE_PUBLISHABLE_KEY: 'none',
      OPENAI_API_KEY: 'none',
      DEEPGRAM_API_KEY: 'none',
    },
  });
  let wrote = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => {
      wrote += data.toString('utf8');
    });
  }
  const exited = once(child, 'exit');
  const limit = AbortSignal.timeout(60_000);
  try {
    child.disconnect();
    const [code] = await Promise.race([
      exited,
      once(limit, 'abort').then(() => Promise.reject(new Error(`it lives on: ${wrote}`))),
    ]);
    expect({ code, wrote }).toEqual({ code: 1, wrote: '' });
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}, 90_000);
