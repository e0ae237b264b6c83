import type * as LiveKit from 'livekit-client';
import * as z from 'zod/mini';
import {
  ATTRIBUTE_MESSAGE_ID,
  announcerIdentity,
  parseAgentIdentity,
  parseSupervisorIdentity,
  TOPIC_ACK,
  TOPIC_CHAT,
  TOPIC_HISTORY,
  TOPIC_QUEUE,
  TOPIC_TRANSCRIPTION,
} from '../../domain/identities.ts';
import type { Join } from '../api.ts';

const ATTRIBUTE_SEGMENT = 'lk.segment_id';
const ATTRIBUTE_FINAL = 'lk.transcription_final';

export type Voice = 'agent' | 'supervisor';
export type LinkEnd = 'elsewhere' | 'closed' | 'lost';

export interface LinkEvents {
  /** More words of somebody; `id` is the same for all parts of one utterance. */
  heard(from: Voice, id: string, words: string): void;
  settled(id: string, how: 'done' | 'broken'): void;
  /** What speech recognition makes of the customer's own words so far. */
  understood(id: string, words: string, final: boolean): void;
  acknowledged(messageId: string): void;
  history(text: string): void;
  /** Who is there besides the customer, and who of them speaks. */
  people(people: People): void;
  connection(state: 'lost' | 'restored'): void;
  soundBlocked(blocked: boolean): void;
  position(position: number): void;
  ended(how: LinkEnd): void;
}

export interface People {
  readonly agentHere: boolean;
  /** The human who has taken over; '' where no name is given. */
  readonly supervisor: string | undefined;
  readonly speaking: Voice | undefined;
}

/** The library that carries media is most of the page's weight: it is fetched when somebody begins to talk. */
let library: Promise<typeof LiveKit> | undefined;
export function loadLiveKit(): Promise<typeof LiveKit> {
  library ??= import('livekit-client').catch((error: unknown) => {
    library = undefined;
    throw error;
  });
  return library;
}

/**
 * The customer's place in one LiveKit room. Only the interaction's own agent and a supervisor are heard;
 * whatever else is in the room does not exist for the customer.
 */
export class RoomLink {
  readonly #livekit: typeof LiveKit;
  readonly #interactionId: string;
  readonly #events: LinkEvents;
  readonly #room: LiveKit.Room;
  readonly #players = new Map<string, HTMLMediaElement>();
  /** Streams of words that have not ended, and who says them. */
  readonly #speakers = new Map<string, string>();
  #closed = false;

  constructor(livekit: typeof LiveKit, interactionId: string, events: LinkEvents) {
    this.#livekit = livekit;
    this.#interactionId = interactionId;
    this.#events = events;
    this.#room = new livekit.Room({ adaptiveStream: false, dynacast: false });
    this.#readTexts();
    this.#follow();
  }

  /** @throws when LiveKit can't be reached, or refuses the token */
  async join({ url, token }: Join, microphone?: LiveKit.LocalAudioTrack): Promise<void> {
    const voice = microphone !== undefined;
    await this.#room.connect(url, token, { autoSubscribe: voice });
    if (microphone) {
      await this.#room.localParticipant.publishTrack(microphone, {
        source: this.#livekit.Track.Source.Microphone,
      });
    }
    this.#tellPeople();
  }

  async send(message: { id: string; text: string }): Promise<void> {
    await this.#room.localParticipant.sendText(message.text, {
      topic: TOPIC_CHAT,
      attributes: { [ATTRIBUTE_MESSAGE_ID]: message.id },
    });
  }

  /** Browsers play sound only after a gesture; this has to be called in one. */
  async allowSound(): Promise<void> {
    await this.#room.startAudio();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#room.disconnect(false);
    for (const player of this.#players.values()) player.remove();
  }

  #roleOf(identity: string): Voice | undefined {
    if (parseAgentIdentity(identity)?.interactionId === this.#interactionId) return 'agent';
    return parseSupervisorIdentity(identity) === undefined ? undefined : 'supervisor';
  }

  #readTexts(): void {
    const room = this.#room;
    const myself = (identity: string) => identity === room.localParticipant.identity;
    room.registerTextStreamHandler(TOPIC_TRANSCRIPTION, (reader, { identity }) => {
      const role = this.#roleOf(identity);
      if (role) void this.#readSpeech(role, identity, reader);
      else if (myself(identity)) void this.#readOwnWords(reader);
    });
    const written = new Set<string>();
    room.registerTextStreamHandler(TOPIC_CHAT, (reader, { identity }) => {
      if (this.#roleOf(identity) !== 'supervisor') return;
      const id = reader.info.attributes?.[ATTRIBUTE_MESSAGE_ID] ?? reader.info.id;
      // A person's page sends again what no agent was there to store; who was here has read it.
      if (written.has(id)) return;
      written.add(id);
      void this.#readSpeech('supervisor', identity, reader);
    });
    const fromAgent = (topic: string, take: (text: string, identity: string) => void) =>
      room.registerTextStreamHandler(topic, async (reader, { identity }) => {
        const text = await reader.readAll().catch(() => '');
        if (text !== '' && this.#roleOf(identity) === 'agent') take(text.trim(), identity);
      });
    fromAgent(TOPIC_ACK, (id) => this.#events.acknowledged(id));
    fromAgent(TOPIC_HISTORY, (text, identity) => {
      this.#breakOff(identity);
      this.#events.history(text);
    });
  }

  async #readSpeech(from: Voice, identity: string, reader: LiveKit.TextStreamReader): Promise<void> {
    const id = reader.info.id;
    this.#speakers.set(id, identity);
    try {
      for await (const part of reader) {
        if (!this.#closed && this.#speakers.has(id)) this.#events.heard(from, id, part);
      }
      if (this.#speakers.has(id)) this.#events.settled(id, 'done');
    } catch {
      // A stream breaks off when its sender dies; what was heard stays.
      this.#events.settled(id, 'broken');
    }
    this.#speakers.delete(id);
  }

  /** Whoever sends the history is the one agent now; that an earlier one is gone may be told only later. */
  #breakOff(agent: string): void {
    for (const [id, speaker] of this.#speakers) {
      if (speaker === agent || this.#roleOf(speaker) !== 'agent') continue;
      this.#speakers.delete(id);
      this.#events.settled(id, 'broken');
    }
  }

  /** Each part is a stream of its own that replaces the one before, until one is final. */
  async #readOwnWords(reader: LiveKit.TextStreamReader): Promise<void> {
    const { id, attributes } = reader.info;
    const words = await reader.readAll().catch(() => '');
    if (words === '' || this.#closed) return;
    this.#events.understood(
      attributes?.[ATTRIBUTE_SEGMENT] ?? id,
      words,
      attributes?.[ATTRIBUTE_FINAL] === 'true',
    );
  }

  #follow(): void {
    const { RoomEvent, Track, DisconnectReason } = this.#livekit;
    const room = this.#room;
    const people = () => this.#tellPeople();
    room.on(RoomEvent.ParticipantConnected, people);
    room.on(RoomEvent.ParticipantDisconnected, people);
    room.on(RoomEvent.ParticipantNameChanged, people);
    room.on(RoomEvent.ActiveSpeakersChanged, people);
    room.on(RoomEvent.Reconnecting, () => this.#events.connection('lost'));
    room.on(RoomEvent.Reconnected, () => this.#events.connection('restored'));
    room.on(RoomEvent.AudioPlaybackStatusChanged, () => this.#events.soundBlocked(!room.canPlaybackAudio));
    room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
      const { identity } = participant;
      const mayBeHeard = this.#roleOf(identity) || identity === announcerIdentity(this.#interactionId);
      if (track.kind !== Track.Kind.Audio || !mayBeHeard) return;
      const player = track.attach();
      player.dataset.participant = participant.identity;
      player.hidden = true;
      document.body.append(player);
      this.#players.set(track.sid ?? participant.identity, player);
    });
    room.on(RoomEvent.TrackUnsubscribed, (track, _publication, participant) => {
      const key = track.sid ?? participant.identity;
      for (const player of track.detach()) player.remove();
      this.#players.delete(key);
    });
    room.on(RoomEvent.DataReceived, (payload, participant, _kind, topic) => {
      // The server's own word; what a participant sends under this name is none.
      if (topic !== TOPIC_QUEUE || participant !== undefined) return;
      const place = readPosition(payload);
      if (place !== undefined) this.#events.position(place);
    });
    room.on(RoomEvent.Disconnected, (reason) => {
      if (this.#closed) return;
      const orderly =
        reason === DisconnectReason.ROOM_DELETED || reason === DisconnectReason.PARTICIPANT_REMOVED;
      if (reason === DisconnectReason.DUPLICATE_IDENTITY) this.#events.ended('elsewhere');
      else this.#events.ended(orderly ? 'closed' : 'lost');
    });
  }

  #tellPeople(): void {
    if (this.#closed) return;
    const others = [...this.#room.remoteParticipants.values()];
    const supervisor = others.find(({ identity }) => this.#roleOf(identity) === 'supervisor');
    const speaker = this.#room.activeSpeakers.find(({ identity }) => this.#roleOf(identity) !== undefined);
    this.#events.people({
      agentHere: others.some(({ identity }) => this.#roleOf(identity) === 'agent'),
      supervisor: supervisor === undefined ? undefined : (supervisor.name ?? ''),
      speaking: speaker === undefined ? undefined : this.#roleOf(speaker.identity),
    });
  }
}

const positionSchema = z.object({ position: z.number() });

function readPosition(payload: Uint8Array): number | undefined {
  try {
    return positionSchema.safeParse(JSON.parse(new TextDecoder().decode(payload))).data?.position;
  } catch {
    return undefined;
  }
}
