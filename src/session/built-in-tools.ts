import { z } from 'zod';
import { canonicalHash } from '../tools/canonical-hash.ts';
import type {
  JsonObject,
  PreparedCall,
  ToolCallResult,
  ToolCatalogue,
  ToolDefinition,
} from '../tools/types.ts';
import { ANSWER_QUESTION, DECLINE_QUESTION } from './questions.ts';

export const WITHDRAW_REQUEST = 'withdraw_request';
export const END_INTERACTION = 'end_interaction';

export interface BuiltInActions {
  recordPhoneNumber(phoneNumber: string): Promise<string>;
  requestSupervisor(reason: string): Promise<string>;
  requestCallback(wanted: z.output<typeof callbackArguments>): Promise<string>;
  endInteraction(reason: string): Promise<string>;
  withdrawRequest(reason: string): Promise<string>;
  answerQuestion(answers: JsonObject): string;
  declineQuestion(): string;
}

interface BuiltIn {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType<JsonObject>;
  run(args: JsonObject, actions: BuiltInActions): Promise<string>;
}

const reason = z.string().trim().min(1).max(300);
const phoneNumber = z
  .string()
  .transform((text) => text.replace(/[\s().-]/g, '').replace(/^00/, '+'))
  .pipe(z.string().regex(/^\+[1-9]\d{6,14}$/))
  .describe(
    'The number in international form, for example +351210000000. Ask for the country when it is not clear.',
  );
const phoneArguments = z.strictObject({ phone_number: phoneNumber });
const callbackArguments = z.strictObject({
  reason: reason.describe('What the call is to be about, in one short sentence.'),
  phone_number: phoneNumber.optional(),
  preferred_time: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .optional()
    .describe('When it suits the customer, in their own words.'),
});
const reasonArguments = z.strictObject({ reason: reason.describe('Why, in one short sentence.') });

const answerArguments = z.strictObject({
  answers: z
    .record(z.string(), z.unknown())
    .describe('The values by the names of the fields that were asked for.'),
});

const BUILT_INS: readonly BuiltIn[] = [
  {
    name: 'record_phone_number',
    description: 'Stores the phone number that the customer has just given, so that they can be called back.',
    schema: phoneArguments,
    run: (args, actions) => actions.recordPhoneNumber(phoneArguments.parse(args).phone_number),
  },
  {
    name: 'request_supervisor',
    description:
      'Calls a human supervisor to this conversation: when the customer asks for a person or you can not get any further.',
    schema: reasonArguments,
    run: (args, actions) => actions.requestSupervisor(reasonArguments.parse(args).reason),
  },
  {
    name: 'request_callback',
    description:
      'Records that the customer wants to be called back by a person, when no supervisor is there or they do not want to wait. Without a number, the one that is known is called.',
    schema: callbackArguments,
    run: (args, actions) => actions.requestCallback(callbackArguments.parse(args)),
  },
  {
    name: END_INTERACTION,
    description: 'Ends the conversation. Only after the customer has nothing else and you have said goodbye.',
    schema: reasonArguments,
    run: (args, actions) => actions.endInteraction(reasonArguments.parse(args).reason),
  },
  {
    name: WITHDRAW_REQUEST,
    description:
      'Takes back the request that waits for a supervisor, or stops the tool that is running, because the customer has changed their mind.',
    schema: reasonArguments,
    run: (args, actions) => actions.withdrawRequest(reasonArguments.parse(args).reason),
  },
  {
    name: ANSWER_QUESTION,
    description: 'Hands in what the customer has answered to the question of a tool that is running.',
    schema: answerArguments,
    run: async (args, actions) => actions.answerQuestion(answerArguments.parse(args).answers),
  },
  {
    name: DECLINE_QUESTION,
    description: 'Tells a running tool that the customer does not want to answer its question.',
    schema: reasonArguments,
    run: async (_args, actions) => actions.declineQuestion(),
  },
];

export const BUILT_IN_NAMES: readonly string[] = BUILT_INS.map((tool) => tool.name);

/** Once for all: to make the schemas takes 3 ms, which every chat that begins would pay. */
const DEFINED = new Map(BUILT_INS.map((tool) => [tool.name, { tool, definition: define(tool) }]));

/**
 * The tools that every agent has, in one catalogue with those of its rows, so that the ledger records and
 * settles them in the same way. A built-in's name can't be taken by a row.
 */
export function withBuiltIns(catalogue: ToolCatalogue, actions: BuiltInActions): ToolCatalogue {
  return {
    get definitions() {
      const own = [...DEFINED.values()].map((entry) => entry.definition);
      return [...own, ...catalogue.definitions.filter((definition) => !DEFINED.has(definition.name))];
    },
    definition: (name) => DEFINED.get(name)?.definition ?? catalogue.definition(name),
    async prepare(name, args, options): Promise<PreparedCall> {
      const builtIn = DEFINED.get(name);
      if (!builtIn) return catalogue.prepare(name, args, options);
      const parsed = builtIn.tool.schema.safeParse(args);
      if (parsed.success) return { ok: true, definition: builtIn.definition, arguments: parsed.data };
      return { ok: false, cause: 'invalid_arguments', message: z.prettifyError(parsed.error) };
    },
    async call(name, args, context): Promise<ToolCallResult> {
      const builtIn = DEFINED.get(name);
      if (!builtIn) return catalogue.call(name, args, context);
      try {
        const output = await builtIn.tool.run(args, actions);
        return { status: 'succeeded', output, isError: false, full: output };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return { status: 'failed', output: `That did not work: ${message}`, isError: true, full: message };
      }
    },
    onChanged: (listener) => catalogue.onChanged(listener),
    update: (rows) => catalogue.update(rows),
    close: () => catalogue.close(),
  };
}

function define(tool: BuiltIn): ToolDefinition {
  const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(tool.schema, { io: 'input' });
  const facts = { name: tool.name, description: tool.description, inputSchema, requiresPermission: false };
  return { ...facts, definitionHash: canonicalHash(facts), idempotent: true, timeoutMs: 10_000 };
}
