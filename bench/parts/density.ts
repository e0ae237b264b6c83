import { randomUUID } from 'node:crypto';
import { AccessToken, AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import { type NodeChild, startNodeChild } from '../../src/embedded/node-child.ts';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { type Measurements, percentile } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { familyMemoryMb, untilQuiet } from '../processes.ts';
import { plainEnvironment } from '../servers.ts';
import type { Stack } from '../stack.ts';

const WORKER = new URL('../bare/worker.ts', import.meta.url);
const FIRST_REPLY_MS = 120_000;

/** A chat that was begun, and when. */
interface Begun {
  readonly customer: Customer;
  readonly askedAt: number;
}

interface Contestant {
  readonly name: string;
  /** The process whose children, and itself, hold the chats. */
  readonly pid: number;
  begin(): Promise<Begun>;
  end(chats: readonly Begun[]): Promise<void>;
}

/** How long each customer waited for the first words, and what all chats weigh when nothing moves. */
async function burst(contestant: Contestant, count: number, results: Measurements): Promise<void> {
  const { name, pid } = contestant;
  await untilQuiet(pid);
  const emptyMb = await familyMemoryMb(pid);
  const began = await Promise.allSettled(Array.from({ length: count }, () => contestant.begin()));
  const chats = began.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    const waits = await Promise.all(
      chats.map(async ({ customer, askedAt }) => {
        const first = await customer.waitFor(() => customer.texts.find(({ role }) => role === 'agent'), {
          what: 'the first words',
          deadlineMs: FIRST_REPLY_MS,
        });
        return first.at - askedAt;
      }),
    );
    const failed = count - waits.length;
    if (failed > 0) throw new Error(`${failed} of ${count} chats of ${name} could not begin`);
    results.add('density', `${name}: first reply, median of ${count} at once`, percentile(waits, 0.5));
    results.add('density', `${name}: first reply, worst of ${count} at once`, Math.max(...waits));
    await untilQuiet(pid);
    const fullMb = await familyMemoryMb(pid);
    results.add('density', `${name}: memory per idle chat`, (fullMb - emptyMb) / count, 'MB');
    results.add('density', `${name}: all processes, empty`, emptyMb, 'MB');
  } finally {
    await contestant.end(chats);
  }
}

/** The framework without this project, as a worker of its own. */
async function startBare(stack: Stack, tuned: boolean, idle: number): Promise<NodeChild> {
  const { livekit } = stack.servers;
  return startNodeChild({
    name: 'bare worker',
    script: WORKER,
    env: {
      ...plainEnvironment(),
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      OPENAI_BASE_URL: stack.model.openaiBaseUrl,
      PORT: String(await freeTcpPort()),
      ...(tuned ? { BARE_TUNED: '1', BARE_IDLE: String(idle) } : {}),
    },
    logFile: stack.logFile(tuned ? 'bare-tuned' : 'bare'),
    killAfterMs: 5_000,
    ready: (lines) => lines.line(/bare worker registered/),
  });
}

function bare(stack: Stack, name: string, pid: number): Contestant {
  const { url, apiKey, apiSecret } = stack.servers.livekit;
  const http = url.replace(/^ws/, 'http');
  const rooms = new RoomServiceClient(http, apiKey, apiSecret);
  const dispatches = new AgentDispatchClient(http, apiKey, apiSecret);
  const names = new Map<Customer, string>();
  return {
    name,
    pid,
    async begin() {
      const askedAt = Date.now();
      const room = `bare-${randomUUID()}`;
      await rooms.createRoom({ name: room });
      await dispatches.createDispatch(room, 'bare');
      const token = new AccessToken(apiKey, apiSecret, { identity: `customer-${randomUUID()}` });
      token.addGrant({ roomJoin: true, room, canPublish: false, canPublishData: true, canSubscribe: true });
      const customer = await joinAsCustomer({ url, token: await token.toJwt(), channel: 'chat' });
      names.set(customer, room);
      return { customer, askedAt };
    },
    async end(chats) {
      for (const { customer } of chats) {
        await customer.leave();
        const room = names.get(customer);
        if (room) await rooms.deleteRoom(room).catch(() => {});
      }
    },
  };
}

/**
 * Chats that begin together and then say nothing: this project and the bare framework in turn, at its defaults
 * and with what its options allow. Its worker is started anew for each round, as each leaves processes behind.
 */
export async function measureDensity(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const count = options.burst;
  const agent = await stack.createAgent({ maxConcurrentInteractions: 1_000 });
  const ours: Contestant = {
    name: 'floorwalker',
    pid: stack.workerPid,
    begin: () => stack.join(agent),
    async end(chats) {
      for (const { customer } of chats) await customer.leave();
      await stack.endAll();
    },
  };
  const others = [
    { name: 'bare framework', tuned: false },
    { name: 'bare framework, tuned', tuned: true },
  ];
  await results.repeat('density', options.bursts, async () => {
    await burst(ours, count, results);
    for (const { name, tuned } of others) {
      const worker = await startBare(stack, tuned, 4);
      try {
        await burst(bare(stack, name, worker.pid), count, results);
      } finally {
        await worker.stop();
      }
    }
  });
  const median = (name: string): number => {
    const series = results.series.find((known) => known.part === 'density' && known.name === name);
    return percentile(series?.values ?? [], 0.5);
  };
  for (const { name } of others) {
    if (Number.isNaN(median(`${name}: memory per idle chat`))) continue;
    for (const what of [
      'memory per idle chat',
      `first reply, median of ${count} at once`,
      `first reply, worst of ${count} at once`,
    ]) {
      const ratio = median(`${name}: ${what}`) / median(`floorwalker: ${what}`);
      results.add('density', `ratio ${name} / floorwalker: ${what}`, ratio, 'x');
    }
  }
}
