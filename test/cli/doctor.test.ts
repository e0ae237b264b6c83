import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerAgentsCommand } from '../../src/cli/agents.ts';
import type { Finding } from '../../src/cli/doctor/check.ts';
import { registerDoctorCommand } from '../../src/cli/doctor.ts';
import { type RehearsalServer, startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { setupLiveKit, type TestLiveKit } from '../support/livekit.ts';
import { runCommand } from './run-command.ts';

const ROOT = new URL('../../', import.meta.url);
const KEY = 'rehearsal-key';
let db: TestDatabase;
let livekit: TestLiveKit;
let rehearsal: RehearsalServer;

beforeAll(async () => {
  db = await setupDatabase();
  livekit = setupLiveKit();
  rehearsal = await startRehearsal({ key: KEY });
});
afterAll(async () => {
  await rehearsal.stop();
  await db.stop();
});

type Env = Record<string, string | undefined>;

function goodEnv(): Env {
  return {
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
    SUPABASE_URL: db.supabaseUrl,
    SUPABASE_SECRET_KEY: db.secretKey,
    SUPABASE_PUBLISHABLE_KEY: db.publishableKey,
    DATABASE_URL: db.databaseUrl,
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: rehearsal.openaiBaseUrl,
    DEEPGRAM_API_KEY: KEY,
    DEEPGRAM_BASE_URL: rehearsal.deepgramBaseUrl,
    ALLOW_INLINE_STDIO: '1',
  };
}

async function doctor(env: Env): Promise<{ findings: Finding[]; error: unknown }> {
  const { output, error } = await runCommand(registerDoctorCommand, env, ['doctor', '--json']);
  return { findings: JSON.parse(output) as Finding[], error };
}

function of(findings: readonly Finding[], subject: string | RegExp): Finding[] {
  return findings.filter((finding) =>
    typeof subject === 'string' ? finding.subject === subject : subject.test(finding.subject),
  );
}

describe('doctor', () => {
  it('finds nothing wrong with a set-up that works, and prints a line for each thing it looked at', async () => {
    const business = await db.createBusiness();
    const agent = await db.createAgent({
      businessId: business.id,
      modelSettings: { llm_model: 'rehearsal-model' },
    });
    const { output, error } = await runCommand(registerDoctorCommand, goodEnv(), ['doctor']);
    expect(error).toBeUndefined();
    for (const line of [
      /^ok {4}settings {2}Node\.js/m,
      /^ok {4}prompts {3}templates/m,
      /^ok {4}database {2}schema .* is at version \d+/m,
      /^ok {4}database {2}SUPABASE_SECRET_KEY .* may do what a worker does/m,
      /^ok {4}database {2}SUPABASE_PUBLISHABLE_KEY .* sees nothing/m,
      /^ok {4}database {2}DATABASE_URL .* may change the schema/m,
      /^ok {4}media {5}LiveKit .* accepts the key/m,
      /^ok {4}model .* accepts the key/m,
      /^ok {4}speech {4}speech recognition/m,
      / 0 failed, /,
    ]) {
      expect(output).toMatch(line);
    }
    expect(output).toContain(`${business.slug}/${agent.slug}`);
    expect(output).not.toContain(db.secretKey);
    expect(output).not.toContain(livekit.apiSecret);
  });

  it('with no settings at all names each one with its remedy, and says what it could not check', async () => {
    const { findings, error } = await doctor({});
    expect(error).toMatchObject({ code: 'checks_failed' });
    for (const name of [
      'LIVEKIT_URL',
      'LIVEKIT_API_KEY',
      'LIVEKIT_API_SECRET',
      'SUPABASE_URL',
      'OPENAI_API_KEY',
    ]) {
      expect(of(findings, name), name).toMatchObject([{ status: 'fail', remedy: expect.any(String) }]);
    }
    for (const area of ['database', 'media', 'model', 'agents']) {
      expect(
        findings.filter((finding) => finding.area === area),
        area,
      ).toMatchObject([{ status: 'skip' }]);
    }
  });

  const wrong: [string, Env, string | RegExp, RegExp][] = [
    [
      'a database that is not there',
      { SUPABASE_URL: 'http://127.0.0.1:9' },
      'SUPABASE_URL',
      /can not be reached/,
    ],
    [
      'a secret key that is none',
      { SUPABASE_SECRET_KEY: 'wrong' },
      'SUPABASE_SECRET_KEY',
      /does not accept|may not do/,
    ],
    [
      'a wrong DATABASE_URL',
      { DATABASE_URL: 'postgresql://x:y@127.0.0.1:9/z' },
      'DATABASE_URL',
      /does not connect/,
    ],
    ['a DATABASE_URL that is no address', { DATABASE_URL: 'nonsense' }, 'DATABASE_URL', /does not connect/],
    [
      'a wrong LiveKit secret',
      { LIVEKIT_API_SECRET: 'wrong-secret-of-enough-length-to-sign' },
      'LiveKit',
      /does not accept/,
    ],
    ['a LiveKit that is not there', { LIVEKIT_URL: 'ws://127.0.0.1:9' }, 'LiveKit', /can not be reached/],
    ['a wrong model key', { OPENAI_API_KEY: 'wrong' }, 'language model', /does not accept the key/],
    [
      'a model that is not there',
      { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' },
      'language model',
      /can not be reached/,
    ],
    ['a wrong Deepgram key', { DEEPGRAM_API_KEY: 'wrong' }, 'speech recognition', /does not accept the key/],
  ];
  it.each(wrong)('names %s, with the remedy', async (_, change, subject, message) => {
    const { findings, error } = await doctor({ ...goodEnv(), ...change });
    expect(error).toMatchObject({ code: 'checks_failed' });
    expect(of(findings, subject)).toMatchObject([
      { status: 'fail', message: expect.stringMatching(message), remedy: expect.any(String) },
    ]);
  });

  it('notices the publishable key in place of the secret key, and the secret key in place of the publishable', async () => {
    const swapped = await doctor({ ...goodEnv(), SUPABASE_SECRET_KEY: db.publishableKey });
    expect(of(swapped.findings, 'SUPABASE_SECRET_KEY')).toMatchObject([{ status: 'fail' }]);
    const doubled = await doctor({ ...goodEnv(), SUPABASE_PUBLISHABLE_KEY: db.secretKey });
    expect(of(doubled.findings, 'SUPABASE_PUBLISHABLE_KEY')).toMatchObject([
      { status: 'fail', message: expect.stringMatching(/is the secret key/) },
    ]);
  });

  it('says what a schema needs that is missing, behind or ahead of this program', async () => {
    const other = await setupDatabase();
    try {
      const env = {
        ...goodEnv(),
        SUPABASE_URL: other.supabaseUrl,
        SUPABASE_SECRET_KEY: other.secretKey,
        SUPABASE_PUBLISHABLE_KEY: other.publishableKey,
      };
      await other.sql`insert into floorwalker.migrations (version, name, checksum) values (9999, 'future', 'x')`;
      expect(of((await doctor(env)).findings, 'schema')).toMatchObject([
        {
          status: 'fail',
          message: expect.stringMatching(/newer/),
          remedy: expect.stringMatching(/Update Floorwalker/),
        },
      ]);
      await other.sql`delete from floorwalker.migrations where version > 1`;
      expect(of((await doctor(env)).findings, 'schema')).toMatchObject([
        { status: 'fail', remedy: expect.stringMatching(/floorwalker migrate/) },
      ]);
    } finally {
      await other.stop();
    }
  });

  it('names a tool whose server does not start, an agent with a broken prompt and one no page can reach', async () => {
    const business = await db.createBusiness({ allowedOrigins: [] });
    const agent = await db.createAgent({
      businessId: business.id,
      systemPrompt: 'You are {{nobody}}.',
      language: 'pt',
      tools: [
        { toolName: 'gone', toolConfig: { transport: 'stdio', command: '/nowhere/server' } },
        { toolName: 'unnamed', toolConfig: { transport: 'stdio', server: 'nobody-defined-this' } },
      ],
    });
    const subject = `${business.slug}/${agent.slug}`;
    const { findings } = await doctor(goodEnv());
    for (const tool of ['gone', 'unnamed']) {
      expect(of(findings, `${subject}: ${tool}`), tool).toMatchObject([
        { status: 'fail', remedy: expect.stringMatching(/tool_config/) },
      ]);
    }
    const warnings = of(findings, subject).filter(({ status }) => status === 'warn');
    expect(warnings.map(({ message }) => message).join('\n')).toMatch(
      /no \{\{nobody\}\}[\s\S]*words are English[\s\S]*no web page may start/,
    );
  });

  it('reaches every tool of the shipped agents on the shipped shop', async () => {
    const business = await db.createBusiness();
    for (const supervisorType of ['chat', 'voice'] as const) {
      await db.createUser({ businessId: business.id, supervisorType });
    }
    const agents = fileURLToPath(new URL('agents', ROOT));
    const args = ['agents', 'apply', agents, '--business', business.slug];
    expect((await runCommand(registerAgentsCommand, goodEnv(), args)).error).toBeUndefined();

    const orders = {
      command: process.execPath,
      args: [fileURLToPath(new URL('tools/orders/main.ts', ROOT))],
      env: {
        ORDERS_SUPABASE_URL: db.supabaseUrl,
        ORDERS_SUPABASE_KEY: db.secretKey,
        ORDERS_BUSINESS_ID: business.id,
      },
    };
    const { findings } = await doctor({ ...goodEnv(), TOOL_SERVERS: JSON.stringify({ orders }) });
    const own = findings.filter(({ subject }) => subject.startsWith(`${business.slug}/`));
    expect(own.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(own.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining([`${business.slug}/chat-support`, `${business.slug}/voice-support`]),
    );
  });
});
