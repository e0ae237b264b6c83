import { z } from 'zod';

/**
 * Rules of a tool, in its `tool_config`: the first that applies decides whether a call is allowed, asked for or
 * forbidden; without one, `requires_permission` does. The database evaluates them (migration "tool_policy"), where
 * sums can be had and nothing can come between; here they are only read, so that a wrong one is found when it is saved.
 */
const conditionSchema = z
  .strictObject({
    present: z.boolean().optional(),
    equals: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
    one_of: z
      .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .min(1)
      .max(100)
      .optional(),
    above: z.number().optional(),
    at_most: z.number().optional(),
  })
  .refine((condition) => Object.keys(condition).length > 0, 'must say what it compares with');

const totalFields = {
  argument: z.string().min(1),
  above: z.number().optional(),
  at_most: z.number().optional(),
};
const hasBound = (total: { above?: number | undefined; at_most?: number | undefined }) =>
  total.above !== undefined || total.at_most !== undefined;
const NEEDS_BOUND = 'must have "above" or "at_most"';

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM');
const timeSchema = z
  .strictObject({
    from: clockTime.optional(),
    to: clockTime.optional(),
    days: z
      .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
      .min(1)
      .optional(),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), '"from" and "to" go together')
  .refine(({ from, days }) => from !== undefined || days !== undefined, 'must have hours or days');

export const policySchema = z
  .array(
    z.strictObject({
      effect: z.enum(['allow', 'ask', 'forbid']),
      /** Told to the model, and shown to who decides. */
      because: z.string().min(1).max(300).optional(),
      when: z
        .strictObject({
          arguments: z.record(z.string().min(1), conditionSchema).optional(),
          /** The sum of a number over the calls of this tool in this interaction, this one included. */
          interaction_total: z.strictObject(totalFields).refine(hasBound, NEEDS_BOUND).optional(),
          /** The same since midnight in the business's time zone, of this customer or of the whole business. */
          day_total: z
            .strictObject({ ...totalFields, of: z.enum(['customer', 'business']).optional() })
            .refine(hasBound, NEEDS_BOUND)
            .optional(),
          /** How the customer's number is known. */
          customer: z
            .array(z.enum(['unknown', 'claimed', 'verified']))
            .min(1)
            .optional(),
          time: timeSchema.optional(),
        })
        .optional(),
    }),
  )
  .min(1)
  .max(20);
