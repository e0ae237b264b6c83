import { randomUUID } from 'node:crypto';
import { Room, RoomEvent } from '@livekit/rtc-node';
import { z } from 'zod';
import { ATTRIBUTE_MESSAGE_ID, TOPIC_ACK, TOPIC_CHAT } from '../../src/domain/identities.ts';

/**
 * A customer's client gone wild, in a process of its own: joins the room, and once told to begins to send as fast as it can
 * until it is put out. Tells its parent which messages were acknowledged and what the agent said.
 */
const [url = '', token = '', how = ''] = process.argv.slice(2);
const kind = z.enum(['messages', 'packets', 'unfinished', 'stray']).parse(how);
const room = new Room();
const report = (message: object): void => void process.send?.(message);
let sending = true;

room.registerTextStreamHandler(TOPIC_ACK, async (reader) => report({ acknowledged: await reader.readAll() }));
room.registerTextStreamHandler('lk.transcription', async (reader) => {
  const said = await reader.readAll().catch(() => '');
  report({ said });
});
room.on(RoomEvent.Disconnected, () => {
  sending = false;
  report({ disconnected: true });
});
await room.connect(url, token, { autoSubscribe: false, dynacast: false });
report({ ready: true });

async function sendOne(): Promise<void> {
  const me = room.localParticipant;
  const attributes = { [ATTRIBUTE_MESSAGE_ID]: randomUUID() };
  if (kind === 'packets') {
    await me?.publishData(new Uint8Array(100), { reliable: true, topic: 'nothing' });
  } else if (kind === 'messages') {
    await me?.sendText(`flood ${Date.now()}`, { topic: TOPIC_CHAT, attributes });
  } else if (kind === 'stray') {
    await me?.sendText('for nobody', { topic: 'nothing' });
    const writer = await me?.streamBytes({ name: 'nothing', topic: 'nothing' });
    await writer?.close();
  } else {
    const writer = await me?.streamText({ topic: TOPIC_CHAT, attributes });
    await writer?.write('never finished');
  }
}

/** Each line of work sends one after the other; what the server does not let through any more fails, and is tried again. */
async function flood(): Promise<void> {
  while (sending) {
    await sendOne().catch(() => new Promise((resolve) => setTimeout(resolve, 20)));
    // Its own event loop has to turn, or it would never notice that it is put out.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.once('message', () => {
  for (let line = 0; line < 20; line += 1) void flood();
});
process.once('disconnect', () => process.exit(0));
