import {
  AccessToken,
  DataPacket_Kind,
  RoomAgentDispatch,
  RoomServiceClient,
  TrackSource,
  TwirpError,
  type VideoGrant,
} from 'livekit-server-sdk';
import type { Channel } from '../domain/channel.ts';
import {
  AGENT_NAME,
  agentIdentity,
  customerIdentity,
  parseAgentIdentity,
  TOPIC_DOORBELL,
  TOPIC_HUSH,
} from '../domain/identities.ts';
import { jobMetadata } from '../domain/job-metadata.ts';
import { FloorwalkerError } from '../errors.ts';
import type { ApiSettings } from './settings.ts';

/** Time a customer has to join with a token; being in the room outlives it. */
export const TOKEN_LIFETIME_SECONDS = 600;
const REQUEST_TIMEOUT_SECONDS = 5;

/**
 * LiveKit as the API needs it: rooms are created here and nowhere else, and what each token may do is
 * decided here.
 */
export class Rooms {
  /** Where customers connect. */
  readonly url: string;
  readonly #settings: Pick<ApiSettings, 'livekit' | 'figures'>;
  readonly #rooms: RoomServiceClient;

  constructor(settings: Pick<ApiSettings, 'livekit' | 'figures'>) {
    const { url, publicUrl, apiKey, apiSecret } = settings.livekit;
    this.#settings = settings;
    this.url = (publicUrl ?? url).replace(/^http/, 'ws');
    const options = { requestTimeout: REQUEST_TIMEOUT_SECONDS };
    this.#rooms = new RoomServiceClient(url, apiKey, apiSecret, options);
  }

  /**
   * Creates the room, or finds it as it is. It carries no metadata: customers could read it. It outlives the
   * customer by the time they have to come back, so that a reloaded page finds the conversation again.
   *
   * @param agentFor the interaction for which an agent is called into a new room. A room that is made without one makes
   *   LiveKit look for an agent without a name too, for a second each: many at once, and the agents that there are come late.
   * @throws FloorwalkerError `media_unavailable`
   */
  async open(room: string, channel: Channel, agentFor?: string): Promise<void> {
    const { joinTimeoutMs, rejoinVoiceMs, rejoinChatMs } = this.#settings.figures;
    const rejoinMs = channel === 'voice' ? rejoinVoiceMs : rejoinChatMs;
    await this.#ask('create the room', () =>
      this.#rooms.createRoom({
        name: room,
        emptyTimeout: Math.max(TOKEN_LIFETIME_SECONDS, Math.ceil(joinTimeoutMs / 1_000)),
        departureTimeout: Math.ceil(rejoinMs / 1_000) + 10,
        ...(agentFor ? { agents: [dispatchOf(agentFor, channel)] } : {}),
      }),
    );
  }

  /** For an interaction that failed before it began; a room that is not there is as good as removed. */
  async close(room: string): Promise<void> {
    await this.#ask('remove the room', () => this.#rooms.deleteRoom(room)).catch(() => undefined);
  }

  /**
   * That one room, a microphone if it is a call, text either way, and nothing else: no camera or screen, no
   * metadata, no administration, no room configuration.
   */
  async customerToken(room: string, interactionId: string, channel: Channel): Promise<string> {
    return this.#token(customerIdentity(interactionId), participantGrant(room, channel));
  }

  /**
   * The same as a customer's: a person who has taken over speaks or writes, and no more.
   *
   * @param name under which the customer sees them: the one of their profile.
   */
  async supervisorToken(room: string, identity: string, name: string, channel: Channel): Promise<string> {
    return this.#token(identity, participantGrant(room, channel), name);
  }

  /** Hears and reads, is seen by nobody, and can send nothing. */
  async monitorToken(room: string, identity: string): Promise<string> {
    const grant = participantGrant(room, 'chat');
    return this.#token(identity, { ...grant, hidden: true, canPublish: false, canPublishData: false });
  }

  /**
   * Removes a participant; one that is not there is as good as removed.
   *
   * @throws FloorwalkerError `media_unavailable`
   */
  async remove(room: string, identity: string): Promise<void> {
    await this.#ask('remove a participant', async () => {
      try {
        await this.#rooms.removeParticipant(room, identity);
      } catch (error) {
        if (!(error instanceof TwirpError && error.code === 'not_found')) throw error;
      }
    });
  }

  /**
   * Tells the agent, and nobody else, to look at the database now. Carries no content, so that a lost, late
   * or doubled ring changes nothing.
   *
   * @param hush a person has taken over: silence first, then the look.
   *
   * @throws FloorwalkerError `media_unavailable`; the worker's poll finds the change all the same
   */
  async ringDoorbell(
    room: string,
    interactionId: string,
    { generation, hush = false }: { generation?: number | undefined; hush?: boolean } = {},
  ): Promise<void> {
    await this.#ask('ring the doorbell', async () => {
      const destinationIdentities =
        generation === undefined
          ? await this.#agentsIn(room, interactionId)
          : [agentIdentity(interactionId, generation)];
      // An empty list would mean everybody.
      if (destinationIdentities.length === 0) return;
      await this.#rooms.sendData(room, new Uint8Array(), DataPacket_Kind.RELIABLE, {
        destinationIdentities,
        topic: hush ? TOPIC_HUSH : TOPIC_DOORBELL,
      });
    });
  }

  /** @throws FloorwalkerError `media_unavailable` */
  async ping(): Promise<void> {
    await this.#ask('answer', () => this.#rooms.listRooms(['floorwalker-readiness']));
  }

  async #agentsIn(room: string, interactionId: string): Promise<string[]> {
    const participants = await this.#rooms.listParticipants(room);
    return participants
      .map(({ identity }) => identity)
      .filter((identity) => parseAgentIdentity(identity)?.interactionId === interactionId);
  }

  async #token(identity: string, grant: VideoGrant, name?: string): Promise<string> {
    const { apiKey, apiSecret } = this.#settings.livekit;
    const token = new AccessToken(apiKey, apiSecret, {
      identity,
      ttl: TOKEN_LIFETIME_SECONDS,
      ...(name === undefined ? {} : { name }),
    });
    token.addGrant(grant);
    return token.toJwt();
  }

  async #ask<T>(what: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (cause) {
      throw new FloorwalkerError('media_unavailable', `The media server could not ${what}.`, { cause });
    }
  }
}

function participantGrant(room: string, channel: Channel): VideoGrant {
  const voice = channel === 'voice';
  return {
    roomJoin: true,
    room,
    canPublish: voice,
    ...(voice ? { canPublishSources: [TrackSource.MICROPHONE] } : {}),
    canPublishData: true,
    canSubscribe: true,
    canUpdateOwnMetadata: false,
    hidden: false,
    roomCreate: false,
    roomList: false,
    roomAdmin: false,
    roomRecord: false,
    ingressAdmin: false,
  };
}

function dispatchOf(interactionId: string, channel: Channel): RoomAgentDispatch {
  return new RoomAgentDispatch({ agentName: AGENT_NAME, metadata: jobMetadata(interactionId, channel) });
}
