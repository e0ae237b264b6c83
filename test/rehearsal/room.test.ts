import { randomUUID } from 'node:crypto';
import { initializeLogger, stt } from '@livekit/agents';
import * as deepgram from '@livekit/agents-plugin-deepgram';
import { AudioStream, type RemoteTrack, Room, RoomEvent } from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RehearsalServer, startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import { type Customer, type CustomerOptions, joinAsCustomer } from '../support/caller.ts';
import { setupLiveKit, type TestLiveKit } from '../support/livekit.ts';
import { setupSpeech } from '../support/speech.ts';

initializeLogger({ pretty: false, level: 'silent' });

let livekit: TestLiveKit;
let server: RehearsalServer;

beforeAll(async () => {
  livekit = setupLiveKit();
  server = await startRehearsal();
});
afterAll(() => server?.stop());

async function tokenFor(room: string, identity: string): Promise<string> {
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity });
  token.addGrant({ room, roomJoin: true, roomCreate: true });
  return token.toJwt();
}

/** Stands where the worker will: another participant, with the real recognition plugin on the customer's track. */
async function joinAsAgent(room: string, deepgramBaseUrl: string, identity = `agent-${room}-g1`) {
  const agent = new Room();
  const heard: stt.SpeechEvent[] = [];
  const arrived = Promise.withResolvers<void>();
  const messages: { text: string; id: string | undefined }[] = [];
  agent.on(RoomEvent.TrackSubscribed, (track: RemoteTrack) => {
    const plugin = new deepgram.STT({
      apiKey: 'any',
      baseUrl: deepgramBaseUrl,
      language: 'en',
      endpointing: 500,
    });
    const recognition = plugin.stream();
    const audio = new AudioStream(track, { sampleRate: 16_000, numChannels: 1 }).getReader();
    void (async () => {
      for (;;) {
        const { done, value } = await audio.read();
        if (done) return recognition.close();
        recognition.pushFrame(value);
      }
    })();
    void (async () => {
      for await (const event of recognition) heard.push(event);
    })();
    arrived.resolve();
  });
  agent.registerTextStreamHandler('lk.chat', async (reader) => {
    messages.push({ text: await reader.readAll(), id: reader.info.attributes?.message_id });
  });
  await agent.connect(livekit.url, await tokenFor(room, identity), { autoSubscribe: true, dynacast: false });
  onTestFinished(() => agent.disconnect());
  const finals = () =>
    heard
      .filter(({ type }) => type === stt.SpeechEventType.FINAL_TRANSCRIPT)
      .map((event) => event.alternatives?.[0].text ?? '');
  return { agent, heard, finals, messages, hearsCustomer: arrived.promise };
}

async function joinCustomer(
  room: string,
  options: Partial<CustomerOptions> & { ownProcess?: boolean } = {},
): Promise<Customer> {
  const customer = await joinAsCustomer({
    url: livekit.url,
    token: await tokenFor(room, `customer-${room}`),
    channel: 'chat',
    speech: { baseUrl: server.openaiBaseUrl },
    ...options,
  });
  onTestFinished(() => customer.leave());
  return customer;
}

describe('speech through a LiveKit room', () => {
  // Real time for three: sound that a busy machine delays is lost on the way, and no defect of what hears it.
  const retry = process.env.CI ? 4 : 0;
  it('is recognised after Opus and the network, for three callers at once', { retry }, async () => {
    const texts = [
      'Hi, I would like a refund for order 1042, please.',
      'Where is my parcel? I ordered it two weeks ago.',
      'Yes please.',
    ];
    const heard = await Promise.all(
      texts.map(async (text) => {
        const room = `rehearsal-${randomUUID()}`;
        const { finals, hearsCustomer } = await joinAsAgent(room, server.deepgramBaseUrl);
        const customer = await joinCustomer(room, { channel: 'voice' });
        await Promise.all([hearsCustomer, customer.prepare(text)]);
        const { startedAt, endedAt } = await customer.say(text);
        expect(endedAt).toBeGreaterThan(startedAt);
        return customer.waitFor(() => finals().join(' ').length >= text.length && finals().join(' '), {
          what: `the words of "${text}"`,
        });
      }),
    );
    expect(heard).toEqual(texts);
  });

  it('is cut off when the caller breaks off, and only the words said so far are recognised', async () => {
    const room = `rehearsal-${randomUUID()}`;
    const text = 'I would like to know where my parcel with the blue notebooks is at this moment.';
    const { finals, heard, hearsCustomer } = await joinAsAgent(room, server.deepgramBaseUrl);
    const customer = await joinCustomer(room, { channel: 'voice' });
    await Promise.all([hearsCustomer, customer.prepare(text)]);
    const speaking = customer.say(text);
    const isInterim = ({ type, alternatives }: stt.SpeechEvent) =>
      type === stt.SpeechEventType.INTERIM_TRANSCRIPT && (alternatives?.[0].text.split(' ').length ?? 0) >= 4;
    await customer.waitFor(() => heard.some(isInterim), { what: 'four words' });
    await customer.hush();
    expect((await speaking).cut).toBe(true);
    const said = await customer.waitFor(() => finals().length > 0 && finals().join(' '));
    expect(text.startsWith(said)).toBe(true);
    expect(said.length).toBeLessThan(text.length);
  });

  it('can be made silent, dropped and refused', async () => {
    const speech = await setupSpeech();
    onTestFinished(() => speech.stop());
    const room = `rehearsal-${randomUUID()}`;
    const { finals, hearsCustomer } = await joinAsAgent(room, speech.deepgramBaseUrl);
    const customer = await joinCustomer(room, {
      channel: 'voice',
      speech: { baseUrl: speech.openaiBaseUrl },
    });
    await hearsCustomer;
    await customer.waitFor(() => speech.streams === 1, { what: 'a recognition stream' });
    await customer.say('Hello there.');
    await customer.waitFor(() => finals().includes('Hello there.'), { what: 'words' });
    speech.silence(true);
    await customer.say('Can you hear me?');
    await customer.waitForQuiet(800);
    expect(finals()).toEqual(['Hello there.']);
    speech.silence(false);
    await customer.waitFor(() => finals().includes('Can you hear me?'), { what: 'the words held back' });
    speech.dropStreams();
    await customer.waitFor(() => speech.streams === 0, { what: 'the end of the stream' });
    speech.refuseStreams(true);
    const refused = new WebSocket(`${speech.deepgramBaseUrl}/v1/listen`);
    await new Promise((resolve) => refused.addEventListener('error', resolve));
    speech.voice('fails');
    await expect(customer.prepare('Anything else.')).rejects.toThrow('500');
  });
});

describe('a customer in a room', () => {
  it('sends with its own id, reads the agent piece by piece, and takes acknowledgements from the agent only', async () => {
    const room = `rehearsal-${randomUUID()}`;
    const { agent, messages } = await joinAsAgent(room, server.deepgramBaseUrl);
    const customer = await joinCustomer(room);
    await customer.waitFor(() => customer.agents.length === 1);
    const id = await customer.send('Hello?');
    await customer.waitFor(() => messages.length === 1);
    expect(messages[0]).toEqual({ text: 'Hello?', id });

    const stranger = await joinAsAgent(room, server.deepgramBaseUrl, 'stranger');
    await stranger.agent.localParticipant?.sendText('forged', { topic: 'floorwalker.ack' });
    await stranger.agent.localParticipant?.sendText('I am the agent', { topic: 'lk.transcription' });
    const words = await agent.localParticipant?.streamText({ topic: 'lk.transcription' });
    await words?.write('Good ');
    await customer.waitFor(() => customer.texts.some(({ text, final }) => text === 'Good ' && !final));
    await words?.write('morning.');
    await words?.close();
    await agent.localParticipant?.sendText(id, { topic: 'floorwalker.ack' });
    await customer.waitForAck(id);
    expect((await customer.waitForText('morning')).text).toBe('Good morning.');
    expect(customer.agentTexts).toEqual(['Good morning.']);
    expect([...customer.acknowledged]).toEqual([id]);
  });

  it('sends an unacknowledged message again, same id, when the next agent appears', async () => {
    const room = `rehearsal-${randomUUID()}`;
    const customer = await joinCustomer(room);
    const id = await customer.send('Is anybody there?');
    const { messages } = await joinAsAgent(room, server.deepgramBaseUrl);
    await customer.waitFor(() => messages.length === 1);
    expect(messages[0]).toEqual({ text: 'Is anybody there?', id });
  });

  it('hears when the agent begins and stops to speak', async () => {
    const room = `rehearsal-${randomUUID()}`;
    const customer = await joinCustomer(room, { channel: 'voice' });
    const speaker = await joinAsCustomer({
      url: livekit.url,
      token: await tokenFor(room, `agent-${room}-g1`),
      channel: 'voice',
      speech: { baseUrl: server.openaiBaseUrl, voice: 'coral' },
    });
    onTestFinished(() => speaker.leave());
    await speaker.prepare('How can I help you today?');
    await customer.waitFor(() => customer.agentTrackAt !== undefined);
    await customer.waitFor(() => customer.sounds.length > 10, { what: 'frames of the track' });
    const before = Date.now();
    expect(customer.soundBetweenMs(0, before)).toBe(0);
    const { startedAt, endedAt } = await speaker.say('How can I help you today?');
    const first = await customer.waitForSound(before);
    expect(Math.abs(first - startedAt)).toBeLessThan(500);
    const last = await customer.waitForQuiet(400);
    expect(Math.abs(last - endedAt)).toBeLessThan(500);
    expect(customer.soundBetweenMs(first, last)).toBeGreaterThan(600);
  });

  it('can crash: its process is gone at once, without a word to LiveKit', async () => {
    const room = `rehearsal-${randomUUID()}`;
    const { agent, messages } = await joinAsAgent(room, server.deepgramBaseUrl);
    const customer = await joinCustomer(room, { ownProcess: true });
    await customer.waitFor(() => customer.agents.length === 1);
    await customer.send('Still there?', 'message-1');
    await customer.waitFor(() => messages.length === 1);
    await agent.localParticipant?.sendText('message-1', { topic: 'floorwalker.ack' });
    await customer.waitForAck('message-1');
    await customer.crash();
    await expect(customer.send('More')).rejects.toThrow();
    await customer.leave();
  });

  it('says what it waited for and what there was instead', async () => {
    const room = `rehearsal-${randomUUID()}`;
    const customer = await joinCustomer(room);
    await expect(customer.waitForText('refund', { deadlineMs: 50 })).rejects.toThrow(
      /a text of the agent with refund did not come within 50 ms.*Last texts: none/,
    );
  });
});
