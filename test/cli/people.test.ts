import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerBusinessCommand } from '../../src/cli/business.ts';
import { registerUsersCommand } from '../../src/cli/users.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { databaseEnv, runCommand } from './run-command.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db.stop());

function business(...args: string[]) {
  return runCommand(registerBusinessCommand, databaseEnv(db), ['business', 'create', ...args]);
}

function invite(slug: string, ...args: string[]) {
  return runCommand(registerUsersCommand, databaseEnv(db), ['users', 'invite', '--business', slug, ...args]);
}

/** Somebody whom no earlier try has invited: an address is one of its kind. */
const addressOf = (name: string): string => `${name}-${randomInt(100_000, 999_999)}@example.com`;

async function authUsers(email: string): Promise<number> {
  const rows = await db.sql`select 1 from auth.users where email = ${email}`;
  return rows.length;
}

describe('business create', () => {
  it('makes a business with its time zone, origins and a vocabulary for wrap-ups, and says what is next', async () => {
    const slug = `paper-${randomInt(100_000, 999_999)}`;
    const { output, error } = await business(
      ...[
        '--name',
        'Paper & Pen',
        '--slug',
        slug,
        '--time-zone',
        'Europe/Lisbon',
        '--origin',
        'https://paper.example',
      ],
    );
    expect(error).toBeUndefined();
    expect(output).toMatch(new RegExp(`Created business ${slug}[\\s\\S]*users invite --business ${slug}`));
    const [row] = await db.sql`select * from businesses where slug = ${slug}`;
    expect(row).toMatchObject({
      name: 'Paper & Pen',
      time_zone: 'Europe/Lisbon',
      allowed_origins: ['https://paper.example'],
      tag_vocabulary: {
        topics: expect.arrayContaining(['refunds']),
        issues: expect.arrayContaining(['late_delivery']),
      },
    });
  });

  it('leaves a business that is there as it is', async () => {
    await business('--name', 'First', '--slug', 'twice', '--topic', 'books');
    const { output } = await business('--name', 'Second', '--slug', 'twice');
    expect(output).toMatch(/already .* left as it is/);
    const rows =
      await db.sql`select name, tag_vocabulary -> 'topics' as topics from businesses where slug = 'twice'`;
    expect(rows.map((row) => ({ ...row }))).toEqual([{ name: 'First', topics: ['books'] }]);
  });

  it('refuses options that do not fit, all in one go, before it asks for a database', async () => {
    const args = [
      'business',
      'create',
      '--name',
      ' ',
      '--slug',
      'No!',
      '--time-zone',
      'Mars',
      '--origin',
      'shop.example',
    ];
    const { error } = await runCommand(registerBusinessCommand, {}, args);
    expect(error).toMatchObject({ code: 'invalid_request' });
    expect(String(error)).toMatch(/--name[\s\S]*--slug[\s\S]*--time-zone[\s\S]*--origin/);
  });
});

describe('users invite', () => {
  it('lets a supervisor sign in with the one-time password that it prints', async () => {
    const { slug, id } = await db.createBusiness();
    const email = addressOf('sam');
    const { output, error } = await invite(
      slug,
      ...[
        '--email',
        email,
        '--role',
        'supervisor',
        '--type',
        'chat',
        '--username',
        'sam',
        '--name',
        'Sam Soto',
      ],
    );
    expect(error).toBeUndefined();
    expect(output).toContain(`Added ${email}: chat supervisor "sam"`);
    const password = /One-time password: (\S+)/.exec(output)?.[1] ?? '';
    expect(password.length).toBeGreaterThanOrEqual(24);

    const { data, error: refused } = await db.anonymous.auth.signInWithPassword({ email, password });
    expect(refused).toBeNull();
    const [row] = await db.sql`select * from users where id = ${data.user?.id ?? ''}`;
    expect(row).toMatchObject({
      business_id: id,
      role: 'supervisor',
      supervisor_type: 'chat',
      username: 'sam',
      name: 'Sam Soto',
    });
  });

  it('adds an admin, who has neither type nor username', async () => {
    const { slug } = await db.createBusiness();
    const ada = addressOf('ada');
    const added = await invite(slug, '--email', ada, '--role', 'admin');
    expect(added.output).toContain(`Added ${ada}: admin`);
    const wrong = await invite(slug, '--email', 'eve@example.com', '--role', 'admin', '--type', 'chat');
    expect(wrong.error).toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('--type'),
    });
    expect(await authUsers('eve@example.com')).toBe(0);
  });

  it('updates a person who is there, and leaves their password alone', async () => {
    const { slug } = await db.createBusiness();
    const email = addressOf('pat');
    const args = ['--email', email, '--role', 'supervisor', '--type', 'voice', '--username', 'pat'];
    const first = await invite(slug, ...args);
    const password = /One-time password: (\S+)/.exec(first.output)?.[1] ?? '';
    const second = await invite(slug, ...args, '--name', 'Pat Pereira');
    expect(second.error).toBeUndefined();
    expect(second.output).toMatch(new RegExp(`Updated ${email}[\\s\\S]*password is unchanged`));
    expect(second.output).not.toMatch(/One-time/);
    const { error } = await db.anonymous.auth.signInWithPassword({ email, password });
    expect(error).toBeNull();
    expect(await db.sql`select name from users where email = ${email}`).toMatchObject([
      { name: 'Pat Pereira' },
    ]);
  });

  it('leaves no account behind when the profile is refused', async () => {
    const { slug } = await db.createBusiness();
    const args = ['--role', 'supervisor', '--type', 'chat', '--username', 'kim'];
    await invite(slug, '--email', addressOf('kim'), ...args);
    const other = addressOf('other-kim');
    const { error } = await invite(slug, '--email', other, ...args);
    expect(error).toMatchObject({ code: 'username_taken' });
    expect(await authUsers(other)).toBe(0);
  });

  it('does not give a person of one business to another', async () => {
    const [one, two] = [await db.createBusiness(), await db.createBusiness()];
    const jo = addressOf('jo');
    await invite(one.slug, '--email', jo, '--role', 'admin');
    const { error } = await invite(two.slug, '--email', jo, '--role', 'admin');
    expect(error).toMatchObject({ code: 'user_of_another_business' });
    expect(await authUsers(jo)).toBe(1);
  });

  it('says so when there are several businesses and none is named', async () => {
    await db.createBusiness();
    await db.createBusiness();
    const args = ['users', 'invite', '--email', 'lee@example.com', '--role', 'admin'];
    const { error } = await runCommand(registerUsersCommand, databaseEnv(db), args);
    expect(error).toMatchObject({
      code: 'business_not_found',
      remedy: expect.stringContaining('--business'),
    });
    expect(await authUsers('lee@example.com')).toBe(0);
  });

  it('says that the database can not be reached, not that Auth refused', async () => {
    const env = { SUPABASE_URL: 'http://127.0.0.1:9', SUPABASE_SECRET_KEY: 'x' };
    const args = ['users', 'invite', '--email', 'lee@example.com', '--role', 'admin'];
    expect((await runCommand(registerUsersCommand, env, args)).error).toMatchObject({
      code: 'database_unavailable',
    });
  });
});
