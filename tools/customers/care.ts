import { z } from 'zod';
import { type Customer, who } from '../serving/customer.ts';
import type { Rpc } from '../serving/rpc.ts';

const number = z.coerce.number();
const when = z.string();

export const profileSchema = z.object({
  phone_number: z.string(),
  name: z.string().nullable(),
  known_since: when,
  company: z.string().nullable(),
  tier: z.enum(['enterprise', 'mid-market', 'smb']).nullable(),
  status: z.enum(['active', 'paused', 'churned']),
  yearly_revenue: z.number().nullable(),
  renewal_date: z.string().nullable(),
  manager: z.string().nullable(),
  standing: z.enum(['healthy', 'at_risk']).nullable(),
  conversations: z.number(),
  last_conversation_at: when.nullable(),
  notes: z.number(),
});

export const noteSchema = z.object({
  body: z.string(),
  author: z.enum(['agent', 'person']),
  created_at: when,
});

export const SIGNALS = [
  'usage_drop',
  'champion_left',
  'support_escalation',
  'nps_detractor',
  'competitor_threat',
  'payment_issue',
] as const;
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;

export const signalSchema = z.object({
  id: z.string(),
  signal: z.enum(SIGNALS),
  severity: z.enum(SEVERITIES),
  description: z.string(),
  detected_at: when,
});

export const scoreSchema = z.object({
  overall: z.number(),
  product: z.number().nullable(),
  risk: z.number().nullable(),
  outcomes: z.number().nullable(),
  voice: z.number().nullable(),
  engagement: z.number().nullable(),
  calculated_at: when,
});

export const riskSchema = profileSchema.extend({
  overall: z.number().nullable(),
  signals: z.array(signalSchema),
});

const notFound = z.object({ outcome: z.literal('not_found') });
const keyReused = z.object({ outcome: z.literal('key_reused') });
const readProfile = profileSchema.extend({ yearly_revenue: number.nullable() });

const findSchema = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('found'), customer: readProfile }),
  notFound,
]);
const healthSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('found'),
    standing: profileSchema.shape.standing,
    scores: z.array(scoreSchema),
    signals: z.array(signalSchema),
  }),
  notFound,
]);
export type Health = Extract<z.output<typeof healthSchema>, { outcome: 'found' }>;
const noteDone = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('done'), created_at: when }),
  keyReused,
]);
const signalDone = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('done'), signals: z.array(signalSchema) }),
  keyReused,
]);
const resolved = z.object({ outcome: z.enum(['done', 'not_found']) });

/** What is known of customers, through the database's functions. */
export class CustomerCare {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async find(customer: Customer) {
    return findSchema.parse(await this.#rpc('crm_find', who(customer)));
  }

  async health(customer: Customer) {
    return healthSchema.parse(await this.#rpc('crm_health', who(customer)));
  }

  async notes(customer: Customer, limit: number) {
    return z.array(noteSchema).parse(await this.#rpc('crm_list_notes', { ...who(customer), p_limit: limit }));
  }

  async addNote(customer: Customer, body: string, key: string) {
    return noteDone.parse(await this.#rpc('crm_add_note', { ...who(customer), p_body: body, p_key: key }));
  }

  async reportSignal(
    customer: Customer,
    given: { signal: string; severity: string; description: string; key: string },
  ) {
    const args = {
      p_signal: given.signal,
      p_severity: given.severity,
      p_description: given.description,
      p_key: given.key,
    };
    return signalDone.parse(await this.#rpc('crm_report_signal', { ...who(customer), ...args }));
  }

  async search(businessId: string, query: string, limit: number) {
    const args = { p_business_id: businessId, p_query: query, p_limit: limit };
    return z.array(readProfile).parse(await this.#rpc('crm_search', args));
  }

  /** Without days: who is at risk; with days: whose contract ends within so many. */
  async atRisk(businessId: string, renewalDays: number | undefined, limit: number) {
    const args = { p_business_id: businessId, p_renewal_days: renewalDays ?? null, p_limit: limit };
    return z
      .array(riskSchema.extend({ yearly_revenue: number.nullable() }))
      .parse(await this.#rpc('crm_at_risk', args));
  }

  async recordHealth(customer: Customer, scores: Readonly<Record<string, number | undefined>>) {
    return healthSchema.parse(await this.#rpc('crm_record_health', { ...who(customer), p_scores: scores }));
  }

  async resolveSignal(businessId: string, signalId: string) {
    const args = { p_business_id: businessId, p_signal_id: signalId };
    return resolved.parse(await this.#rpc('crm_resolve_signal', args));
  }
}
