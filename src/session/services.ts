import type { ipc, VAD } from '@livekit/agents';
import type { RoomServiceClient } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import type { PromptLibrary } from '../definitions/prompts.ts';
import type { Channel } from '../domain/channel.ts';
import type { Log } from '../log.ts';
import type { ConversationScorer } from '../scoring/types.ts';
import type { PolledPermission, ToolCallStore } from '../tools/ledger-types.ts';
import type { ServerPool } from '../tools/server-pool.ts';
import type { AgentToolRow } from '../tools/types.ts';
import type { PhoneSource } from './claim.ts';
import type { Clock } from './clock.ts';
import type { InterimFeed } from './interim-feed.ts';
import type { Sounds } from './kept-speech.ts';
import type { LeaseKeeper, PolledSession } from './lease-keeper.ts';
import type { Outbox, RecordKey } from './outbox.ts';
import type { Resolution } from './resolutions.ts';
import type { Ticks } from './ticks.ts';
import type { WrapUp } from './wrap-up.ts';

/** News of one interaction, from the poll. */
export interface SessionNews extends PolledSession {
  readonly status: 'queued' | 'active' | 'completed' | 'failed';
  readonly control: 'agent' | 'supervisor';
  readonly controlled_by: string | null;
  readonly controlled_by_name: string | null;
  /** Those that the agent has not taken yet. */
  readonly whispers: readonly {
    readonly id: string;
    readonly kind: 'whisper' | 'hand_back';
    readonly text: string;
    readonly at: string;
  }[];
  readonly end_requested_reason: string | null;
  readonly permissions: readonly PolledPermission[];
  readonly resolutions: readonly Resolution[];
  /** Changes with every edit of the agent's tools. */
  readonly tools_version: string;
}

export interface ArchiveFacts {
  readonly summary: string;
  readonly facts: unknown;
  /** True when the interaction had been completed before. */
  readonly already: boolean;
}

/** The single changes of an interaction that a session makes and waits for. All throw FloorwalkerError. */
export interface InteractionStore {
  setPhoneNumber(
    key: RecordKey,
    phoneNumber: string,
    source: PhoneSource,
  ): Promise<{ customerId: string | null }>;
  requestSupervisor(key: RecordKey, reason: string): Promise<{ supervisorPresent: boolean }>;
  requestCallback(
    key: RecordKey,
    wanted: {
      reason: string;
      phoneNumber?: string | undefined;
      preferredTime?: string | undefined;
    },
  ): Promise<{ phoneNumber: string }>;
  /** Gives control back to the agent; false when this person does not have it any more. */
  releaseControl(key: RecordKey, holderId: string, reason: string): Promise<boolean>;
  takeWhispers(key: RecordKey, ids: readonly string[]): Promise<void>;
  complete(key: RecordKey, status: 'completed' | 'failed', endReason: string): Promise<ArchiveFacts>;
  updateArchive(interactionId: string, wrapUp: WrapUp): Promise<void>;
  /** The agent's rows as they are now. */
  loadTools(key: RecordKey): Promise<readonly AgentToolRow[]>;
  /** @returns whether it was still held and open: somebody has to carry it on. */
  release(key: RecordKey, handedOver: boolean): Promise<boolean>;
}

/** What all sessions of a process share. Made once when the process starts; sessions never reach around it. */
export interface SessionServices {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly prompts: PromptLibrary;
  readonly outbox: Outbox;
  readonly leases: LeaseKeeper<SessionNews>;
  readonly interactions: InteractionStore;
  readonly toolCalls: ToolCallStore;
  readonly interim: InterimFeed;
  /** When the five-second rows are made. */
  readonly ticks: Ticks;
  readonly deviceScorer: ConversationScorer;
  readonly modelScorer?: ConversationScorer | undefined;
  readonly rooms: RoomServiceClient;
  /** Connections to tool servers, for all sessions of the process. */
  readonly toolServers: ServerPool;
  /** Asks LiveKit for a worker that carries the interaction on. */
  summon(interaction: { channel: Channel; interactionId: string; room: string }): Promise<void>;
  /** Of what is said to everybody on calls; undefined where none is kept. */
  readonly sounds?: Sounds | undefined;
  loadVad(): Promise<VAD>;
  /** Runs the end-of-turn model, in a process of many calls; one call alone finds the framework's own. */
  readonly turnInference?: ipc.InferenceExecutor | undefined;
}
