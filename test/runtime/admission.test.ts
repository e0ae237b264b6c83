import { expect, it } from 'vitest';
import type { Channel } from '../../src/domain/channel.ts';
import { createLog } from '../../src/log.ts';
import { Admission, type Claims } from '../../src/runtime/admission.ts';

const INTERACTION = '11111111-1111-4111-8111-111111111111';
const AGENT = '22222222-2222-4222-8222-222222222222';

/** Interactions and agents are all of one channel; a claim waits until it is let through. */
function setup(options: { channels: Channel[]; places?: number; channel?: Channel | undefined }) {
  const { channels, places = 1 } = options;
  const done: string[] = [];
  const held: (() => void)[] = [];
  const claims: Claims = {
    claim: async (interactionId) => {
      done.push(`claim ${interactionId}`);
      await new Promise<void>((resolve) => held.push(resolve));
      return { generation: 3 };
    },
    channelOf: async () => ('channel' in options ? options.channel : 'chat'),
    createFor: async ({ agentId }) => {
      done.push(`create for ${agentId}`);
      return INTERACTION;
    },
    removePredecessors: async () => void done.push('clear the room'),
    release: async () => true,
    blame: async () => {},
    keep: async () => [],
  };
  const admission = new Admission({
    claims,
    workerId: 'w',
    channels,
    places: () => places,
    log: createLog({ level: 'silent' }),
  });
  const offer = (metadata: object | string, id = 'job') =>
    admission.decide(
      // Only these are read.
      { id, metadata: typeof metadata === 'string' ? metadata : JSON.stringify(metadata) },
      (_key, channel) => done.push(`leased as ${channel}`),
    );
  const letThrough = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    for (const go of held.splice(0)) go();
  };
  return { admission, done, offer, letThrough };
}

it('a job of another channel is refused without asking anybody', async () => {
  const { done, offer } = setup({ channels: ['voice'] });
  expect(await offer({ interaction_id: INTERACTION, channel: 'chat' })).toBeUndefined();
  expect(done).toEqual([]);
});

it('without the hint the database says which channel it is', async () => {
  const other = setup({ channels: ['voice'], channel: 'chat' });
  expect(await other.offer({ interaction_id: INTERACTION })).toBeUndefined();
  const own = setup({ channels: ['voice'], channel: 'voice' });
  const taken = own.offer({ interaction_id: INTERACTION });
  await own.letThrough();
  expect(await taken).toEqual({ interactionId: INTERACTION, generation: 3 });
  expect(own.done).toEqual([`claim ${INTERACTION}`, 'leased as voice', 'clear the room']);
});

it('a room of somebody else’s making gets a row only from whoever serves its agent’s channel', async () => {
  const other = setup({ channels: ['voice'], channel: 'chat' });
  expect(await other.offer({ agent_id: AGENT })).toBeUndefined();
  expect(other.done).toEqual([]);
  const own = setup({ channels: ['chat'], channel: 'chat' });
  const taken = own.offer({ agent_id: AGENT });
  await own.letThrough();
  expect(await taken).toBeDefined();
  expect(own.done[0]).toBe(`create for ${AGENT}`);
});

it('two jobs at once do not both get the last place', async () => {
  const { admission, offer, letThrough } = setup({ channels: ['chat'], places: 1 });
  const both = [1, 2].map((number) =>
    offer({ interaction_id: INTERACTION, channel: 'chat' }, `job ${number}`),
  );
  await letThrough();
  expect((await Promise.all(both)).filter((key) => key !== undefined)).toHaveLength(1);
  expect(admission.promised('chat')).toBe(0);
});

it.each(['', 'not json', '{}', JSON.stringify({ interaction_id: 'x' })])(
  'refuses a job with the metadata %j',
  async (text) => {
    const { done, offer } = setup({ channels: ['chat', 'voice'] });
    expect(await offer(text)).toBeUndefined();
    expect(done).toEqual([]);
  },
);

it('refuses an interaction or agent that nobody knows', async () => {
  const { done, offer } = setup({ channels: ['chat', 'voice'], channel: undefined });
  expect(await offer({ agent_id: AGENT })).toBeUndefined();
  expect(done).toEqual([]);
});
