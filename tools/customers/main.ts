#!/usr/bin/env node
import { runToolServer } from '../serving/run.ts';
import { CustomerCare } from './care.ts';
import { createCustomersServer } from './server.ts';

runToolServer(
  {
    name: 'customers',
    roles: ['customers', 'customers_staff'],
    port: 8803,
    risk: 'Anyone who reaches this server could read what is known of customers',
    create: (rpc, businessId, env) =>
      createCustomersServer(new CustomerCare(rpc), businessId, { staff: env.CUSTOMERS_STAFF === '1' }),
  },
  process.argv.slice(2),
  process.env,
);
