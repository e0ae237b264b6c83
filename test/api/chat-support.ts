import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Room, RoomEvent, type TextStreamReader } from '@livekit/rtc-node';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import { eventually, type Floor } from './support.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ON_TERMINAL = fileURLToPath(new URL('./chat-on-terminal.ts', import.meta.url));

/** `floorwalker chat` as a program of its own. */
export class ChatProgram {
  readonly #child: ChildProcess;
  output = '';

  constructor(dataFolder: string, options: { terminal?: boolean; args?: string[] } = {}) {
    const program = options.terminal
      ? [ON_TERMINAL, dataFolder]
      : [MAIN, 'chat', '--data', dataFolder, ...(options.args ?? [])];
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...program], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer) => {
      this.output += chunk.toString('utf8');
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Ends the input, as the last line of a script does. */
  end(text = ''): void {
    this.#child.stdin?.end(text);
  }

  async prints(text: string | RegExp): Promise<void> {
    const there = () => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output));
    await eventually(
      `the chat prints ${text}\n--- it printed:\n${this.output}`,
      () => there() || undefined,
    ).catch(() => {
      throw new Error(`the chat did not print ${text}; it printed:\n${this.output}`);
    });
  }

  async exitStatus(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

export interface HeardMessage {
  readonly id: string;
  readonly text: string;
}

/** The agent's side of the wire contract, without a model: says and acknowledges what a test tells it to. */
export class WireAgent {
  readonly heard: HeardMessage[] = [];
  readonly #room = new Room();
  readonly #floor: Floor;
  readonly interactionId: string;
  readonly roomName: string;
  readonly generation: number;
  acknowledges = true;

  constructor(floor: Floor, interactionId: string, roomName: string, generation: number) {
    this.#floor = floor;
    this.interactionId = interactionId;
    this.roomName = roomName;
    this.generation = generation;
  }

  async join(): Promise<this> {
    const { url, apiKey, apiSecret } = this.#floor.livekit;
    const identity = `agent-${this.interactionId}-g${this.generation}`;
    const token = new AccessToken(apiKey, apiSecret, { identity });
    token.addGrant({ roomJoin: true, room: this.roomName });
    this.#room.registerTextStreamHandler(
      'lk.chat',
      (reader, { identity: from }) => void this.#read(reader, from),
    );
    await this.#room.connect(url, await token.toJwt(), { autoSubscribe: false, dynacast: false });
    return this;
  }

  async customerIsHere(): Promise<void> {
    await eventually(
      'the customer is in the room',
      () => this.#room.remoteParticipants.has(`customer-${this.interactionId}`) || undefined,
    );
  }

  async hears(count: number): Promise<HeardMessage[]> {
    return eventually(`${count} messages`, () => (this.heard.length >= count ? this.heard : undefined));
  }

  /** Streams words as a model makes them. */
  async say(...words: string[]): Promise<void> {
    const writer = await this.#room.localParticipant?.streamText({ topic: 'lk.transcription' });
    for (const word of words) await writer?.write(word);
    await writer?.close();
  }

  async send(topic: string, text: string): Promise<void> {
    await this.#room.localParticipant?.sendText(text, { topic });
  }

  /** Completes the interaction and removes the room, in the worker's order. */
  async end(): Promise<void> {
    const { error } = await this.#floor.database.service.rpc('complete_interaction', {
      p_interaction_id: this.interactionId,
      p_generation: this.generation,
      p_status: 'completed',
      p_end_reason: 'agent_ended',
    });
    if (error) throw error;
    await this.#service().deleteRoom(this.roomName);
    await this.leave();
  }

  /** As LiveKit does it to a customer whose connection it gives up. */
  async throwCustomerOut(): Promise<void> {
    const identity = `customer-${this.interactionId}`;
    const gone = Promise.withResolvers<void>();
    const listen = (participant: { identity: string }) => participant.identity === identity && gone.resolve();
    this.#room.on(RoomEvent.ParticipantDisconnected, listen);
    await this.#service().removeParticipant(this.roomName, identity);
    await gone.promise;
    this.#room.off(RoomEvent.ParticipantDisconnected, listen);
  }

  async leave(): Promise<void> {
    await this.#room.disconnect();
  }

  #service(): RoomServiceClient {
    const { url, apiKey, apiSecret } = this.#floor.livekit;
    return new RoomServiceClient(url, apiKey, apiSecret);
  }

  async #read(reader: TextStreamReader, from: string): Promise<void> {
    const text = await reader.readAll();
    if (from !== `customer-${this.interactionId}`) return;
    const id = reader.info.attributes?.message_id ?? reader.info.streamId;
    this.heard.push({ id, text });
    if (this.acknowledges) await this.send('floorwalker.ack', id);
  }
}

/** Waits for the interaction that a customer of this agent has begun, claims it and joins its room. */
export async function answer(
  floor: Floor,
  agentId: string,
  options: { acknowledges?: boolean } = {},
): Promise<WireAgent> {
  const row = await eventually('a queued interaction', async () => {
    const [found] = await floor.database.sql<{ id: string; room: string }[]>`
      select id, livekit_room_id as room from interactions where agent_id = ${agentId} and status = 'queued'`;
    return found;
  });
  return claim(floor, row.id, row.room, options);
}

export async function claim(
  floor: Floor,
  interactionId: string,
  room: string,
  options: { acknowledges?: boolean } = {},
): Promise<WireAgent> {
  const { data, error } = await floor.database.service.rpc('claim_interaction', {
    p_interaction_id: interactionId,
    p_worker_id: 'worker',
    p_lease_seconds: 0,
  });
  if (error) throw error;
  const agent = new WireAgent(floor, interactionId, room, data.generation);
  agent.acknowledges = options.acknowledges ?? true;
  return agent.join();
}
