import { expect, it } from 'vitest';
import { parseJobMetadata } from '../../src/runtime/job-metadata.ts';

const ID = '5b0f2f0e-4d07-4c39-9f0a-0d9f3a1c2b3d';

it('a job is for an interaction, for an agent, or came in by telephone', () => {
  expect(parseJobMetadata(JSON.stringify({ interaction_id: ID }))).toEqual({
    kind: 'interaction',
    interactionId: ID,
  });
  expect(parseJobMetadata(JSON.stringify({ agent_id: ID, phone_number: '+351210000000' }))).toMatchObject({
    kind: 'agent',
    agentId: ID,
    phoneNumber: '+351210000000',
  });
  expect(parseJobMetadata(' \n')).toEqual({ kind: 'telephone' });
});

it('fields that we do not know change nothing', () => {
  expect(parseJobMetadata(JSON.stringify({ interaction_id: ID, other: [1] }))).toMatchObject({
    kind: 'interaction',
  });
});

it.for([
  ['not json', /not JSON/],
  ['{"interaction_id":', /not JSON/],
  ['{}', /interaction_id/],
  ['null', /interaction_id/],
  ['[]', /interaction_id/],
  ['"text"', /interaction_id/],
  ['{"interaction_id":"1042"}', /UUID/],
  ['{"interaction_id":null,"agent_id":7}', /UUID/],
] as const)('metadata that can not be read says why: %s', ([text, problem]) => {
  expect(parseJobMetadata(text)).toMatchObject({
    kind: 'malformed',
    problem: expect.stringMatching(problem),
  });
});
