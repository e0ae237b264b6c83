import { randomUUID } from 'node:crypto';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

/** A host that may ask twice sends the same key in `_meta` of both calls. */
const IDEMPOTENCY_META_KEY = 'floorwalker/idempotency-key';

/** Without one, each call is a request of its own. */
export function keyFrom(meta: Readonly<Record<string, unknown>> | undefined): string {
  const key = meta?.[IDEMPOTENCY_META_KEY];
  return typeof key === 'string' && key.length > 0 && key.length <= 200 ? key : randomUUID();
}

export function answer(structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
}

/** Says what was not done, why, and what can be done instead. */
export function refusal(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

export const phone = z
  .string()
  .regex(/^\+[1-9][0-9]{6,14}$/)
  .describe('Phone number of the customer in E.164 form, for example +12025550142. Bind it to the caller.');

const businessId = z.guid().describe('Id of the business. Bind it, a model can not know it.');

/** Whose data a call is about: one business for all calls, or the one each call brings. */
export interface BusinessChoice {
  /** Added to every tool's arguments. */
  readonly input: Readonly<Record<string, z.ZodType>>;
  of(args: Readonly<Record<string, unknown>>): string;
}

/** `argument`: each call brings `business_id`, which the host binds. */
export function chooseBusiness(business: string): BusinessChoice {
  if (business !== 'argument') return { input: {}, of: () => business };
  return { input: { business_id: businessId }, of: (args) => businessId.parse(args.business_id) };
}

export const reads = { openWorldHint: false, readOnlyHint: true, idempotentHint: true } as const;
