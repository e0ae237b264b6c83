import { randomUUID } from 'node:crypto';
import {
  AudioStream,
  DisconnectReason,
  type RemoteTrack,
  type Room,
  RoomEvent,
  type TextStreamReader,
  TrackKind,
} from '@livekit/rtc-node';
import { z } from 'zod';
import {
  ATTRIBUTE_MESSAGE_ID,
  TOPIC_ACK,
  TOPIC_CHAT,
  TOPIC_HISTORY,
  TOPIC_QUEUE,
  TOPIC_TRANSCRIPTION,
} from '../../../domain/identities.ts';
import { OwnEventsRoom } from '../../../runtime/own-events-room.ts';
import { systemClock, within } from '../../../session/clock.ts';
import type { CallerEvent } from './events.ts';
import { Microphone, type Spoken } from './microphone.ts';

const HEARING_RATE = 16_000;
const SYNTHESIS_MS = 60_000;
/** LiveKit's client may never answer when it has lost track of the room. */
const LEAVE_MS = 10_000;
const queueSchema = z.object({ position: z.int() });

export interface CustomerOptions {
  readonly url: string;
  readonly token: string;
  readonly channel: 'chat' | 'voice';
  /** Which participants are agents; by default those whose identity begins with `agent-`. */
  readonly agentPrefix?: string;
  /** Where `say` gets its voice: an OpenAI-compatible base address with /v1. Needed for voice. */
  readonly speech?: { readonly baseUrl: string; readonly key?: string; readonly voice?: string };
  /** Send messages again that are not acknowledged when an agent (re)appears. Default true. */
  readonly resend?: boolean;
}

/** The LiveKit side of a customer: what happens goes to `emit`, in this process or over a pipe. */
export class CustomerRoom {
  readonly #options: CustomerOptions;
  readonly #emit: (event: CallerEvent) => void;
  readonly #room = new OwnEventsRoom();
  readonly #unacknowledged = new Map<string, string>();
  readonly #clips = new Map<string, Promise<Int16Array>>();
  #microphone: Microphone | undefined;
  #leaving = false;

  constructor(options: CustomerOptions, emit: (event: CallerEvent) => void) {
    this.#options = options;
    this.#emit = emit;
  }

  get room(): Room {
    return this.#room;
  }

  async connect(): Promise<string> {
    const room = this.#room;
    const myself = () => room.localParticipant?.identity;
    room.registerTextStreamHandler(TOPIC_TRANSCRIPTION, (reader, { identity }) => {
      if (this.#isAgent(identity)) void this.#readText(reader, identity, 'agent');
      else if (identity === myself()) void this.#readTranscript(reader);
      else void reader.close();
    });
    const written = new Set<string>();
    room.registerTextStreamHandler(TOPIC_CHAT, (reader, { identity }) => {
      const id = reader.info.attributes?.[ATTRIBUTE_MESSAGE_ID] ?? reader.info.streamId;
      // Sent again because no agent was there to store it.
      const again = written.has(id);
      written.add(id);
      if (again || this.#isAgent(identity) || identity === myself()) void reader.close();
      else void this.#readText(reader, identity, 'supervisor');
    });
    room.registerTextStreamHandler(TOPIC_ACK, async (reader, { identity }) => {
      const id = (await reader.readAll().catch(() => '')).trim();
      if (!this.#isAgent(identity) || id === '') return;
      this.#unacknowledged.delete(id);
      this.#emit({ type: 'ack', at: Date.now(), id });
    });
    room.registerTextStreamHandler(TOPIC_HISTORY, async (reader, { identity }) => {
      const text = await reader.readAll().catch(() => '[]');
      if (!this.#isAgent(identity)) return;
      const items = z
        .array(z.object({ id: z.string(), role: z.string(), text: z.string() }))
        .parse(JSON.parse(text));
      this.#emit({ type: 'history', at: Date.now(), from: identity, items });
    });
    room.on(RoomEvent.ParticipantConnected, ({ identity }) => this.#agentAppeared(identity));
    room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => {
      if (this.#isAgent(identity)) this.#emit({ type: 'agentLeft', at: Date.now(), identity });
    });
    room.on(RoomEvent.TrackSubscribed, (track, _publication, { identity }) => {
      if (track.kind === TrackKind.KIND_AUDIO) void this.#hear(track, identity);
    });
    room.on(RoomEvent.DataReceived, (payload, from, _kind, topic) => {
      // Only the server has no identity; whoever else sends this is not believed.
      if (topic !== TOPIC_QUEUE || from !== undefined) return;
      const notice = queueSchema.safeParse(JSON.parse(new TextDecoder().decode(payload)));
      if (notice.success) this.#emit({ type: 'queue', at: Date.now(), position: notice.data.position });
    });
    room.on(RoomEvent.Disconnected, (reason) => {
      this.#emit({
        type: 'disconnected',
        at: Date.now(),
        reason: DisconnectReason[reason] ?? String(reason),
      });
    });
    await room.connect(this.#options.url, this.#options.token, {
      autoSubscribe: this.#options.channel === 'voice',
      dynacast: false,
    });
    for (const identity of room.remoteParticipants.keys()) this.#agentAppeared(identity);
    if (this.#options.channel === 'voice') {
      this.#microphone = new Microphone();
      await this.#microphone.publish(room);
    }
    return room.localParticipant?.identity ?? '';
  }

  /** Sends a chat message; kept until it is acknowledged, unless `resend` is off. */
  async send(text: string, id: string = randomUUID()): Promise<string> {
    this.#unacknowledged.set(id, text);
    await this.#write(id, text);
    return id;
  }

  async say(text: string): Promise<Spoken> {
    const microphone = this.#microphone;
    if (microphone === undefined) throw new Error('this customer joined by chat and has no microphone');
    return microphone.say(await this.prepare(text));
  }

  /** Makes the sound of a text ahead of time, so that `say` begins at once. */
  prepare(text: string): Promise<Int16Array> {
    const known = this.#clips.get(text);
    if (known !== undefined) return known;
    const made = this.#synthesise(text);
    this.#clips.set(text, made);
    made.catch(() => this.#clips.delete(text));
    return made;
  }

  hush(): void {
    this.#microphone?.hush();
  }

  async leave(): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    await within(systemClock, LEAVE_MS, this.#microphone?.close() ?? Promise.resolve());
    await within(systemClock, LEAVE_MS, this.#room.disconnect());
  }

  #isAgent(identity: string): boolean {
    return identity.startsWith(this.#options.agentPrefix ?? 'agent-');
  }

  #agentAppeared(identity: string): void {
    if (!this.#isAgent(identity)) return;
    this.#emit({ type: 'agentJoined', at: Date.now(), identity });
    if (this.#options.resend === false) return;
    for (const [id, text] of this.#unacknowledged) void this.#write(id, text).catch(() => {});
  }

  async #write(id: string, text: string): Promise<void> {
    await this.#room.localParticipant?.sendText(text, {
      topic: TOPIC_CHAT,
      attributes: { [ATTRIBUTE_MESSAGE_ID]: id },
    });
  }

  async #readText(reader: TextStreamReader, from: string, role: 'agent' | 'supervisor'): Promise<void> {
    const id = reader.info.streamId;
    try {
      for await (const added of reader) this.#emit({ type: 'text', at: Date.now(), id, from, role, added });
      this.#emit({ type: 'textEnd', at: Date.now(), id });
    } catch {
      // The sender died in the middle: the text stays unfinished.
    }
  }

  async #readTranscript(reader: TextStreamReader): Promise<void> {
    const final = reader.info.attributes?.['lk.transcription_final'] === 'true';
    const text = await reader.readAll().catch(() => '');
    this.#emit({ type: 'transcript', at: Date.now(), text, final });
  }

  async #hear(track: RemoteTrack, identity: string): Promise<void> {
    const agent = this.#isAgent(identity);
    if (agent) this.#emit({ type: 'agentTrack', at: Date.now(), identity });
    const stream = new AudioStream(track, { sampleRate: HEARING_RATE, numChannels: 1, frameSizeMs: 20 });
    const reader = stream.getReader();
    for (;;) {
      const { done, value: frame } = await reader.read();
      if (done) return;
      let energy = 0;
      for (const sample of frame.data) energy += sample * sample;
      const rms = Math.sqrt(energy / Math.max(1, frame.data.length)) / 32768;
      this.#emit({
        type: 'sound',
        at: Date.now(),
        identity,
        agent,
        levelDb: Math.round(20 * Math.log10(rms + 1e-6)),
      });
    }
  }

  async #synthesise(text: string): Promise<Int16Array> {
    const { speech } = this.#options;
    if (speech === undefined) throw new Error('this customer was given no voice: set `speech`');
    const response = await fetch(`${speech.baseUrl}/audio/speech`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${speech.key ?? 'rehearsal'}` },
      body: JSON.stringify({
        model: 'tts-1',
        input: text,
        voice: speech.voice ?? 'echo',
        response_format: 'pcm',
      }),
      signal: AbortSignal.timeout(SYNTHESIS_MS),
    });
    if (!response.ok)
      throw new Error(`the voice server answered ${response.status}: ${await response.text()}`);
    return new Int16Array(await response.arrayBuffer());
  }
}
