import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runSupervise } from '../../src/cli/supervise.ts';
import { type GatedCall, openInteraction, requestGatedCall } from '../api/gated-call.ts';
import { eventually, type Floor, setupFloor } from '../api/support.ts';

let floor: Floor;
const cleanUp: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor.stop());
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

interface Watching {
  /** What a person types, or a script says. */
  readonly input: PassThrough & { isTTY?: boolean };
  readonly finished: Promise<number>;
  screen(): string;
  ask(options?: Parameters<typeof requestGatedCall>[3]): Promise<GatedCall>;
  status(call: GatedCall): Promise<{ status: string; note: string | null }>;
}

/** A supervisor at the terminal and an interaction of their agent. */
async function setup({ interactive = true } = {}): Promise<Watching> {
  const { database, api } = floor;
  const business = await database.createBusiness();
  const admin = await database.createUser({ businessId: business.id, role: 'admin' });
  const agent = await database.createAgent({ businessId: business.id });
  const folder = mkdtempSync(join(tmpdir(), 'supervise-'));
  cleanUp.push(() => rmSync(folder, { recursive: true }));
  const demo = {
    api_url: api.url,
    supabase_url: database.supabaseUrl,
    supabase_publishable_key: database.publishableKey,
    supervisors: [],
    admin: { email: admin.email, password: admin.password },
  };
  writeFileSync(join(folder, 'demo.json'), JSON.stringify(demo));

  const input: Watching['input'] = Object.assign(new PassThrough(), { isTTY: interactive });
  let text = '';
  const output = {
    write(chunk: string) {
      text += chunk;
    },
  };
  const stop = new AbortController();
  const finished = runSupervise({ data: folder, as: 'admin' }, { input, output }, stop.signal);
  cleanUp.push(async () => {
    stop.abort();
    await finished;
  });
  const interaction = await openInteraction(floor, agent);
  return {
    input,
    finished,
    screen: () => text,
    ask: (options = {}) => requestGatedCall(floor, agent, interaction, options),
    async status({ permissionId }) {
      const [row] = await database.sql<{ status: string; note: string | null }[]>`
        select status, note from tool_permissions where id = ${permissionId}`;
      if (row === undefined) throw new Error('there is no such permission');
      return row;
    },
  };
}

function shown(watching: Watching, pattern: RegExp): Promise<true> {
  return eventually(`"${pattern}" on the screen`, () => (pattern.test(watching.screen()) ? true : undefined));
}

describe('floorwalker supervise', () => {
  it('shows what waits with its arguments as they are, and allows it', async () => {
    const watching = await setup();
    const call = await watching.ask({ arguments: { order: '1042', amount: 25 } });
    await shown(
      watching,
      /wants to use refund_order[\s\S]*"order": "1042"[\s\S]*"amount": 25[\s\S]*a = allow/,
    );
    watching.input.write('a\n');
    await shown(watching, /refund_order: allowed\./);
    expect(await watching.status(call)).toEqual({ status: 'allowed', note: null });
  });

  it('denies with the reason that the agent is told', async () => {
    const watching = await setup();
    const call = await watching.ask();
    await shown(watching, /a = allow/);
    watching.input.write('d the order is too old\n');
    await shown(watching, /refund_order: denied\./);
    expect(await watching.status(call)).toEqual({ status: 'denied', note: 'the order is too old' });
  });

  it('decides nothing with what was typed before a request was on the screen', async () => {
    const watching = await setup();
    await shown(watching, /appears here/);
    watching.input.write('a\n');
    await shown(watching, /Nothing waits/);
    const call = await watching.ask();
    await shown(watching, /a = allow/);
    expect((await watching.status(call)).status).toBe('pending');
  });

  it('explains itself instead of guessing what another answer means', async () => {
    const watching = await setup();
    const call = await watching.ask();
    await shown(watching, /a = allow/);
    watching.input.write('yes please\n');
    await shown(watching, /a = allow[\s\S]*a = allow/);
    expect((await watching.status(call)).status).toBe('pending');
  });

  it('says when a request waits no more', async () => {
    const watching = await setup();
    const { permissionId } = await watching.ask();
    await shown(watching, /a = allow/);
    await floor.database.sql`
      update tool_permissions set status = 'withdrawn', responded_at = now() where id = ${permissionId}`;
    await shown(watching, /refund_order no longer waits/);
  });

  it('lets nothing that is shown draw on the screen or turn the text around', async () => {
    const watching = await setup();
    await watching.ask({ arguments: { note: '\u001b[2J\u202eevil' } });
    await shown(watching, /a = allow/);
    expect(watching.screen()).toContain('"\\u001b[2J\\u202eevil"');
    for (const character of ['\u001b', '\u202e']) expect(watching.screen()).not.toContain(character);
  });

  it('takes the answers of a script one after the other and ends', async () => {
    const watching = await setup({ interactive: false });
    watching.input.end('a\nd no\n');
    const first = await watching.ask({ arguments: { order: '1' } });
    await eventually('the first decision', async () =>
      (await watching.status(first)).status === 'allowed' ? true : undefined,
    );
    const second = await watching.ask({ arguments: { order: '2' } });
    expect(await watching.finished).toBe(0);
    expect(await watching.status(second)).toEqual({ status: 'denied', note: 'no' });
  });

  it('says what to do when no demo runs', async () => {
    const streams = { input: new PassThrough(), output: { write: () => undefined } };
    const watching = runSupervise({ data: '/nowhere', as: 'admin' }, streams, new AbortController().signal);
    await expect(watching).rejects.toMatchObject({
      code: 'chat_unavailable',
      remedy: expect.stringContaining('npm run demo'),
    });
  });
});
