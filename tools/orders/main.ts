#!/usr/bin/env node
import { runToolServer } from '../serving/run.ts';
import { createOrdersServer } from './server.ts';
import { Shop } from './shop.ts';

runToolServer(
  {
    name: 'orders',
    port: 8801,
    risk: 'Anyone who reaches this server could move money',
    create: (rpc, businessId) => createOrdersServer(new Shop(rpc), businessId),
  },
  process.argv.slice(2),
  process.env,
);
