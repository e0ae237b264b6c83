import { z } from 'zod';

/** Everything a customer's client notices, as plain data, so that it can also come from another process. */
const at = z.number(); // Date.now()

export const callerEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('text'),
    at,
    id: z.string(),
    from: z.string(),
    role: z.enum(['agent', 'supervisor']),
    added: z.string(),
  }),
  z.object({ type: z.literal('textEnd'), at, id: z.string() }),
  z.object({ type: z.literal('transcript'), at, text: z.string(), final: z.boolean() }),
  z.object({ type: z.literal('ack'), at, id: z.string() }),
  z.object({
    type: z.literal('history'),
    at,
    from: z.string(),
    items: z.array(z.object({ id: z.string(), role: z.string(), text: z.string() })),
  }),
  z.object({ type: z.literal('agentJoined'), at, identity: z.string() }),
  z.object({ type: z.literal('agentLeft'), at, identity: z.string() }),
  z.object({ type: z.literal('agentTrack'), at, identity: z.string() }),
  z.object({
    type: z.literal('sound'),
    at,
    identity: z.string(),
    agent: z.boolean(),
    levelDb: z.number(),
  }),
  z.object({ type: z.literal('queue'), at, position: z.number() }),
  z.object({ type: z.literal('disconnected'), at, reason: z.string() }),
]);

export type CallerEvent = z.output<typeof callerEventSchema>;

/** Something the agent (or a supervisor in control) wrote or said. */
export interface ReceivedText {
  readonly id: string;
  readonly from: string;
  readonly role: 'agent' | 'supervisor';
  readonly at: number;
  text: string;
  /** The stream has ended: all of the text is here. */
  final: boolean;
  finishedAt: number | undefined;
}

export interface Sound {
  /** Date.now() at the end of the 20 ms that were measured. */
  readonly at: number;
  readonly identity: string;
  readonly levelDb: number;
}
