import { expect, onTestFinished, test } from 'vitest';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import type { AgentToolRow, ToolCatalogue } from '../../src/tools/types.ts';
import { startAuthorizationServer } from './servers/authorization.ts';
import { http, inline, NOBODY, recordingLog, row, run, toolsConfig, until } from './support.ts';

/** Far more than any of these calls may take; what is not there by then is stuck. */
const STUCK_MS = 60_000;
const CONVERSATIONS = 3;
const ROUNDS = 3;
const ORDER = { order: 1, phone: '+49' };

/** What may become of a call; a server that misbehaves may cost its own calls, and in these ways only. */
const ALLOWED: Record<string, readonly string[]> = {
  good: ['succeeded'],
  hangs: ['unknown', 'failed', 'refused'],
  silent: ['refused'],
  floods: ['failed', 'refused'],
  lies: ['succeeded'],
  lied: ['refused'],
  dies: ['failed', 'refused'],
  changes_ping: ['succeeded'],
  expired: ['succeeded'],
  forgetful: ['succeeded'],
};
const ARGUMENTS: Record<string, object> = { hangs: ORDER };

async function settled<T>(what: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} is stuck`)), STUCK_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function setup() {
  const [good, hangs, lies, changes, forgetful] = await Promise.all(
    ['plain', 'hang_on_call', 'lies', 'change', 'plain'].map((mode) => http(mode)),
  );
  const expired = await startAuthorizationServer();
  onTestFinished(() => expired.close());
  if (!good || !hangs || !lies || !changes || !forgetful) throw new Error('a server is missing');
  const oauth = { grant: 'refresh_token' };
  const rows: AgentToolRow[] = [
    row('good', good.tool({ tool: 'ping' })),
    row('hangs', hangs.tool({ tool: 'refund', policy: [{ effect: 'allow' }], params: { timeout: 0.4 } })),
    row('silent', inline('hang_on_start', { tool: 'ping' })),
    row('floods', inline('flood', { tool: 'ping' })),
    row('lies', lies.tool({ tool: 'ping' })),
    row('lied', lies.tool({ tool: 'bad_ref' })),
    row('dies', inline('die_on_call', { tool: 'ping' })),
    row('changes', changes.tool({ expand: true, known_tools: ['ping'] })),
    row('expired', { transport: 'http', endpoint: expired.resource.url, tool: 'ping', oauth }),
    row('forgetful', forgetful.tool({ tool: 'ping' })),
  ];
  const { log, lines } = recordingLog();
  const config = toolsConfig();
  const pool = new ServerPool({
    config,
    log,
    redirectUrl: 'http://127.0.0.1:1/callback',
    authorize: async (url) => {
      const answer = await fetch(url, { redirect: 'manual' });
      return new URL(answer.headers.get('location') ?? '').searchParams;
    },
  });
  onTestFinished(() => pool.close());
  const join = async (nth: number): Promise<ToolCatalogue> => {
    const catalogue = await openCatalogue(rows, {
      config,
      log,
      pool,
      identity: { ...NOBODY, interactionId: `interaction-${nth}` },
      onStep: () => undefined,
      connectTimeoutMs: 3_000,
    });
    onTestFinished(() => catalogue.close());
    return catalogue;
  };
  const catalogues = await Promise.all(Array.from({ length: CONVERSATIONS }, (_, nth) => join(nth)));
  return { catalogues, pool, lines, servers: { changes, expired, forgetful: forgetful.server } };
}

test('servers that hang, flood, lie, die, change, expire and forget cost their own calls only, and nothing is stuck', async () => {
  const { catalogues, pool, lines, servers } = await setup();
  const [first] = catalogues;
  // A slow machine may take longer to start the programs than a join waits; the good ones come by themselves.
  const needed = ['good', 'lies', 'expired', 'forgetful', 'changes_ping'];
  const areThere = () =>
    catalogues.every((catalogue) =>
      needed.every(
        (name) => catalogue.definition(name)?.unavailable === undefined && catalogue.definition(name),
      ),
    );
  await until(areThere, 'the tools that work', STUCK_MS);

  for (let round = 0; round < ROUNDS; round += 1) {
    servers.expired.good.clear();
    servers.forgetful.forgetSessions();
    const calls = catalogues.flatMap((catalogue, nth) =>
      Object.keys(ALLOWED)
        // Its output is 400 MB a time.
        .filter((name) => name !== 'floods' || (round === 0 && nth === 0))
        .map(async (name) => {
          const result = await settled(name, run(catalogue, name, ARGUMENTS[name] ?? {}));
          return { name, status: result.status, output: result.output };
        }),
    );
    for (const { name, status, output } of await Promise.all(calls))
      expect(ALLOWED[name], `${name} in round ${round}: ${output}`).toContain(status);
  }

  // The new list of the one that changed came to every conversation, with what nobody has seen yet behind the gate.
  await until(
    () => catalogues.every((catalogue) => catalogue.definition('changes_bad_output') !== undefined),
    'the new tools',
    STUCK_MS,
  );
  expect(first?.definition('changes_bad_output')?.requiresPermission).toBe(true);
  // Tokens were refreshed with the grant, for each round and not for each call.
  expect(servers.expired.grants.filter((grant) => grant === 'refresh_token').length).toBeLessThanOrEqual(
    ROUNDS * 2,
  );
  // One line for each kind of trouble of each server, not one for each call.
  const warnings = lines.filter(({ level }) => level >= 40);
  expect(warnings.length).toBeLessThan(30);
  await settled('the pool', pool.close());
}, 240_000);
