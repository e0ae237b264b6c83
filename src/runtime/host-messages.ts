import { z } from 'zod';

/** What a process of many conversations tells the worker that started it. */
export const hostReportSchema = z.discriminatedUnion('kind', [
  /** Takes conversations now; the id is that of its leases. */
  z.object({ kind: z.literal('ready'), hostId: z.string() }),
  z.object({
    kind: z.literal('beat'),
    /** Conversations that run or are being taken. */
    active: z.int(),
    residentBytes: z.number(),
    /** Those that hold most, by their identity in the room, most first. */
    largest: z.array(z.object({ session: z.string(), bytes: z.number() })),
  }),
  /** Something failed outside of every session's course: it takes nothing new, and what it has goes on elsewhere. */
  z.object({ kind: z.literal('failed') }),
]);
export type HostReport = z.output<typeof hostReportSchema>;

/** What the worker tells a process of many conversations. */
export const hostOrderSchema = z.discriminatedUnion('kind', [
  /** Take nothing new; what runs goes on until a `stop`. */
  z.object({ kind: z.literal('refuse') }),
  /** Take nothing new, wait for those that run, and exit. */
  z.object({ kind: z.literal('stop'), drainMs: z.number() }),
]);
export type HostOrder = z.output<typeof hostOrderSchema>;

/** Where the watching thread finds out whose work is running: in another thread's program it reaches only what is global. */
export const RUNNING_SESSION = Symbol.for('floorwalker.running-session');
/** The file descriptor of the pipe on which that thread tells the worker; the channel of messages needs the event loop. */
export const STALL_PIPE = 4;

/** What the thread that watches such a process says of its event loop when that stands still. */
export const stallReportSchema = z.object({
  /** The session whose work is running, by its identity in the room; null when it is nobody's, or can't be told. */
  session: z.string().nullable(),
  /** Where it is, innermost first. */
  frames: z.array(z.string()),
});
export type StallReport = z.output<typeof stallReportSchema>;
