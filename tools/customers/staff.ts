import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { answer, type BusinessChoice, phone, reads, refusal } from '../serving/results.ts';
import { healthAnswer, healthAnswerSchema, unknown } from './answers.ts';
import { type CustomerCare, profileSchema, riskSchema } from './care.ts';

const score = z.number().int().min(0).max(100);
const limit = z.number().int().min(1).max(50).default(20);

/** For people's own assistants: these look across customers, which no conversation with a customer may. */
export function registerStaffTools(server: McpServer, care: CustomerCare, business: BusinessChoice): void {
  server.registerTool(
    'search_customers',
    {
      title: 'Search customers',
      description: 'Finds customers by a part of their name, company or phone number.',
      inputSchema: { ...business.input, query: z.string().trim().min(2).max(100), limit },
      outputSchema: { customers: z.array(profileSchema) },
      annotations: { title: 'Search customers', ...reads },
    },
    async (args) => answer({ customers: await care.search(business.of(args), args.query, args.limit) }),
  );

  server.registerTool(
    'customers_at_risk',
    {
      title: 'Customers at risk',
      description:
        'Who is at risk (a score below 60, or an open signal that is high or critical), the least healthy first. ' +
        'With renewing_within_days: whose contract ends by then, at risk or not.',
      inputSchema: {
        ...business.input,
        renewing_within_days: z.number().int().min(1).max(730).optional(),
        limit,
      },
      outputSchema: { customers: z.array(riskSchema) },
      annotations: { title: 'Customers at risk', ...reads },
    },
    async (args) =>
      answer({ customers: await care.atRisk(business.of(args), args.renewing_within_days, args.limit) }),
  );

  server.registerTool(
    'record_health',
    {
      title: 'Record a health score',
      description: 'Adds a new score of a customer, from 0 (bad) to 100. Earlier ones are kept.',
      inputSchema: {
        ...business.input,
        customer_phone: phone,
        overall: score,
        product: score.optional().describe('How much of the product they use'),
        risk: score.optional().describe('100 where nothing is at risk'),
        outcomes: score.optional().describe('Whether they reach their goals'),
        voice: score.optional().describe('What they say of us'),
        engagement: score.optional().describe('How active they are'),
      },
      outputSchema: healthAnswerSchema,
      annotations: {
        title: 'Record a health score',
        openWorldHint: false,
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: false,
      },
    },
    async (args) => {
      const { overall, product, risk, outcomes, voice, engagement } = args;
      const done = await care.recordHealth(
        { businessId: business.of(args), phone: args.customer_phone },
        { overall, product, risk, outcomes, voice, engagement },
      );
      return done.outcome === 'found' ? answer(healthAnswer(done)) : refusal(unknown());
    },
  );

  server.registerTool(
    'resolve_signal',
    {
      title: 'Close a signal of risk',
      description: 'Says of a signal of risk that it has been dealt with.',
      inputSchema: { ...business.input, signal_id: z.guid() },
      outputSchema: { resolved: z.boolean() },
      annotations: {
        title: 'Close a signal of risk',
        openWorldHint: false,
        readOnlyHint: false,
        destructiveHint: true,
        idempotentHint: true,
      },
    },
    async (args) => {
      const { outcome } = await care.resolveSignal(business.of(args), args.signal_id);
      return outcome === 'done'
        ? answer({ resolved: true })
        : refusal(
            'Not closed: there is no such signal. customers_at_risk shows the open ones with their ids.',
          );
    },
  );
}
