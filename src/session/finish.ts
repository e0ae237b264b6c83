import type { llm } from '@livekit/agents';
import type { PromptBook } from '../definitions/prompts.ts';
import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Claim } from './claim.ts';
import { delay, within } from './clock.ts';
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
  closeRoom(): Promise<void>;
}

/** The transcript and the trace get this long to reach the database before the archive is made without them. */
const FLUSH_MS = 30_000;
const ARCHIVE_RETRY_MS = [200, 500, 1_000, 2_000, 5_000];
const ARCHIVE_ATTEMPTS = 30;

/**
 * The order in which an interaction ends: what is known is stored, the archive with its facts is made,
 * and only then the room is closed and the model asked for a summary, both of which may fail.
 */
export async function finishInteraction(deps: FinishDeps): Promise<void> {
  const { services, log } = deps;
  const flushed = await within(
    services.clock,
    FLUSH_MS,
    services.outbox.flushed().then(() => true),
  );
  if (!flushed) log.warn({ waiting: services.outbox.depth }, 'records are still waiting for the database');
  const archive = await archiveFacts(deps);
  const worthASummary = archive && !archive.already && deps.conversation.turns().length > 0;
  await Promise.all([deps.closeRoom(), worthASummary ? fileSummary(deps, archive) : undefined]);
}

async function archiveFacts({ claim, services, ended, log }: FinishDeps): Promise<ArchiveFacts | undefined> {
  for (let attempt = 1; attempt <= ARCHIVE_ATTEMPTS; attempt += 1) {
    try {
      return await services.interactions.complete(claim, ended.status, ended.reason);
    } catch (err) {
      if (!isFloorwalkerError(err, 'database_unavailable')) {
        log.error({ err }, 'the interaction could not be archived');
        return undefined;
      }
      log.warn({ err, attempt }, 'the archive waits for the database');
      await delay(
        services.clock,
        ARCHIVE_RETRY_MS[Math.min(attempt - 1, ARCHIVE_RETRY_MS.length - 1)] ?? 5_000,
      );
    }
  }
  // The lease runs out and whoever claims the interaction next archives it from the stored transcript.
  log.error('the database stayed away; the archive is left to the next worker');
  return undefined;
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
