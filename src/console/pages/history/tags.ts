import * as z from 'zod/mini';

const tagsSchema = z.object({
  topics: z._default(z.array(z.string()), []),
  sentiment: z.optional(z.enum(['good', 'neutral', 'critical'])),
  issues: z._default(z.array(z.object({ tag: z.string(), status: z.string() })), []),
});
const issuesSchema = z.array(
  z.object({ issue: z.string(), status: z._default(z.string(), ''), priority: z.optional(z.string()) }),
);

export type Tags = z.output<typeof tagsSchema>;
export type Issue = z.output<typeof issuesSchema>[number];

/** As the wrap-up wrote them; what an older one wrote in another form is left out. */
export function readTags(value: unknown): Tags {
  return tagsSchema.safeParse(value).data ?? { topics: [], issues: [] };
}

export function readIssues(value: unknown): Issue[] {
  return issuesSchema.safeParse(value).data ?? [];
}

/** `late_delivery` as people say it. */
export function tagWords(tag: string): string {
  return tag.replaceAll('_', ' ');
}
