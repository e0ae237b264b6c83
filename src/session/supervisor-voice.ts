import { randomUUID } from 'node:crypto';
import { stt } from '@livekit/agents';
import { AudioStream, type RemoteTrack, type Room, RoomEvent, TrackKind } from '@livekit/rtc-node';
import { maskCardNumbers } from '../domain/card-numbers.ts';
import { supervisorIdentity } from '../domain/identities.ts';
import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';

export interface SupervisorVoiceDeps {
  readonly room: Room;
  readonly stt: stt.STT;
  /** A turn of the person is complete. */
  onTurn(turn: { id: string; text: string; at: number }): void;
  /** What they have said of their turn so far. */
  onInterim(id: string, text: string): void;
  readonly clock: Clock;
  readonly log: Log;
}

/** A pause of this length ends a turn; recognition alone would end one with every breath. */
const TURN_PAUSE_MS = 900;
const SAMPLE_RATE = 16_000;

/**
 * Writes down what a person who has taken a call over says, with a recognition stream of their own beside the
 * caller's. Nothing here can make the agent speak: it only hears.
 */
export class SupervisorVoice {
  readonly #deps: SupervisorVoiceDeps;
  #identity: string | undefined;
  #ear: Ear | undefined;

  constructor(deps: SupervisorVoiceDeps) {
    this.#deps = deps;
  }

  /** From now on this person; their microphone may come later, or anew after a reload. */
  listenTo(personId: string): void {
    const { room } = this.#deps;
    const identity = supervisorIdentity(personId);
    if (this.#identity === identity) return;
    void this.stop();
    this.#identity = identity;
    room.on(RoomEvent.TrackSubscribed, this.#onTrack);
    for (const publication of room.remoteParticipants.get(identity)?.trackPublications.values() ?? []) {
      if (publication.track) this.#onTrack(publication.track, publication, { identity });
    }
  }

  /** Resolves when what was said so far is written down. */
  async stop(): Promise<void> {
    this.#deps.room.off(RoomEvent.TrackSubscribed, this.#onTrack);
    this.#identity = undefined;
    const ear = this.#ear;
    this.#ear = undefined;
    await ear?.close();
  }

  readonly #onTrack = (
    track: RemoteTrack,
    _publication: unknown,
    { identity }: { identity: string },
  ): void => {
    if (identity !== this.#identity || track.kind !== TrackKind.KIND_AUDIO) return;
    void this.#ear?.close();
    this.#ear = new Ear(track, this.#deps);
  };
}

/** One microphone track and its recognition. */
class Ear {
  readonly #deps: SupervisorVoiceDeps;
  readonly #stream: stt.SpeechStream;
  readonly #frames: ReadableStreamDefaultReader<Parameters<stt.SpeechStream['pushFrame']>[0]>;
  readonly #done: Promise<void>;
  #finals: string[] = [];
  #turn: { id: string; at: number } | undefined;
  #cancelEnd: (() => void) | undefined;
  #closed = false;

  constructor(track: RemoteTrack, deps: SupervisorVoiceDeps) {
    this.#deps = deps;
    this.#stream = deps.stt.stream();
    this.#frames = new AudioStream(track, { sampleRate: SAMPLE_RATE, numChannels: 1 }).getReader();
    const logged = (err: unknown) => deps.log.warn({ err }, 'a supervisor’s words could not be written down');
    void this.#hear().catch(logged);
    this.#done = this.#read().catch(logged);
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#done;
    this.#closed = true;
    await this.#frames.cancel().catch(() => {});
    await this.#done;
  }

  async #hear(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#frames.read();
      if (done) break;
      this.#stream.pushFrame(value);
    }
    this.#stream.flush();
    this.#stream.endInput();
  }

  async #read(): Promise<void> {
    for await (const event of this.#stream) this.#take(event);
    this.#endTurn();
  }

  #take(event: stt.SpeechEvent): void {
    const text = maskCardNumbers(event.alternatives?.[0]?.text ?? '').trim();
    if (event.type === stt.SpeechEventType.INTERIM_TRANSCRIPT && text !== '') {
      this.#deps.onInterim(this.#begin().id, [...this.#finals, text].join(' '));
    } else if (event.type === stt.SpeechEventType.FINAL_TRANSCRIPT && text !== '') {
      const { id } = this.#begin();
      this.#finals.push(text);
      this.#deps.onInterim(id, this.#finals.join(' '));
    } else if (event.type !== stt.SpeechEventType.START_OF_SPEECH) {
      return;
    }
    this.#cancelEnd?.();
    this.#cancelEnd = this.#deps.clock.after(TURN_PAUSE_MS, () => this.#endTurn());
  }

  #begin(): { id: string; at: number } {
    this.#turn ??= { id: `supervisor:${randomUUID()}`, at: this.#deps.clock.now() };
    return this.#turn;
  }

  #endTurn(): void {
    this.#cancelEnd?.();
    if (this.#turn && this.#finals.length > 0) {
      this.#deps.onTurn({ ...this.#turn, text: this.#finals.join(' ') });
      this.#turn = undefined;
      this.#finals = [];
    }
  }
}
