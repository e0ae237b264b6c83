import { z } from 'zod';
import type { Database } from './client.ts';
import { channelSchema } from './rows.ts';
import { callFunction } from './rpc.ts';

export type Period = 'today' | 'month';

const performanceSchema = z.object({
  supervisor_id: z.guid(),
  name: z.string(),
  username: z.string(),
  supervisor_type: channelSchema,
  score: z.coerce.number(),
  total_calls: z.number(),
  /** Null without a call in the period. */
  avg_csat: z.coerce.number().nullable(),
  avg_handle_time: z.coerce.number().nullable(),
  fcr_percentage: z.coerce.number().nullable(),
});
export type SupervisorPerformance = z.output<typeof performanceSchema>;

/** Own figures, or all of the business for an admin. @throws FloorwalkerError `not_allowed`, `unknown_period` */
export function performance(db: Database, args: { period: Period }): Promise<SupervisorPerformance[]> {
  return callFunction(db, 'performance', { p_period: args.period }, z.array(performanceSchema));
}

const rankSchema = z.object({
  rank: z.number(),
  username: z.string(),
  name: z.string(),
  supervisor_type: channelSchema,
  score: z.coerce.number(),
  is_me: z.boolean(),
});

/** Who is how good, among the own type. @throws FloorwalkerError `not_allowed`, `unknown_period` */
export function leaderboard(db: Database, args: { period: Period }): Promise<z.output<typeof rankSchema>[]> {
  return callFunction(db, 'leaderboard', { p_period: args.period }, z.array(rankSchema));
}

/** 0 to 100. @throws FloorwalkerError `not_allowed`, `user_not_found`, `unknown_period` */
export function calculatePerformanceScore(
  db: Database,
  args: { supervisorId: string; period: Period },
): Promise<number> {
  const parameters = { p_supervisor_id: args.supervisorId, p_period: args.period };
  return callFunction(db, 'calculate_performance_score', parameters, z.coerce.number());
}

const agentFiguresSchema = z.object({
  agent_id: z.guid(),
  agent_name: z.string(),
  agent_type: channelSchema,
  supervisor_id: z.guid(),
  total_interactions: z.number(),
  avg_csat: z.coerce.number().nullable(),
  avg_handle_time: z.coerce.number().nullable(),
  fcr_percentage: z.coerce.number().nullable(),
});
export type AgentFigures = z.output<typeof agentFiguresSchema>;

/** The agents this person sees, covered ones included. @throws FloorwalkerError `not_allowed`, `unknown_period` */
export function performanceByAgent(db: Database, args: { period: Period }): Promise<AgentFigures[]> {
  return callFunction(db, 'performance_by_agent', { p_period: args.period }, z.array(agentFiguresSchema));
}

const daySchema = z.object({
  /** A date in the time zone of the business. */
  day: z.string(),
  interactions: z.number(),
  avg_csat: z.coerce.number().nullable(),
  fcr_percentage: z.coerce.number().nullable(),
});

/**
 * Day by day, today last; 1 to 366 days. Of the agents one supervises, for an admin of all, or of one agent.
 *
 * @throws FloorwalkerError `not_allowed`, `agent_not_found`, `unknown_period`
 */
export function performanceSeries(
  db: Database,
  args: { days: number; agentId?: string | undefined },
): Promise<z.output<typeof daySchema>[]> {
  const parameters = { p_days: args.days, p_agent_id: args.agentId ?? null };
  return callFunction(db, 'performance_series', parameters, z.array(daySchema));
}
