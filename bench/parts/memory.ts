import type { Agent } from '../../test/support/fixtures.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { cpuMs, memoryOf, processesOf } from '../processes.ts';
import type { Stack, Visit } from '../stack.ts';
import { firstText, greeted } from './chat.ts';
import { converse } from './voice.ts';

async function record(results: Measurements, what: string, pid: number): Promise<void> {
  const memory = await memoryOf(pid);
  if (!memory) throw new Error(`${what} had ended`);
  results.add('memory', `${what}, RSS`, memory.rssMb, 'MB');
  if (memory.pssMb !== undefined) results.add('memory', `${what}, PSS`, memory.pssMb, 'MB');
}

/** Processor time that each has used so far. */
async function usedBy(pids: readonly number[]): Promise<[pid: number, ms: number][]> {
  return Promise.all(pids.map(async (pid): Promise<[number, number]> => [pid, await cpuMs(pid)]));
}

/** Of the job processes that were warm before, the one that has worked most since: it has the job. */
async function busiest(before: readonly [pid: number, ms: number][]): Promise<number> {
  const now = new Map(await usedBy(before.map(([pid]) => pid)));
  const spent = before.map(([pid, ms]): [number, number] => [pid, (now.get(pid) ?? 0) - ms]);
  const [found] = spent.sort((a, b) => b[1] - a[1]);
  if (!found) throw new Error('the job process was not found');
  return found[0];
}

async function chat(visit: Visit): Promise<void> {
  await greeted(visit);
  for (let turn = 1; turn <= 3; turn += 1) {
    const sentAt = Date.now();
    await visit.customer.send(`Question ${turn}: where is my order?`);
    const text = await firstText(visit, sentAt);
    await visit.customer.waitFor(() => text.final);
  }
}

/** Memory of each kind of process at rest and in a conversation. Nothing else is measured meanwhile. */
export async function measureMemory(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  // A process that had a job may still be on its way out when the next sample is taken.
  const used = new Set<number>();
  const atRest = async (): Promise<Awaited<ReturnType<typeof processesOf>>> => {
    await stack.rest();
    await record(results, 'API', stack.apiPid);
    await record(results, 'worker', stack.workerPid);
    const processes = await processesOf(stack.workerPid);
    for (const pid of processes.inference) await record(results, 'inference process', pid);
    return processes;
  };
  const sampleCall = async (agent: Agent): Promise<void> => {
    const { jobs: all } = await atRest();
    const jobs = all.filter((pid) => !used.has(pid));
    for (const pid of jobs) await record(results, 'process of a call, idle', pid);
    const before = await usedBy(jobs);
    const visit = await stack.join(agent);
    try {
      await converse(stack, visit);
      const pid = await busiest(before);
      used.add(pid);
      await record(results, 'process of a call, in it', pid);
    } finally {
      await stack.end(agent, visit);
    }
  };
  const sampleChat = async (agent: Agent): Promise<void> => {
    const { chats } = await atRest();
    for (const pid of chats) await record(results, 'process of chats, at rest', pid);
    const visit = await stack.join(agent);
    try {
      await chat(visit);
      for (const pid of chats) await record(results, 'process of chats, with one', pid);
    } finally {
      await stack.end(agent, visit);
    }
  };
  const chatAgent = await stack.createAgent({});
  const voiceAgent = await stack.createAgent({ agentType: 'voice' });
  await results.repeat('memory', options.samples, () => sampleChat(chatAgent));
  await results.repeat('memory', options.samples, () => sampleCall(voiceAgent));
}
