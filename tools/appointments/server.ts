import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { chooseCustomer } from '../serving/customer.ts';
import { answer, keyFrom, reads, refusal } from '../serving/results.ts';
import { appointmentSchema, type Calendar, type Put, slotSchema } from './calendar.ts';

const day = z.iso.date();
const startsAt = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d$/)
  .refine((text) => day.safeParse(text.slice(0, 10)).success, 'There is no such day.')
  .describe('A start that find_slots offered, local time of the business, for example 2026-05-04T10:30');
const calendar = z
  .string()
  .min(1)
  .max(100)
  .optional()
  .describe('With whom or for what; needed where there are several calendars');
const reference = z
  .number()
  .int()
  .min(1_000)
  .max(99_999_999)
  .describe('Number of the appointment, as list_appointments has it');

const changes = { openWorldHint: false, readOnlyHint: false } as const;

/** A business's calendars. What can't be (closed, taken, another's appointment) the database refuses. */
export function createAppointmentsServer(book: Calendar, businessId: string): McpServer {
  const server = new McpServer({ name: 'floorwalker-appointments', version: '0.1.0' });
  const { business, customerOf, identity } = chooseCustomer(businessId);

  server.registerTool(
    'find_slots',
    {
      title: 'Find free times',
      description:
        'Offers free times, the next ones first, in local time of the business. Offer the customer two or three of them.',
      inputSchema: {
        ...business.input,
        calendar,
        from: day.optional().describe('First day to look at, for example 2026-05-04; today when left out'),
        days: z.number().int().min(1).max(31).default(7).describe('How many days to look at'),
        limit: z.number().int().min(1).max(50).default(12),
      },
      outputSchema: {
        calendar: z.string(),
        time_zone: z.string(),
        now: z.string(),
        minutes: z.number().int(),
        slots: z.array(slotSchema),
      },
      annotations: { title: 'Find free times', ...reads },
    },
    async (args) => {
      const found = await book.slots(business.of(args), args);
      if (found.outcome === 'no_calendar') return refusal(noCalendar(found.calendars));
      const { outcome: _, ...slots } = found;
      return answer(slots);
    },
  );

  server.registerTool(
    'list_appointments',
    {
      title: 'Appointments of the customer',
      description: 'The coming appointments of this customer, the next one first.',
      inputSchema: identity,
      outputSchema: { appointments: z.array(appointmentSchema) },
      annotations: { title: 'Appointments of the customer', ...reads },
    },
    async (args) => answer({ appointments: await book.list(customerOf(args)) }),
  );

  server.registerTool(
    'book_appointment',
    {
      title: 'Book an appointment',
      description: 'Books a free time for this customer. Say day and time and get a yes first.',
      inputSchema: {
        ...identity,
        calendar,
        starts_at: startsAt,
        customer_name: z.string().min(1).max(200).optional(),
        reason: z.string().max(1_000).optional().describe('What it is about, in a few words'),
      },
      outputSchema: { appointment: appointmentSchema },
      // Not idempotent by itself: a host that repeats a call sends the same key.
      annotations: {
        title: 'Book an appointment',
        ...changes,
        destructiveHint: false,
        idempotentHint: false,
      },
    },
    async (args, { _meta }) =>
      put(
        await book.put(customerOf(args), {
          calendar: args.calendar,
          startsAt: args.starts_at,
          name: args.customer_name,
          reason: args.reason,
          idempotencyKey: keyFrom(_meta),
        }),
        'booked',
      ),
  );

  server.registerTool(
    'move_appointment',
    {
      title: 'Move an appointment',
      description:
        'Moves an appointment of this customer to another free time; the old time is given up. Get a yes first.',
      inputSchema: { ...identity, reference, starts_at: startsAt },
      outputSchema: { appointment: appointmentSchema },
      annotations: {
        title: 'Move an appointment',
        ...changes,
        destructiveHint: true,
        idempotentHint: true,
      },
    },
    async (args, { _meta }) =>
      put(
        await book.put(customerOf(args), {
          reference: args.reference,
          startsAt: args.starts_at,
          idempotencyKey: keyFrom(_meta),
        }),
        'moved',
      ),
  );

  server.registerTool(
    'cancel_appointment',
    {
      title: 'Cancel an appointment',
      description:
        'Cancels an appointment of this customer; its time is free for others at once. Get a yes first.',
      inputSchema: { ...identity, reference },
      outputSchema: { appointment: appointmentSchema },
      annotations: {
        title: 'Cancel an appointment',
        ...changes,
        destructiveHint: true,
        idempotentHint: true,
      },
    },
    async (args) => {
      const result = await book.cancel(customerOf(args), args.reference);
      return result.outcome === 'done'
        ? answer({ appointment: result.appointment })
        : refusal(notFound('cancelled'));
    },
  );

  return server;
}

function put(result: Put, done: 'booked' | 'moved'): CallToolResult {
  switch (result.outcome) {
    case 'done':
      return answer({ appointment: result.appointment });
    case 'not_free':
      return refusal(
        `Not ${done}: this time is not free. ${
          result.free.length > 0
            ? `Offer one of these: ${result.free.join(', ')}.`
            : 'Nothing is free in the week from that day on; look for later days with find_slots.'
        }`,
      );
    case 'too_many':
      return refusal(
        `Not ${done}: this customer has ${result.limit} coming appointments here, and no more are allowed. Offer to move one.`,
      );
    case 'no_calendar':
      return refusal(noCalendar(result.calendars));
    case 'not_found':
      return refusal(notFound(done));
    case 'key_reused':
      return refusal(
        `Not ${done}: this request was made before with other values. Look at list_appointments before you try again.`,
      );
  }
}

/** The same words for an appointment that is not there and for another customer's. */
function notFound(done: string): string {
  return `Not ${done}: there is no such coming appointment under the phone number of this customer. Look at list_appointments.`;
}

function noCalendar(names: readonly string[]): string {
  if (names.length === 0) return 'There are no calendars here, so nothing can be booked. Offer a callback.';
  return `Say which calendar; there are: ${names.join(', ')}.`;
}
