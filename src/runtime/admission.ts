import type { Job } from '@livekit/protocol';
import type { Channel } from '../domain/channel.ts';
import type { AgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { type AgentRequest, type ParsedMetadata, parseJobMetadata } from './job-metadata.ts';

/** How a job's interaction is found and leased; over the database in production. */
export interface Claims {
  /** @returns the generation of the lease, or why it can't be had. */
  claim(interactionId: string, workerId: string): Promise<{ generation: number } | { refused: string }>;
  /** Undefined when there is no such interaction or agent. */
  channelOf(what: { interactionId: string } | { agentId: string }): Promise<Channel | undefined>;
  /** Makes the row of an interaction that did not begin at the API. @returns its id. */
  createFor(request: AgentRequest, room: string): Promise<string>;
  removePredecessors(room: string, interactionId: string, generation: number): Promise<void>;
  /** @returns whether it was still held and open. */
  release(claim: AgentIdentity): Promise<boolean>;
  /** Counts that this interaction brought its whole process down; with the second time it is given up. */
  blame(interactionId: string): Promise<void>;
  /** Renews the leases of claims whose processes have not begun; resolves with the interactions it renewed. */
  keep(claims: AgentIdentity[], workerId: string): Promise<string[]>;
}

export interface AdmissionDeps {
  readonly claims: Claims;
  /** Of the leases. */
  readonly workerId: string;
  /** Jobs of other channels are refused, so that LiveKit asks the next worker. */
  readonly channels: readonly Channel[];
  /** Places that are not taken. */
  places(channel: Channel): number;
  readonly log: Log;
}

/**
 * Decides whether a job that LiveKit offers is taken: the same for conversations that have a process to themselves
 * and for those that share one. A job that is being decided holds a place, or two offers at once would exceed the cap.
 */
export class Admission {
  readonly #deps: AdmissionDeps;
  /** Jobs that are being decided; the channel is not known at first where the metadata does not tell. */
  readonly #deciding = new Map<string, Channel | undefined>();

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /** Places that are held by jobs which are being decided. */
  promised(channel: Channel): number {
    return [...this.#deciding.values()].filter((one) => one === undefined || one === channel).length;
  }

  /**
   * @param onLeased takes over the place, at once.
   * @returns the lease, or undefined when the job is to be refused
   */
  async decide(
    job: Pick<Job, 'id' | 'metadata' | 'room'>,
    onLeased: (key: AgentIdentity, channel: Channel) => void,
  ): Promise<AgentIdentity | undefined> {
    const metadata = parseJobMetadata(job.metadata);
    if (metadata.kind === 'telephone' || metadata.kind === 'malformed')
      return this.#refuseUnreadable(metadata);
    const told = metadata.kind === 'interaction' ? metadata.channel : undefined;
    if (told && !this.#serves(told)) return undefined;
    const room = job.room?.name ?? '';
    this.#deciding.set(job.id, told);
    try {
      const leased = await this.#lease(job.id, metadata, room);
      if (!leased) return undefined;
      const { key, channel } = leased;
      onLeased(key, channel);
      this.#deciding.delete(job.id);
      await this.#deps.claims.removePredecessors(room, key.interactionId, key.generation);
      return key;
    } finally {
      this.#deciding.delete(job.id);
    }
  }

  async #lease(
    job: string,
    metadata: Extract<ParsedMetadata, { kind: 'interaction' | 'agent' }>,
    room: string,
  ): Promise<{ key: AgentIdentity; channel: Channel } | undefined> {
    const { claims, log, places, workerId } = this.#deps;
    const told = metadata.kind === 'interaction' ? metadata.channel : undefined;
    const channel = told ?? (await claims.channelOf(metadata));
    if (channel === undefined) {
      log.info({ job, why: 'not_found' }, 'job refused');
      return undefined;
    }
    if (!this.#serves(channel)) return undefined;
    this.#deciding.set(job, channel);
    if (places(channel) < this.promised(channel)) {
      log.info({ job, channel }, 'job refused: the worker is full');
      return undefined;
    }
    const interactionId =
      metadata.kind === 'agent' ? await claims.createFor(metadata, room) : metadata.interactionId;
    const claimed = await claims.claim(interactionId, workerId);
    if ('refused' in claimed) {
      log.info({ job, interaction: interactionId, why: claimed.refused }, 'job refused');
      return undefined;
    }
    return { key: { interactionId, generation: claimed.generation }, channel };
  }

  #serves(channel: Channel): boolean {
    return this.#deps.channels.includes(channel);
  }

  #refuseUnreadable(metadata: Extract<ParsedMetadata, { kind: 'telephone' | 'malformed' }>): undefined {
    const { log } = this.#deps;
    if (metadata.kind === 'malformed')
      log.error({ problem: metadata.problem }, 'job refused: its metadata can not be read');
    else
      log.error(
        'job refused: it names no interaction and no agent, and telephone numbers are not assigned yet',
      );
  }
}
