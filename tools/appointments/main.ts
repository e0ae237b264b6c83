#!/usr/bin/env node
import { runToolServer } from '../serving/run.ts';
import { Calendar } from './calendar.ts';
import { createAppointmentsServer } from './server.ts';

runToolServer(
  {
    name: 'appointments',
    port: 8802,
    risk: "Anyone who reaches this server could book and cancel in a customer's name",
    create: (rpc, businessId) => createAppointmentsServer(new Calendar(rpc), businessId),
  },
  process.argv.slice(2),
  process.env,
);
