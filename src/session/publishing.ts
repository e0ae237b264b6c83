import {
  type AudioSource,
  LocalAudioTrack,
  type RemoteParticipant,
  type Room,
  RoomEvent,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';

/**
 * Publishes a voice when the customer is in the room: whoever listens before counts for nobody who is spoken to.
 *
 * @returns when somebody receives it.
 */
export async function publishTo(
  customerIdentity: string,
  room: Room,
  source: AudioSource,
  closing: AbortSignal,
): Promise<void> {
  await present(customerIdentity, room, closing);
  const track = LocalAudioTrack.createAudioTrack('agent', source);
  const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
  const publication = await room.localParticipant?.publishTrack(track, options);
  await publication?.waitForSubscription();
}

/** Never resolves when they don't come before it closes. */
async function present(identity: string, room: Room, closing: AbortSignal): Promise<void> {
  if (room.remoteParticipants.has(identity)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const joined = (participant: RemoteParticipant): void => {
    if (participant.identity === identity) resolve();
  };
  const stop = (): void => void room.off(RoomEvent.ParticipantConnected, joined);
  room.on(RoomEvent.ParticipantConnected, joined);
  closing.addEventListener('abort', stop, { once: true });
  await promise;
  stop();
}
