import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { EXAMPLE_PHONE, seedShopOrders } from '../../tools/orders/seed.ts';
import { createOrdersServer } from '../../tools/orders/server.ts';
import { Shop } from '../../tools/orders/shop.ts';
import { serveHttp } from '../../tools/serving/http.ts';
import { supabaseRpc } from '../../tools/serving/rpc.ts';
import { onlyBusiness } from '../../tools/serving/run.ts';
import { readSettings } from '../../tools/serving/settings.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { NOBODY, open, row, run, toolsConfig } from './support.ts';

const MAIN = fileURLToPath(new URL('../../tools/orders/main.ts', import.meta.url));
const CALLER = { ...NOBODY, phoneNumber: EXAMPLE_PHONE, phoneSource: 'sip' as const };
const STRANGER = { ...CALLER, phoneNumber: '+12025550199' };

// Each test has a shop and a server process of its own.
vi.setConfig({ testTimeout: 60_000 });

let database: TestDatabase;
let counter = 0;

beforeAll(async () => {
  database = await setupDatabase();
});
afterAll(() => database.stop());

/** A shop of its own with the example orders, and the four tools as an agent's rows have them. */
async function setup(identity: typeof CALLER = CALLER) {
  const business = await database.createBusiness();
  await seedShopOrders(database.service, business.id);
  const config = toolsConfig({
    servers: {
      orders: {
        command: 'node',
        args: [MAIN],
        env: {
          ORDERS_SUPABASE_URL: database.supabaseUrl,
          ORDERS_SUPABASE_KEY: database.secretKey,
          ORDERS_BUSINESS_ID: business.id,
        },
      },
    },
    defaultTimeoutMs: 15_000,
  });
  const rows = ['find_order', 'track_shipping', 'refund_order', 'cancel_order'].map((name) =>
    row(name, { transport: 'stdio', server: 'orders', bind: { customer_phone: 'customer.phone_number' } }),
  );
  const { catalogue, steps } = await open(rows, {
    config,
    identity: { ...identity, businessId: business.id },
    connectTimeoutMs: 15_000,
  });
  expect(steps).toEqual([]);
  return { catalogue, business };
}

const json = (output: string) => JSON.parse(output);

describe('the orders server over stdio', () => {
  test('describes its tools so that a host can gate and retry them', async () => {
    const { catalogue } = await setup();
    expect(
      catalogue.definitions.map(({ name, idempotent, inputSchema }) => [
        name,
        idempotent,
        Object.keys(inputSchema.properties ?? {}),
      ]),
    ).toEqual([
      ['find_order', true, ['order_number']],
      ['track_shipping', true, ['order_number']],
      ['refund_order', false, ['order_number', 'amount', 'reason']],
      ['cancel_order', true, ['order_number', 'reason']],
    ]);
  });

  test('finds and tracks the orders of the caller, and nobody else finds them', async () => {
    const { catalogue } = await setup();
    const found = json((await run(catalogue, 'find_order', { order_number: 1042 })).output);
    expect(found.orders).toMatchObject([
      { order_number: 1042, status: 'delivered', total: '59.90 EUR', refundable: '59.90 EUR' },
    ]);
    expect(json((await run(catalogue, 'find_order', {})).output).orders).toHaveLength(5);
    expect(json((await run(catalogue, 'track_shipping', { order_number: 1043 })).output)).toMatchObject({
      status: 'shipped',
      carrier: 'DHL',
    });

    const other = await setup(STRANGER);
    const missing = await run(other.catalogue, 'find_order', { order_number: 1042 });
    const never = await run(other.catalogue, 'find_order', { order_number: 9999 });
    expect(missing.status).toBe('failed');
    expect(missing.output.replace('1042', '9999')).toBe(never.output);
    expect((await run(other.catalogue, 'refund_order', { order_number: 1042 })).output).toContain(
      'no order 1042',
    );
    expect((await run(other.catalogue, 'cancel_order', { order_number: 1044 })).output).toContain(
      'no order 1044',
    );
  });

  test('refunds in parts, never more than was paid, and once a key', async () => {
    const { catalogue } = await setup();
    counter += 1;
    const context = {
      callId: 'c',
      idempotencyKey: `refund-${counter}`,
      signal: new AbortController().signal,
    };
    const args = { order_number: 1042, amount: 19.9, customer_phone: EXAMPLE_PHONE };
    const first = await catalogue.call('refund_order', args, context);
    expect(json(first.output)).toMatchObject({
      refunded_now: '19.90 EUR',
      order: { refundable: '40.00 EUR' },
    });
    expect((await catalogue.call('refund_order', args, context)).output).toBe(first.output);
    expect((await catalogue.call('refund_order', { ...args, amount: 1 }, context)).output).toContain(
      'other values',
    );

    expect((await run(catalogue, 'refund_order', { order_number: 1042, amount: 40.01 })).output).toContain(
      'at most 40.00 EUR',
    );
    expect((await run(catalogue, 'refund_order', { order_number: 1042, amount: 0.001 })).output).toContain(
      'two decimals',
    );
    expect((await run(catalogue, 'refund_order', { order_number: 1042, amount: -5 })).status).toBe('refused');
    expect(json((await run(catalogue, 'refund_order', { order_number: 1042 })).output)).toMatchObject({
      refunded_now: '40.00 EUR',
    });
    expect((await run(catalogue, 'refund_order', { order_number: 1042 })).output).toContain(
      'in full already',
    );
  });

  test('two refunds at once add up to no more than was paid', async () => {
    const { catalogue } = await setup();
    const results = await Promise.all(
      [1, 2, 3].map(() => run(catalogue, 'refund_order', { order_number: 1049 })),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(['failed', 'failed', 'succeeded']);
  });

  test('cancels before shipping only, and pays back', async () => {
    const { catalogue } = await setup();
    const cancelled = await run(catalogue, 'cancel_order', { order_number: 1044, reason: 'changed my mind' });
    expect(json(cancelled.output)).toMatchObject({
      cancelled: true,
      order: { status: 'cancelled', refunded: '74.50 EUR', refundable: '0.00 EUR' },
    });
    expect(json((await run(catalogue, 'cancel_order', { order_number: 1044 })).output)).toMatchObject({
      cancelled: true,
    });
    expect((await run(catalogue, 'cancel_order', { order_number: 1043 })).output).toContain(
      'shipped already',
    );
  });
});

describe('the shop in the database', () => {
  test('has the example orders once, however often they are asked for', async () => {
    const business = await database.createBusiness();
    await seedShopOrders(database.service, business.id);
    await seedShopOrders(database.service, business.id);
    const [{ orders, items, refunds } = {}] = await database.sql`
      select count(distinct o.id)::int as orders, count(distinct i.id)::int as items, count(distinct r.id)::int as refunds
      from shop_orders o join shop_order_items i on i.order_id = o.id left join shop_refunds r on r.order_id = o.id
      where o.business_id = ${business.id}`;
    expect([orders, items, refunds]).toEqual([12, 15, 1]);
  });

  test('refuses a refund beyond the price and any change of one, whoever writes it', async () => {
    const { business } = await setup();
    const [order] =
      await database.sql`select id from shop_orders where business_id = ${business.id} and order_number = 1042`;
    const insert = (cents: number, key: string, businessId = business.id) =>
      database.sql`insert into shop_refunds (business_id, order_id, amount_cents, idempotency_key)
        values (${businessId}, ${order?.id}, ${cents}, ${key})`;
    await insert(5_000, 'one');
    await expect(insert(1_000, 'two')).rejects.toThrow('more than what was paid');
    const other = await database.createBusiness();
    await expect(insert(1, 'three', other.id)).rejects.toThrow('more than what was paid');
    await expect(
      database.sql`update shop_refunds set amount_cents = 1 where idempotency_key = 'one'`,
    ).rejects.toThrow('can not be changed');
  });

  test('is read by an admin of its business only, and changed by nobody signed in', async () => {
    const { business } = await setup();
    const other = await database.createBusiness();
    const [admin, stranger, supervisor] = await Promise.all([
      database.createUser({ businessId: business.id, role: 'admin' }),
      database.createUser({ businessId: other.id, role: 'admin' }),
      database.createUser({ businessId: business.id, role: 'supervisor' }),
    ]);
    for (const table of ['shop_orders', 'shop_order_items']) {
      const count = async (client: typeof database.service) =>
        (await client.from(table).select('id')).data?.length ?? 0;
      expect(await count(admin.client), table).toBeGreaterThanOrEqual(12);
      for (const client of [stranger.client, supervisor.client, database.anonymous])
        expect(await count(client), table).toBe(0);
    }
    for (const client of [admin.client, stranger.client, supervisor.client, database.anonymous]) {
      const change = await client
        .from('shop_orders')
        .update({ status: 'processing' })
        .eq('business_id', business.id)
        .select();
      expect(change.error ?? change.data?.length).not.toBe(12);
      expect(change.error).not.toBeNull();
      for (const name of ['shop_find_order', 'shop_refund_order', 'shop_cancel_order']) {
        const args = { p_business_id: business.id, p_phone: EXAMPLE_PHONE, p_order_number: 1042 };
        const more =
          name === 'shop_refund_order'
            ? { p_amount_cents: 1, p_reason: null, p_idempotency_key: 'x' }
            : name === 'shop_cancel_order'
              ? { p_reason: null, p_idempotency_key: 'x' }
              : {};
        expect((await client.rpc(name, { ...args, ...more })).error, name).not.toBeNull();
      }
    }
  });
});

describe('the orders server over HTTP', () => {
  async function serve(token: string | undefined, businessId?: string) {
    const business = businessId ?? (await database.createBusiness()).id;
    if (businessId === undefined) await seedShopOrders(database.service, business);
    const db = createClient(database.supabaseUrl, database.secretKey, { auth: { persistSession: false } });
    const shop = new Shop(supabaseRpc(db, () => {}));
    const running = await serveHttp({
      host: '127.0.0.1',
      port: 0,
      token,
      withoutToken: 'unused',
      createServer: () => createOrdersServer(shop, business),
    });
    onTestFinished(() => running.close());
    return running.url;
  }

  test('answers any MCP client, statelessly', async () => {
    const url = await serve(undefined);
    const client = new Client({ name: 'another host', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)) as Transport);
    const { tools } = await client.listTools();
    expect(
      tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint, annotations?.destructiveHint]),
    ).toEqual([
      ['find_order', true, undefined],
      ['track_shipping', true, undefined],
      ['refund_order', false, true],
      ['cancel_order', false, true],
    ]);
    const result = await client.callTool({
      name: 'find_order',
      arguments: { customer_phone: EXAMPLE_PHONE, order_number: 1042 },
    });
    expect(result.structuredContent).toMatchObject({ orders: [{ order_number: 1042 }] });
    await client.close();
  });

  test('takes the business from a bound argument where it is told to', async () => {
    const url = await serve(undefined, 'argument');
    const business = await database.createBusiness();
    await seedShopOrders(database.service, business.id);
    const bind = { customer_phone: 'customer.phone_number', business_id: 'business.id' };
    const { catalogue } = await open([row('find_order', { transport: 'http', endpoint: url, bind })], {
      identity: { ...CALLER, businessId: business.id },
    });
    expect(json((await run(catalogue, 'find_order', { order_number: 1042 })).output).orders).toHaveLength(1);
  });

  test('wants its token, and without one refuses pages and other names', async () => {
    const guarded = await serve('s3cret-token');
    const plain = await serve(undefined);
    const post = (url: string, headers: Record<string, string>) =>
      fetch(url, { method: 'POST', body: '{}', headers }).then(({ status }) => status);
    expect(await post(guarded, {})).toBe(401);
    expect(await post(guarded, { authorization: 'Bearer wrong' })).toBe(401);
    expect(await post(guarded, { authorization: 'Bearer s3cret-token' })).not.toBe(401);
    expect(await post(plain, { origin: 'https://evil.example' })).toBe(401);
    const config = toolsConfig({}, { SHOP: ['s3cret-token', ['127.0.0.1']] });
    const tool = {
      transport: 'http',
      endpoint: guarded,
      auth_type: 'bearer',
      auth_secret: 'SHOP',
      bind: { customer_phone: 'customer.phone_number' },
    };
    const { catalogue } = await open([row('find_order', tool)], { config, identity: CALLER });
    expect((await run(catalogue, 'find_order', {})).status).toBe('succeeded');
    await expect(
      serveHttp({
        host: '0.0.0.0',
        port: 0,
        token: undefined,
        withoutToken: 'ORDERS_TOKEN is not set.',
        createServer: () => {
          throw new Error('unused');
        },
      }),
    ).rejects.toThrow('ORDERS_TOKEN');
  });
});

test('settings that can not be used are named all at once, with what to do', () => {
  expect(() => readSettings('ORDERS', { ORDERS_BUSINESS_ID: 'x' })).toThrow(
    /ORDERS_SUPABASE_URL[\s\S]*ORDERS_SUPABASE_KEY[\s\S]*ORDERS_BUSINESS_ID/,
  );
});

test('without a business id the only business is the shop, and with several the server says what to set', async () => {
  const alone = await setupDatabase();
  onTestFinished(() => alone.stop());
  const find = () => onlyBusiness(alone.service, 'ORDERS');
  await expect(find()).rejects.toThrow('There is no business');
  const business = await alone.createBusiness();
  expect(await find()).toBe(business.id);
  await alone.createBusiness();
  await expect(find()).rejects.toThrow('ORDERS_BUSINESS_ID');
});
