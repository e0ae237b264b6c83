import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';

export interface ChatOptions {
  /** Name or id of the agent; by default the first one that chats. */
  readonly agent?: string | undefined;
  readonly api?: string | undefined;
  /** The publishable key. */
  readonly key?: string | undefined;
  /** The data folder of a running demo. */
  readonly data?: string | undefined;
}

/** With whom, and through which API, a chat takes place. */
export interface ChatPlace {
  readonly apiUrl: string;
  readonly publishableKey: string;
  readonly agentId: string;
  readonly agentName: string;
}

const demoSchema = z.object({
  api_url: z.url(),
  supabase_publishable_key: z.string().min(1),
  agents: z.array(z.object({ id: z.string(), name: z.string(), agent_type: z.string() })),
});
type Demo = z.output<typeof demoSchema>;

async function readDemo(folder: string): Promise<Demo | undefined> {
  const file = join(folder, 'demo.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  const parsed = demoSchema.safeParse(safeJson(text));
  if (parsed.success) return parsed.data;
  throw new FloorwalkerError('chat_unavailable', `${file} is not what a demo writes.`);
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function chooseAgent(demo: Demo | undefined, wanted: string | undefined): { id: string; name: string } {
  const chatting = (demo?.agents ?? []).filter(({ agent_type }) => agent_type === 'chat');
  if (wanted === undefined) {
    const first = chatting[0];
    if (first) return first;
    throw new FloorwalkerError('chat_unavailable', 'It is not said with which agent to chat.', {
      remedy: 'Name one: --agent <name or id>.',
    });
  }
  if (z.guid().safeParse(wanted).success) return { id: wanted, name: 'agent' };
  const named = chatting.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  if (named) return named;
  const names = chatting.map(({ name }) => name).join(', ');
  throw new FloorwalkerError('chat_unavailable', `No agent that chats is called "${wanted}".`, {
    remedy: names === '' ? 'Give its id: --agent <id>.' : `There are: ${names}.`,
  });
}

/**
 * Options win over the running demo's own file.
 *
 * @throws FloorwalkerError `chat_unavailable` with what to do about it
 */
export async function findChatPlace(options: ChatOptions): Promise<ChatPlace> {
  const folder = options.data ?? '.floorwalker';
  const demo = await readDemo(folder);
  const apiUrl = options.api ?? demo?.api_url;
  const publishableKey = options.key ?? demo?.supabase_publishable_key;
  if (apiUrl === undefined || publishableKey === undefined) {
    throw new FloorwalkerError('chat_unavailable', `No demo runs on the folder ${folder}.`, {
      remedy: 'Start one with `npm run demo`, or give --api, --key and --agent.',
    });
  }
  const agent = chooseAgent(demo, options.agent);
  return { apiUrl: apiUrl.replace(/\/+$/, ''), publishableKey, agentId: agent.id, agentName: agent.name };
}
