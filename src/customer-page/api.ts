import * as z from 'zod/mini';

const TIMEOUT_MS = 15_000;

const configSchema = z.object({ publishable_key: z.string(), rehearsal: z.optional(z.boolean()) });
const agentSchema = z.object({
  id: z.string(),
  name: z.string(),
  agent_type: z.enum(['chat', 'voice']),
  language: z.string(),
  business_name: z.string(),
});
const agentsSchema = z.object({ data: z.array(agentSchema) });
/** How many customers wait before this one; absent when the installation does not say. */
const position = z.nullish(z.number());
const joinSchema = z.object({ interaction_id: z.string(), url: z.string(), token: z.string(), position });
const createdSchema = z.extend(joinSchema, { resume_token: z.string() });
const problemSchema = z.object({
  code: z.string(),
  /** Of an interaction that has ended: how. */
  interaction_status: z.optional(z.string()),
});

export type PublicAgent = z.output<typeof agentSchema>;
export type Channel = PublicAgent['agent_type'];
export type Join = z.output<typeof joinSchema>;
export type Created = z.output<typeof createdSchema>;

/** The API said no, or (`unreachable`) nothing that we understand. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;
  /** What it was about had to be given up: the fault is not the customer's. */
  readonly failed: boolean;

  constructor(code: string, retryAfterSeconds?: number, failed = false) {
    super(code);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
    this.failed = failed;
  }

  /** Whether the same request may well succeed a little later. */
  get passing(): boolean {
    return ['unreachable', 'media_unavailable', 'database_unavailable', 'rate_limited', 'internal'].includes(
      this.code,
    );
  }
}

/** What a customer's page asks of the API, on the page's own origin. */
export class CustomerApi {
  readonly #publishableKey: string;
  /** Scripts stand in for the models; whoever talks to them has to know. */
  readonly rehearsal: boolean;

  private constructor(config: z.output<typeof configSchema>) {
    this.#publishableKey = config.publishable_key;
    this.rehearsal = config.rehearsal ?? false;
  }

  /** @throws Refusal */
  static async connect(page: 'try' | 'widget'): Promise<CustomerApi> {
    return new CustomerApi(configSchema.parse(await request(`/${page}/config.json`, {})));
  }

  /** Those of a business, named where the installation has several; or the one of a widget. */
  async agents(which: { business?: string; agent_id?: string } = {}): Promise<PublicAgent[]> {
    const query = new URLSearchParams(which);
    const { data } = agentsSchema.parse(await this.#ask(`/v1/public/agents?${query}`));
    return data;
  }

  async create(agentId: string, channel: Channel): Promise<Created> {
    return createdSchema.parse(await this.#ask('/v1/interactions', { agent_id: agentId, channel }));
  }

  async rejoin(interactionId: string, resumeToken: string): Promise<Join> {
    const path = `/v1/interactions/${interactionId}/rejoin`;
    return joinSchema.parse(await this.#ask(path, { resume_token: resumeToken }));
  }

  /** They are done: what was said is archived. Also sent by a page that closes in this moment. */
  async leave(interactionId: string, resumeToken: string): Promise<void> {
    await this.#ask(`/v1/interactions/${interactionId}/leave`, { resume_token: resumeToken }, true);
  }

  async rate(interactionId: string, resumeToken: string, score: number, comment: string): Promise<void> {
    await this.#ask(`/v1/interactions/${interactionId}/rating`, {
      resume_token: resumeToken,
      score,
      ...(comment === '' ? {} : { comment }),
    });
  }

  #ask(path: string, body?: unknown, keepalive = false): Promise<unknown> {
    const headers = { apikey: this.#publishableKey, 'content-type': 'application/json' };
    return request(
      path,
      body === undefined ? { headers } : { method: 'POST', headers, keepalive, body: JSON.stringify(body) },
    );
  }
}

async function request(path: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS), credentials: 'omit' });
  } catch {
    throw new Refusal('unreachable');
  }
  if (response.status === 204) return undefined;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  const problem = problemSchema.safeParse(answer);
  const retryAfter = Number(response.headers.get('retry-after'));
  throw new Refusal(
    problem.data?.code ?? 'unreachable',
    retryAfter > 0 ? retryAfter : undefined,
    problem.data?.interaction_status === 'failed',
  );
}
