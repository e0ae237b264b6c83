import type { Room } from '@livekit/rtc-node';
import { TOPIC_HISTORY } from '../domain/identities.ts';
import type { Conversation } from './conversation.ts';

/** What customer, agent and supervisor said, oldest first, as one JSON array to this participant alone. */
export async function sendHistory(room: Room, conversation: Conversation, identity: string): Promise<void> {
  const said = conversation.items.flatMap((item) =>
    item.kind === 'said' && item.role !== 'system'
      ? [{ id: item.id, role: item.role, text: item.text, at: new Date(item.at).toISOString() }]
      : [],
  );
  if (said.length === 0) return;
  await room.localParticipant?.sendText(JSON.stringify(said), {
    topic: TOPIC_HISTORY,
    destinationIdentities: [identity],
  });
}
