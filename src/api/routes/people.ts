import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { giveAccess, takeBackAccess } from '../../database/accounts.ts';
import {
  addPerson,
  assignAgent,
  changePerson,
  checkPerson,
  deactivatePerson,
} from '../../database/administration.ts';
import { FloorwalkerError } from '../../errors.ts';
import {
  addedPersonSchema,
  addPersonSchema,
  assignAgentSchema,
  changePersonSchema,
  personSchema,
} from '../admin-schemas.ts';
import { agentDetailSchema } from '../agent-schemas.ts';
import type { Api, ApiEnv, Person } from '../environment.ts';
import type { ApiParts } from '../parts.ts';
import { findAgentDetail } from '../reads/agent-detail.ts';
import { listPeople } from '../reads/people.ts';
import { idSchema } from '../schemas.ts';
import { adminsOnly } from './admins.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['People'];
const params = z.object({ id: idSchema });
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const list = createRoute({
  method: 'get',
  path: '/v1/people',
  tags,
  summary: 'Supervisors and admins of the business; for admins',
  security,
  request: {
    query: z.object({
      removed: z
        .enum(['true', 'false'])
        .default('false')
        .openapi({ description: 'Whether those are listed too who were removed.' }),
    }),
  },
  responses: {
    200: {
      description: 'By name',
      content: json(z.object({ data: z.array(personSchema) }).openapi('PersonList')),
    },
    ...problems(400, 401, 403, 503),
  },
});

const add = createRoute({
  method: 'post',
  path: '/v1/people',
  tags,
  summary: 'Give a person access, as `floorwalker users invite` does; for admins',
  security,
  request: { body: { required: true, content: json(addPersonSchema) } },
  responses: {
    201: {
      description: 'They can sign in now, or with the link in their mail',
      content: json(addedPersonSchema),
    },
    ...problems(400, 401, 403, 409, 413, 415, 502, 503),
  },
});

const change = createRoute({
  method: 'patch',
  path: '/v1/people/{id}',
  tags,
  summary: 'Change name, username, role or type; for admins',
  description:
    'Whoever becomes an admin loses username and type. Role and type can change once no agent is left.',
  security,
  request: { params, body: { required: true, content: json(changePersonSchema) } },
  responses: {
    200: { description: 'As they are now', content: json(personSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/people/{id}',
  tags,
  summary: 'Take a person’s access away; for admins',
  description:
    'What they did stays under their name. Refused while they supervise agents (`agents` says which), speak with a customer, or are oneself.',
  security,
  request: { params },
  responses: {
    204: { description: 'They see nothing any more' },
    ...problems(400, 401, 403, 404, 409, 503),
  },
});

const assign = createRoute({
  method: 'patch',
  path: '/v1/agents/{id}/assignment',
  tags: ['Agents'],
  summary: 'Say who supervises and who covers an agent; for admins',
  security,
  request: { params, body: { required: true, content: json(assignAgentSchema) } },
  responses: {
    200: { description: 'The agent as it is now', content: json(agentDetailSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
  },
});

async function personOf({ db }: Person, id: string) {
  const [found] = await listPeople(db, { removed: true, id });
  if (found === undefined) throw new FloorwalkerError('user_not_found');
  return found;
}

export function addPeopleRoutes(api: Api, parts: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [list, add, change, remove, assign]) {
    guard(api, route, person);
    guard(api, route, adminsOnly);
  }

  api.openapi(list, async (context) => {
    const removed = context.req.valid('query').removed === 'true';
    return context.json({ data: await listPeople(context.get('person').db, { removed }) }, 200);
  });

  // An account can only be made with the secret key; whether it may be is asked with the admin's own token, before
  // and after, and the profile is the admin's doing in the audit log.
  api.openapi(add, async (context) => {
    const { mail, ...wanted } = context.req.valid('json');
    const me = context.get('person');
    await checkPerson(me.db, wanted);
    const access = await giveAccess(parts.serviceDb, wanted.email, mail);
    try {
      await addPerson(me.db, { ...wanted, id: access.id });
    } catch (error) {
      await takeBackAccess(parts.serviceDb, access);
      throw error;
    }
    const added = {
      person: await personOf(me, access.id),
      access: access.kind,
      one_time_password: access.kind === 'password' ? access.password : null,
    };
    return context.json(added, 201);
  });

  api.openapi(change, async (context) => {
    const { id } = context.req.valid('param');
    const me = context.get('person');
    await changePerson(me.db, { userId: id, change: context.req.valid('json') });
    return context.json(await personOf(me, id), 200);
  });

  api.openapi(remove, async (context) => {
    const { id } = context.req.valid('param');
    await deactivatePerson(context.get('person').db, { userId: id });
    return context.body(null, 204);
  });

  api.openapi(assign, async (context) => {
    const { id } = context.req.valid('param');
    const me = context.get('person');
    await assignAgent(me.db, { agentId: id, change: context.req.valid('json') });
    const agent = await findAgentDetail(me, id);
    if (agent === undefined) throw new FloorwalkerError('agent_not_found');
    return context.json(agent, 200);
  });
}
