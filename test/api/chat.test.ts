import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dispose } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../support/fixtures.ts';
import { answer, ChatProgram, claim, type WireAgent } from './chat-support.ts';
import { type Floor, setupFloor } from './support.ts';

let floor: Floor;
let agent: Agent;
let folder: string;
const programs: ChatProgram[] = [];
const agents: WireAgent[] = [];

beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(async () => {
  await floor?.stop();
  await dispose();
});

beforeEach(async () => {
  const business = await floor.database.createBusiness();
  agent = await floor.database.createAgent({ businessId: business.id, name: 'Robin' });
  folder = await mkdtemp(join(tmpdir(), 'floorwalker-chat-'));
  await writeFile(
    join(folder, 'demo.json'),
    JSON.stringify({
      api_url: floor.api.url,
      supabase_publishable_key: floor.database.publishableKey,
      agents: [
        { id: crypto.randomUUID(), name: 'Voice', agent_type: 'voice' },
        { id: agent.id, name: 'Robin', agent_type: 'chat' },
      ],
    }),
  );
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.kill()));
  await Promise.all(agents.splice(0).map((one) => one.leave()));
  await rm(folder, { recursive: true, force: true });
});

function start(options: ConstructorParameters<typeof ChatProgram>[1] = {}): ChatProgram {
  const program = new ChatProgram(folder, options);
  programs.push(program);
  return program;
}

async function answered(options: { acknowledges?: boolean } = {}): Promise<WireAgent> {
  const one = await answer(floor, agent.id, options);
  agents.push(one);
  await one.customerIsHere();
  return one;
}

describe('a piped script', () => {
  it('speaks in turn, prints what is said, and ends with the interaction', async () => {
    const program = start();
    program.end('My order 1042 is late.\n\nThank you, bye!\n');
    const robin = await answered();
    await robin.say('Hello, ', 'this is Robin.');
    await program.prints('Robin: Hello, this is Robin.\n');
    expect((await robin.hears(1)).map(({ text }) => text)).toEqual(['My order 1042 is late.']);
    await robin.say('It arrives today.');
    expect((await robin.hears(2)).map(({ text }) => text)).toEqual([
      'My order 1042 is late.',
      'Thank you, bye!',
    ]);
    await robin.say('Goodbye.');
    await program.prints('Robin: Goodbye.\n');
    await robin.end();
    expect(await program.exitStatus()).toBe(0);
    expect(program.output).toBe(
      [
        '· You are chatting with Robin. Ctrl-C leaves.',
        'Robin: Hello, this is Robin.',
        '· you: My order 1042 is late.',
        'Robin: It arrives today.',
        '· you: Thank you, bye!',
        'Robin: Goodbye.',
        '· The conversation has ended.',
        '',
      ].join('\n'),
    );
  });

  it('gets no control of the terminal from what others say', async () => {
    const program = start();
    const robin = await answered();
    await robin.say('Fine\u001b[2J\u0007 \u001b]0;owned\u0007<b>day</b>\u009b31m');
    await program.prints('Robin: Fine[2J ]0;owned<b>day</b>31m\n');
    await robin.end();
    expect(await program.exitStatus()).toBe(0);
  });
});

describe('a message', () => {
  it('that no agent acknowledged is sent again under the same id to the next one', async () => {
    const program = start({ terminal: true });
    const first = await answered({ acknowledges: false });
    await first.say('Hello.');
    await program.prints('Robin: Hello.');
    program.write('Are you there?\n');
    const [heard] = await first.hears(1);
    await first.leave();
    await program.prints('The agent lost its connection.');
    const second = await claim(floor, first.interactionId, first.roomName);
    agents.push(second);
    const again = await second.hears(1);
    expect(again[0]).toEqual(heard);
    await second.end();
    await program.prints('The conversation has ended.');
    expect(second.heard).toHaveLength(1);
  });

  it('that is written before an agent is there reaches it, in order', async () => {
    const program = start({ terminal: true });
    program.write('one\ntwo\nthree\n');
    const robin = await answered();
    expect((await robin.hears(3)).map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  });
});

describe('a lost connection', () => {
  it('is announced, mended, and what was missed is said, once', async () => {
    const program = start();
    const robin = await answered();
    await robin.say('Hello.');
    await program.prints('Robin: Hello.');
    await robin.throwCustomerOut();
    await robin.customerIsHere();
    await robin.send(
      'floorwalker.history',
      JSON.stringify([
        { id: 'a', role: 'agent', text: 'Hello.', at: '2026-01-01T00:00:00Z' },
        { id: 'b', role: 'customer', text: 'Hi.', at: '2026-01-01T00:00:01Z' },
        { id: 'c', role: 'agent', text: 'Are you still there?', at: '2026-01-01T00:00:02Z' },
      ]),
    );
    await program.prints('Robin: Are you still there?');
    expect(program.output.match(/Robin: Hello\./g)).toHaveLength(1);
    await robin.end();
    expect(await program.exitStatus()).toBe(0);
  });
});

describe('at a terminal', () => {
  it('a half-written line survives what is said meanwhile', async () => {
    const program = start({ terminal: true });
    const robin = await answered();
    program.write('I wanted to a');
    await program.prints('I wanted to a');
    await robin.say('Sorry, ', 'one moment.');
    await program.prints('Robin: Sorry, one moment.\n');
    await program.prints(/one moment\.\n(.|\n)*> I wanted to a/);
    program.write('sk.\n');
    expect((await robin.hears(1))[0]?.text).toBe('I wanted to ask.');
  });

  it('the rating that is given at the end is kept', async () => {
    const program = start({ terminal: true });
    const robin = await answered();
    await robin.say('Goodbye.');
    await robin.end();
    await program.prints('How was it');
    program.write('4\n');
    expect(await program.exitStatus()).toBe(0);
    expect(program.output).toContain('Thank you.');
    const [row] = await floor.database.sql`select rating from interactions where id = ${robin.interactionId}`;
    expect(row).toEqual({ rating: 4 });
  });

  it('Ctrl-C leaves politely, and the conversation stays open for a while', async () => {
    const program = start({ terminal: true });
    const robin = await answered();
    program.write('\u0003');
    expect(await program.exitStatus()).toBe(0);
    expect(program.output).toContain('You left the conversation.');
    const [row] = await floor.database.sql`select status from interactions where id = ${robin.interactionId}`;
    expect(row).toEqual({ status: 'active' });
  });
});

describe('a chat that can not begin', () => {
  it('says what to do when no demo runs', async () => {
    await rm(join(folder, 'demo.json'));
    const program = start();
    expect(await program.exitStatus()).toBe(1);
    expect(program.output).toContain('npm run demo');
    expect(program.output).toContain('chat_unavailable');
  });

  it('names the agents there are when the wanted one is not among them', async () => {
    const program = start({ args: ['--agent', 'Nobody'] });
    expect(await program.exitStatus()).toBe(1);
    expect(program.output).toContain('There are: Robin.');
  });

  it('says that the API does not answer', async () => {
    const program = start({ args: ['--api', 'http://127.0.0.1:9'] });
    expect(await program.exitStatus()).toBe(1);
    expect(program.output).toContain('http://127.0.0.1:9 does not answer');
  });

  it('says what the API refuses', async () => {
    const program = start({ args: ['--key', 'wrong'] });
    expect(await program.exitStatus()).toBe(1);
    expect(program.output).toContain('api_key_invalid');
  });
});
