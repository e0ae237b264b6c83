import { z } from 'zod';

/** What a process of chats tells the worker that started it. */
export const hostReportSchema = z.discriminatedUnion('kind', [
  /** Takes chats now; the id is that of its leases. */
  z.object({ kind: z.literal('ready'), hostId: z.string() }),
  z.object({
    kind: z.literal('beat'),
    /** Chats that run or are being taken. */
    active: z.int(),
    residentBytes: z.number(),
  }),
]);
export type HostReport = z.output<typeof hostReportSchema>;

/** What the worker tells a process of chats. */
export const hostOrderSchema = z.discriminatedUnion('kind', [
  /** Take no new chats, wait for those that run, and exit. */
  z.object({ kind: z.literal('stop'), drainMs: z.number() }),
]);
export type HostOrder = z.output<typeof hostOrderSchema>;
