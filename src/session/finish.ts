import type { llm } from '@livekit/agents';
import type { PromptBook } from '../definitions/prompts.ts';
import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Claim } from './claim.ts';
import { delay } from './clock.ts';
import type { Conversation } from './conversation.ts';
import type { ArchiveFacts, SessionServices } from './services.ts';
import { summarise, transcriptText } from './wrap-up.ts';

export interface Ended {
  readonly status: 'completed' | 'failed';
  readonly reason: string;
}

/** `ended`: archived here. `left`: another worker has it, or will take it up. */
export type SessionOutcome =
  | ({ readonly kind: 'ended' } & Ended)
  | { readonly kind: 'left'; readonly why: string };

export interface FinishDeps {
  readonly claim: Claim;
  readonly services: SessionServices;
  readonly conversation: Conversation;
  readonly prompts: PromptBook;
  readonly model: llm.LLM;
  readonly log: Log;
  readonly ended: Ended;
  /** @param forAll the room is deleted; otherwise only left, because another worker carries the interaction on. */
  closeRoom(forAll: boolean): Promise<void>;
}

const ARCHIVE_RETRY_MS = [200, 500, 1_000, 2_000];

/**
 * The order in which an interaction ends: what is known is stored, the archive with its facts is made,
 * and only then the room is closed and the model asked for a summary, both of which may fail.
 *
 * While the database is away this waits for it, however long that takes: the session keeps its lease as soon as it
 * can be renewed, and what was said is nowhere else. If the process ends before, whoever claims the interaction next
 * archives it from what was stored.
 */
export async function finishInteraction(deps: FinishDeps): Promise<void> {
  await deps.services.outbox.flushed();
  const archive = await archiveFacts(deps);
  const worthASummary = archive && !archive.already && deps.conversation.turns().length > 0;
  await Promise.all([
    deps.closeRoom(archive !== undefined),
    worthASummary ? fileSummary(deps, archive) : undefined,
  ]);
}

async function archiveFacts({ claim, services, ended, log }: FinishDeps): Promise<ArchiveFacts | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await services.interactions.complete(claim, ended.status, ended.reason);
    } catch (err) {
      if (!isFloorwalkerError(err, 'database_unavailable')) {
        log.error({ err }, 'the interaction could not be archived');
        return undefined;
      }
      if (attempt === 0) log.warn({ err }, 'the archive waits for the database');
      await delay(services.clock, ARCHIVE_RETRY_MS[attempt] ?? 2_000);
    }
  }
}

async function fileSummary(deps: FinishDeps, archive: ArchiveFacts): Promise<void> {
  const { claim, services, conversation, prompts, model, log } = deps;
  try {
    const wrapUp = await summarise(
      {
        businessName: claim.business.name,
        channel: claim.channel,
        language: claim.agent.language,
        facts: JSON.stringify(archive.facts),
        transcript: transcriptText(conversation.items),
      },
      {
        model,
        prompts,
        vocabulary: claim.business.vocabulary,
        timeoutMs: services.config.figures.modelTimeoutMs,
        clock: services.clock,
        log,
      },
    );
    if (wrapUp) await services.interactions.updateArchive(claim.interactionId, wrapUp);
  } catch (err) {
    log.warn({ err }, 'the archive keeps its facts only');
  }
}
