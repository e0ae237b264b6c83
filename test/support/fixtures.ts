import { randomBytes } from 'node:crypto';
import type { SupabaseClient } from '@supabase/supabase-js';
import type { JSONValue, Sql } from 'postgres';

export interface Business {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
}

export interface Person {
  readonly id: string;
  readonly businessId: string;
  readonly email: string;
  readonly password: string;
  readonly name: string;
  readonly accessToken: string;
  /** Signed in as this person. */
  readonly client: SupabaseClient;
}

export interface Agent {
  readonly id: string;
  readonly businessId: string;
  readonly supervisorId: string;
  readonly name: string;
  readonly slug: string;
  readonly agentType: 'voice' | 'chat';
}

export interface ToolRow {
  readonly toolName: string;
  readonly toolConfig?: JSONValue;
  readonly requiresPermission?: boolean;
}

export interface Fixtures {
  createBusiness(given?: {
    name?: string;
    timeZone?: string;
    allowedOrigins?: string[];
    limits?: JSONValue;
    tagVocabulary?: { topics: string[]; issues: string[] };
  }): Promise<Business>;
  /** An auth user with its row in `users`, signed in. A supervisor of chat unless said otherwise. */
  createUser(given: {
    businessId: string;
    role?: 'supervisor' | 'admin';
    supervisorType?: 'voice' | 'chat';
    name?: string;
  }): Promise<Person>;
  /** A public chat agent with a new supervisor, unless said otherwise. */
  createAgent(given: {
    businessId: string;
    supervisorId?: string;
    coverId?: string;
    agentType?: 'voice' | 'chat';
    name?: string;
    systemPrompt?: string;
    greeting?: string | null;
    language?: string;
    isPublic?: boolean;
    maxConcurrentInteractions?: number;
    modelSettings?: JSONValue;
    voiceSettings?: JSONValue;
    tools?: readonly ToolRow[];
  }): Promise<Agent>;
}

function unique(label: string): string {
  return `${label}-${randomBytes(5).toString('hex')}`;
}

/** Rows as a test needs them: everything has a default, every name is new. */
export function createFixtures(deps: {
  service: SupabaseClient;
  sql: Sql;
  signIn: (email: string, password: string) => Promise<{ client: SupabaseClient; accessToken: string }>;
}): Fixtures {
  const { service, sql, signIn } = deps;

  const createBusiness: Fixtures['createBusiness'] = async (given = {}) => {
    const slug = unique('business');
    const name = given.name ?? `Business ${slug}`;
    const [row] = await sql<{ id: string }[]>`
      insert into businesses (name, slug, time_zone, allowed_origins, limits, tag_vocabulary)
      values (${name}, ${slug}, ${given.timeZone ?? 'UTC'}, ${given.allowedOrigins ?? ['*']},
        ${sql.json(given.limits ?? {})}, ${sql.json(given.tagVocabulary ?? { topics: [], issues: [] })})
      returning id`;
    if (!row) throw new Error('no business was made');
    return { id: row.id, name, slug };
  };

  const createUser: Fixtures['createUser'] = async (given) => {
    const handle = unique('person');
    const email = `${handle}@example.com`;
    const password = randomBytes(12).toString('base64url');
    const role = given.role ?? 'supervisor';
    const name = given.name ?? `Person ${handle}`;
    const { data, error } = await service.auth.admin.createUser({ email, password, email_confirm: true });
    if (error) throw error;
    const isSupervisor = role === 'supervisor';
    await sql`
      insert into users (id, business_id, email, role, name, username, supervisor_type)
      values (${data.user.id}, ${given.businessId}, ${email}, ${role}, ${name},
        ${isSupervisor ? handle : null}, ${isSupervisor ? (given.supervisorType ?? 'chat') : null})`;
    return {
      id: data.user.id,
      businessId: given.businessId,
      email,
      password,
      name,
      ...(await signIn(email, password)),
    };
  };

  const createAgent: Fixtures['createAgent'] = async (given) => {
    const slug = unique('agent');
    const name = given.name ?? `Agent ${slug}`;
    const agentType = given.agentType ?? 'chat';
    const supervisorId =
      given.supervisorId ??
      (await createUser({ businessId: given.businessId, supervisorType: agentType })).id;
    // Agent and tools in one go, as when a definition is applied: it begins with version 1.
    const row = await sql.begin(async (tx) => {
      await tx`select set_config('floorwalker.editing', 'on', true)`;
      const [made] = await tx<{ id: string }[]>`
        insert into agents (business_id, supervisor_id, cover_id, name, slug, agent_type, system_prompt, greeting,
          language, model_settings, voice_settings, public, max_concurrent_interactions)
        values (${given.businessId}, ${supervisorId}, ${given.coverId ?? null}, ${name}, ${slug}, ${agentType},
          ${given.systemPrompt ?? 'You help the customers of a small shop.'},
          ${given.greeting === undefined ? 'Hello, how can I help?' : given.greeting}, ${given.language ?? 'en'},
          ${sql.json(given.modelSettings ?? { llm_model: 'gpt-4.1-mini' })},
          ${sql.json(given.voiceSettings ?? {})}, ${given.isPublic ?? true},
          ${given.maxConcurrentInteractions ?? 100})
        returning id`;
      if (!made) throw new Error('no agent was made');
      for (const tool of given.tools ?? []) {
        await tx`
          insert into agent_tools (agent_id, tool_name, tool_config, requires_permission)
          values (${made.id}, ${tool.toolName}, ${sql.json(tool.toolConfig ?? {})}, ${tool.requiresPermission ?? false})`;
      }
      return made;
    });
    return { id: row.id, businessId: given.businessId, supervisorId, name, slug, agentType };
  };

  return { createBusiness, createUser, createAgent };
}
