import { FloorwalkerError } from '../errors.ts';
import { ApiRefusal, ChatApi, type Created } from './chat-api.ts';
import { type ChatOptions, findChatPlace } from './chat-place.ts';
import type { Streams } from './chat-terminal.ts';

/**
 * A customer in the terminal. Returns the exit status: 0 when the conversation ended or the customer left,
 * 1 when it could not go on.
 *
 * @throws FloorwalkerError `chat_unavailable` when it can't begin
 */
export async function runChat(
  options: ChatOptions,
  streams: Streams = { input: process.stdin, output: process.stdout },
): Promise<number> {
  const place = await findChatPlace(options);
  const api = new ChatApi(place);
  const created = await begin(api);
  // LiveKit's client writes its own log to standard output, all of it unless this says otherwise when it is loaded.
  process.env.NODE_ENV = 'production';
  const { Conversation } = await import('./chat-conversation.ts');
  return new Conversation(place.agentName, api, created, streams).run();
}

async function begin(api: ChatApi): Promise<Created> {
  try {
    return await api.create();
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    const wait = error.retryAfterSeconds;
    throw new FloorwalkerError('chat_unavailable', `${error.message} (${error.code})`, {
      cause: error,
      ...(wait === undefined ? {} : { remedy: `Try again in ${wait} s.` }),
    });
  }
}
