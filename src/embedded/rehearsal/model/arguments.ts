import { z } from 'zod';
import type { Said } from './conversation.ts';

const propertySchema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
});

interface Known {
  /** Values that are certain; taken only if the tool has an argument of that name. */
  readonly fixed: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly orderNumber: string | undefined;
  readonly said: readonly Said[];
}

/** Fills a tool's arguments from the conversation, by the names and types that its schema gives them. */
export function argumentsFor(
  parameters:
    | { properties?: Record<string, unknown> | undefined; required?: string[] | undefined }
    | undefined,
  known: Known,
): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  const required = new Set(parameters?.required ?? []);
  for (const [name, schema] of Object.entries(parameters?.properties ?? {})) {
    const property = propertySchema.safeParse(schema).data ?? {};
    const value = known.fixed[name] ?? guess(name, property, known, required.has(name));
    if (value !== undefined) args[name] = value;
  }
  return parameters?.properties === undefined ? { ...known.fixed } : args;
}

function guess(
  name: string,
  property: z.output<typeof propertySchema>,
  known: Known,
  required: boolean,
): unknown {
  const numeric = [property.type].flat().some((type) => type === 'integer' || type === 'number');
  if (/order|number|^id$|reference/i.test(name) && known.orderNumber !== undefined && !/phone/i.test(name)) {
    return numeric ? Number(known.orderNumber.replace(/\D/g, '')) : known.orderNumber;
  }
  // An amount that nobody named is left to the tool: the whole order.
  if (!required) return /reason|note/i.test(name) && !property.enum ? reasonOf(known) : undefined;
  if (property.enum !== undefined) return property.enum[0];
  if (numeric) return property.minimum ?? 1;
  if ([property.type].flat().includes('boolean')) return true;
  return reasonOf(known);
}

/** Why the customer wants it, in their own words. */
function reasonOf(known: Known): string {
  const reasons = known.said.filter(({ role, text }) => role === 'customer' && text.split(' ').length > 2);
  const telling = reasons.findLast(({ text }) =>
    /broke|damag|wrong|late|never|because|refund|cancel|defect|missing|changed/i.test(text),
  );
  return (
    (telling?.text ?? reasons.at(-1)?.text ?? known.text ?? 'The customer asks for it.').slice(0, 200) ||
    'The customer asks for it.'
  );
}
