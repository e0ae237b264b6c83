import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** What one process at a time does for all. */
export type ElectedRole = 'housekeeping';

const seatSchema = z.object({
  elected: z.boolean(),
  holder: z.string(),
  /** Goes up with each election; work that names an older one is refused with `term_over`. */
  term: z.number(),
  lease_until: z.string(),
});
export type Seat = z.output<typeof seatSchema>;

/** Stands for election, or renews. */
export function elect(
  db: Database,
  args: { role: ElectedRole; candidate: string; leaseSeconds: number },
): Promise<Seat> {
  return callFunction(
    db,
    'elect',
    { p_role: args.role, p_candidate: args.candidate, p_lease_seconds: args.leaseSeconds },
    seatSchema,
  );
}

/** Gives the seat back at once, for the next election not to wait for the lease. */
export async function resign(
  db: Database,
  args: { role: ElectedRole; candidate: string; term: number },
): Promise<boolean> {
  const { resigned } = await callFunction(
    db,
    'resign',
    { p_role: args.role, p_candidate: args.candidate, p_term: args.term },
    z.object({ resigned: z.boolean() }),
  );
  return resigned;
}
