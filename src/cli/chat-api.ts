import { z } from 'zod';
import type { ChatPlace } from './chat-place.ts';

const joinSchema = z.object({
  interaction_id: z.string(),
  room: z.string(),
  url: z.string(),
  token: z.string(),
});
const createdSchema = joinSchema.extend({ resume_token: z.string() });
const problemSchema = z.looseObject({ code: z.string(), detail: z.string() });

export type Join = z.output<typeof joinSchema>;
export type Created = z.output<typeof createdSchema>;

const TIMEOUT_MS = 15_000;

/** The API said no, or (`unreachable`) nothing at all. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal';
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Whether the same request may well succeed a little later. */
  get passing(): boolean {
    return ['unreachable', 'media_unavailable', 'database_unavailable', 'rate_limited'].includes(this.code);
  }
}

/** The customers' three routes, as any client would call them. */
export class ChatApi {
  readonly #place: ChatPlace;

  constructor(place: ChatPlace) {
    this.#place = place;
  }

  async create(): Promise<Created> {
    const body = { agent_id: this.#place.agentId, channel: 'chat' };
    return createdSchema.parse(await this.#post('/v1/interactions', body));
  }

  async rejoin(interactionId: string, resumeToken: string): Promise<Join> {
    const answer = await this.#post(`/v1/interactions/${interactionId}/rejoin`, {
      resume_token: resumeToken,
    });
    return joinSchema.parse(answer);
  }

  async rate(interactionId: string, resumeToken: string, score: number): Promise<void> {
    await this.#post(`/v1/interactions/${interactionId}/rating`, { resume_token: resumeToken, score });
  }

  async #post(path: string, body: unknown): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${this.#place.apiUrl}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', apikey: this.#place.publishableKey },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch {
      throw new ApiRefusal('unreachable', `The API at ${this.#place.apiUrl} does not answer.`);
    }
    if (response.status === 204) return undefined;
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return answer;
    const problem = problemSchema.safeParse(answer);
    const retryAfter = Number(response.headers.get('retry-after'));
    throw new ApiRefusal(
      problem.data?.code ?? 'unreachable',
      problem.data?.detail ?? `The API at ${this.#place.apiUrl} answered ${response.status}.`,
      retryAfter > 0 ? retryAfter : undefined,
    );
  }
}
