/** Names under which the parties of an interaction appear in its LiveKit room, and the topics they use. */

export const AGENT_NAME = 'floorwalker';
export const TOPIC_CHAT = 'lk.chat';
export const TOPIC_ACK = 'floorwalker.ack';
/** What was said so far, as one JSON text, to a customer who comes back (a reloaded page). */
export const TOPIC_HISTORY = 'floorwalker.history';
export const TOPIC_DOORBELL = 'floorwalker.doorbell';
/** The doorbell of a takeover: the agent falls silent before it looks, and goes on if nobody has taken over. */
export const TOPIC_HUSH = 'floorwalker.hush';
/** LiveKit's own: what an agent says, as text streams. */
export const TOPIC_TRANSCRIPTION = 'lk.transcription';
/** From the server to a customer who waits for an agent: `{"position": n}`. */
export const TOPIC_QUEUE = 'floorwalker.queue';
/** Attribute of a text stream that carries the sender's own id of a message, for acknowledgement. */
export const ATTRIBUTE_MESSAGE_ID = 'message_id';
/** Attribute of a customer, set by the agent: a change makes LiveKit tell of them at once. It says nothing. */
export const ATTRIBUTE_EXPECTED = 'floorwalker.expected';

export function roomName(interactionId: string): string {
  return `fw-${interactionId}`;
}

export function customerIdentity(interactionId: string): string {
  return `customer-${interactionId}`;
}

/**
 * A new generation is a new participant: LiveKit kills a job that joins under the identity of a dead one
 * that is still in the room, and the claimer can remove its predecessors by name.
 */
export function agentIdentity(interactionId: string, generation: number): string {
  return `agent-${interactionId}-g${generation}`;
}

export interface AgentIdentity {
  readonly interactionId: string;
  readonly generation: number;
}

const AGENT_IDENTITY = /^agent-([0-9a-f-]{36})-g(\d+)$/;

export function parseAgentIdentity(identity: string): AgentIdentity | undefined {
  const match = AGENT_IDENTITY.exec(identity);
  if (!match?.[1] || !match[2]) return undefined;
  return { interactionId: match[1], generation: Number(match[2]) };
}

/** Who speaks to a caller as long as no agent is there. */
export function announcerIdentity(interactionId: string): string {
  return `announcer-${interactionId}`;
}

const SUPERVISOR_PREFIX = 'supervisor-';

/** The person who has taken the conversation over; one identity a person, so that a reload replaces itself. */
export function supervisorIdentity(userId: string): string {
  return `${SUPERVISOR_PREFIX}${userId}`;
}

/** The id of the person, or undefined for anybody else in the room. */
export function parseSupervisorIdentity(identity: string): string | undefined {
  return identity.startsWith(SUPERVISOR_PREFIX) ? identity.slice(SUPERVISOR_PREFIX.length) : undefined;
}

/** Somebody who only listens, hidden from the others; `suffix` tells two pages of one person apart. */
export function monitorIdentity(userId: string, suffix: string): string {
  return `monitor-${userId}-${suffix}`;
}

/** Whether this person speaks or listens under this identity. */
export function isPerson(identity: string, userId: string): boolean {
  return identity === supervisorIdentity(userId) || identity.startsWith(monitorIdentity(userId, ''));
}
