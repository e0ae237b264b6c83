import { randomUUID } from 'node:crypto';
import { AccessToken } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import { agentIdentity, customerIdentity, TOPIC_TRANSCRIPTION } from '../domain/identities.ts';
import { type Clock, delay, within } from '../session/clock.ts';
import { CUE_SAMPLE_RATE, type Cues, type CueVoice, cueFrames } from './cues.ts';

export interface FarewellDeps {
  readonly livekit: Pick<Config['livekit'], 'url' | 'apiKey' | 'apiSecret'>;
  readonly cues: Pick<Cues, 'of'>;
  readonly clock: Clock;
}

export interface LastWords {
  readonly interactionId: string;
  /** Under which nobody else speaks. */
  readonly generation: number;
  readonly room: string;
  readonly text: string;
  /** On a call they are spoken too. */
  readonly voice: CueVoice | undefined;
}

const TOKEN_SECONDS = 60;
/** A text that was sent has this long to arrive before the room is closed. */
const ARRIVAL_MS = 500;
const AT_MOST_MS = 30_000;

/**
 * Says the last words in a room that has no session any more. A participant that only publishes: whatever ended those
 * who carried the conversation, nothing of it is taken in here.
 *
 * @throws Error when the room can't be joined
 */
export async function sayFarewell(words: LastWords, deps: FarewellDeps): Promise<void> {
  const rtc = await import('@livekit/rtc-node');
  const { livekit, clock } = deps;
  const room = new rtc.Room();
  const speak = async (): Promise<void> => {
    const options = { autoSubscribe: false, dynacast: false };
    await room.connect(livekit.url.replace(/^http/, 'ws'), await token(words, livekit), options);
    if (!room.remoteParticipants.has(customerIdentity(words.interactionId))) return;
    await room.localParticipant?.sendText(words.text, {
      topic: TOPIC_TRANSCRIPTION,
      attributes: { 'lk.segment_id': `farewell_${randomUUID()}`, 'lk.transcription_final': 'true' },
    });
    const samples = words.voice && (await deps.cues.of(words.text, words.voice));
    if (samples) await play(samples, room);
    else await delay(clock, ARRIVAL_MS);
  };
  try {
    await within(clock, AT_MOST_MS, speak());
  } finally {
    await room.disconnect().catch(() => undefined);
  }
}

async function play(samples: Int16Array, room: import('@livekit/rtc-node').Room): Promise<void> {
  const rtc = await import('@livekit/rtc-node');
  const source = new rtc.AudioSource(CUE_SAMPLE_RATE, 1);
  const track = rtc.LocalAudioTrack.createAudioTrack('farewell', source);
  try {
    const options = new rtc.TrackPublishOptions({ source: rtc.TrackSource.SOURCE_MICROPHONE });
    await room.localParticipant?.publishTrack(track, options);
    for (const frame of cueFrames(samples, rtc.AudioFrame)) await source.captureFrame(frame);
    await source.waitForPlayout();
  } finally {
    await track.close().catch(() => undefined);
  }
}

function token(
  { interactionId, generation, room }: LastWords,
  livekit: FarewellDeps['livekit'],
): Promise<string> {
  const access = new AccessToken(livekit.apiKey, livekit.apiSecret, {
    identity: agentIdentity(interactionId, generation),
    ttl: TOKEN_SECONDS,
  });
  // Nobody's customer, as in the announcer.
  access.kind = 'agent';
  access.addGrant({ roomJoin: true, room, canPublish: true, canPublishData: true, canSubscribe: false });
  return access.toJwt();
}
