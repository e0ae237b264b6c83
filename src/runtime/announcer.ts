import type { AudioFrame, AudioSource, LocalAudioTrack, Room } from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import type { Config } from '../config.ts';
import { announcerIdentity, parseAgentIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import { type Clock, delay } from '../session/clock.ts';
import { CUE_SAMPLE_RATE, type Cues, type CueVoice, cueFrames } from './cues.ts';

export interface AnnouncerDeps {
  readonly livekit: Pick<Config['livekit'], 'url' | 'apiKey' | 'apiSecret'>;
  readonly interactionId: string;
  readonly room: string;
  readonly voice: CueVoice;
  readonly cues: Cues;
  /** What is said to somebody in this place. */
  words(position: number): string;
  /** How long after an announcement the same one is said again. */
  readonly repeatMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

const TOKEN_SECONDS = 60;
/** A short sign of life between announcements. */
const TONE_EVERY_MS = 7_000;
const LOOK_MS = 250;

/**
 * Speaks to one caller in whose room there is no agent yet: where they are in the queue, again when that changes
 * and at intervals, and a soft tone in between, so that nobody takes the line for dead. A participant that only
 * publishes; it falls silent and leaves the moment an agent comes in.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps;
  readonly #closed = Promise.withResolvers<void>();
  #position: number;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(deps: AnnouncerDeps, position: number) {
    this.#deps = deps;
    this.#position = position;
  }

  start(): void {
    this.#running ??= this.#run().catch((err: unknown) => {
      this.#deps.log.warn(
        { err, interaction: this.#deps.interactionId },
        'a waiting caller could not be told',
      );
    });
  }

  /** The caller's place; a new one is announced as soon as the present announcement is over. */
  moveTo(position: number): void {
    this.#position = position;
  }

  /** Falls silent and leaves. Safe before start and when repeated. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#closed.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Native code that only those who have callers in a queue need.
    const rtc = await import('@livekit/rtc-node');
    const { livekit, interactionId, log } = this.#deps;
    const room = new rtc.Room();
    const source = new rtc.AudioSource(CUE_SAMPLE_RATE, 1);
    const track = rtc.LocalAudioTrack.createAudioTrack('queue', source);
    const leaveForAgent = (identity: string): void => {
      if (parseAgentIdentity(identity)?.interactionId !== interactionId) return;
      source.clearQueue();
      void this.stop();
    };
    room.on(rtc.RoomEvent.ParticipantConnected, ({ identity }) => leaveForAgent(identity));
    room.on(rtc.RoomEvent.Disconnected, () => void this.stop());
    try {
      await room.connect(livekit.url.replace(/^http/, 'ws'), await this.#token(), {
        autoSubscribe: false,
        dynacast: false,
      });
      for (const { identity } of room.remoteParticipants.values()) leaveForAgent(identity);
      if (this.#stopping) return;
      const options = new rtc.TrackPublishOptions({ source: rtc.TrackSource.SOURCE_MICROPHONE });
      await room.localParticipant?.publishTrack(track, options);
      log.info({ interaction: interactionId }, 'a waiting caller is told about the queue');
      await this.#speak(source, rtc.AudioFrame);
    } finally {
      this.#stopping = true;
      await close(room, track);
    }
  }

  async #speak(source: AudioSource, Frame: typeof AudioFrame): Promise<void> {
    const { clock, cues, repeatMs, voice, words } = this.#deps;
    const { signalSamples } = await import('../session/tones.ts');
    let announced: number | undefined;
    let saidAt = 0;
    let soundedAt = 0;
    while (!this.#stopping) {
      const position = this.#position;
      const due = position !== announced || clock.now() - saidAt >= repeatMs;
      if (due || clock.now() - soundedAt >= TONE_EVERY_MS) {
        const said = due ? await cues.of(words(position), voice) : undefined;
        await this.#play(source, Frame, said ?? signalSamples(CUE_SAMPLE_RATE));
        soundedAt = clock.now();
        if (due) {
          announced = position;
          saidAt = soundedAt;
        }
      }
      await Promise.race([delay(clock, LOOK_MS), this.#closed.promise]);
    }
  }

  async #play(source: AudioSource, Frame: typeof AudioFrame, samples: Int16Array): Promise<void> {
    for (const frame of cueFrames(samples, Frame)) {
      if (this.#stopping) break;
      await source.captureFrame(frame);
    }
    await Promise.race([source.waitForPlayout(), this.#closed.promise]);
  }

  async #token(): Promise<string> {
    const { livekit, interactionId, room } = this.#deps;
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret, {
      identity: announcerIdentity(interactionId),
      ttl: TOKEN_SECONDS,
    });
    // Nobody's customer: an agent that looks for whoever came by telephone must not take it for the caller.
    token.kind = 'agent';
    token.addGrant({ roomJoin: true, room, canPublish: true, canPublishData: false, canSubscribe: false });
    return token.toJwt();
  }
}

async function close(room: Room, track: LocalAudioTrack): Promise<void> {
  await track.close().catch(() => undefined);
  await room.disconnect().catch(() => undefined);
}
