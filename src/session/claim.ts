import type { Channel } from '../domain/channel.ts';
import type { StoredToolCall } from '../tools/ledger-types.ts';
import type { AgentToolRow } from '../tools/types.ts';
import type { Speaker } from './conversation.ts';
import type { RecordKey } from './outbox.ts';
import type { AnswerMark } from './unanswered.ts';
import type { Vocabulary } from './wrap-up.ts';

export type PhoneSource = 'claimed' | 'sip' | 'verified';

/** What a supervisor told the agent in confidence. */
export interface SessionWhisper {
  readonly id: string;
  readonly kind: 'whisper' | 'hand_back';
  readonly text: string;
  readonly at: number;
}

/**
 * An interaction as its session begins: what `claim_interaction` gave, in the session's own terms. The agent
 * is the snapshot that the interaction began with, so that an edit never changes a conversation halfway.
 */
export interface Claim extends RecordKey {
  readonly workerId: string;
  /** An earlier generation has held this interaction: the customer was in the middle of a conversation. */
  readonly recovered: boolean;
  /** The generation before this one left in good order: nothing was cut off and nobody has to apologise. */
  readonly handedOver: boolean;
  readonly channel: Channel;
  readonly room: string;
  /** Identity under which the customer is in the room. */
  readonly customerIdentity: string;
  readonly customerId: string | null;
  readonly customerName: string | null;
  readonly phoneNumber: string | null;
  readonly phoneSource: PhoneSource | null;
  readonly business: {
    readonly id: string;
    readonly name: string;
    readonly timeZone: string;
    readonly vocabulary: Vocabulary;
  };
  readonly agent: {
    readonly id: string;
    readonly name: string;
    readonly systemPrompt: string;
    readonly greeting: string | null;
    readonly language: string;
    readonly model_settings: unknown;
    readonly voice_settings: unknown;
  };
  readonly tools: readonly AgentToolRow[];
  /** The person who has taken the conversation over, if one has. */
  readonly holder: { readonly id: string; readonly name: string } | null;
  /** Of earlier generations too. */
  readonly whispers: readonly SessionWhisper[];
  readonly messages: readonly {
    readonly id: string;
    readonly role: Speaker;
    readonly text: string;
    readonly interrupted: boolean;
    readonly at: number;
    /** Of a reply: what it answered. */
    readonly mark?: AnswerMark | undefined;
    /** Of a reply: its process died, or had to leave, in the middle of it, and this is what was shown. */
    readonly cutOff: boolean;
    /** Of a customer's message: their client keeps it until it is acknowledged. */
    readonly resends: boolean;
  }[];
  readonly calls: readonly (StoredToolCall & { readonly at: number })[];
}
