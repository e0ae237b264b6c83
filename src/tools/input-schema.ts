import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import type { JsonObject, JsonSchema } from './types.ts';

const MAX_SCHEMA_CHARS = 100_000;
const MAX_ERRORS_TOLD = 5;

export type CompiledSchema =
  | { readonly ok: true; check(args: JsonObject): string | undefined }
  | { readonly ok: false; readonly problem: string };

/** Compiles input schemas of MCP tools: JSON Schema 2020-12 unless `$schema` names an earlier draft. */
export class InputSchemas {
  readonly #compiled = new Map<string, CompiledSchema>();
  readonly #options = {
    strict: false,
    allErrors: true,
    validateSchema: true,
    addUsedSchema: false,
    // Errors are returned; ajv must not write to the console.
    logger: false,
  } as const;
  #latest: Ajv2020 | undefined;
  #draft7: Ajv | undefined;

  compile(schema: JsonSchema): CompiledSchema {
    const text = JSON.stringify(schema);
    const known = this.#compiled.get(text);
    if (known !== undefined) return known;
    const compiled = text.length > MAX_SCHEMA_CHARS ? tooLong() : this.#compileNew(schema);
    this.#compiled.set(text, compiled);
    return compiled;
  }

  #compileNew(schema: JsonSchema): CompiledSchema {
    if (schema.type !== 'object') return { ok: false, problem: 'its input schema is not of type object' };
    try {
      const validate = this.#ajv(schema).compile(withoutEarlyDraft(schema));
      return { ok: true, check: (args) => (validate(args) ? undefined : describe(validate)) };
    } catch (error) {
      const detail = error instanceof Error ? error.message.slice(0, 300) : 'unknown';
      return { ok: false, problem: `its input schema can't be compiled: ${detail}` };
    }
  }

  #ajv(schema: JsonSchema): Ajv {
    const isEarlier = typeof schema.$schema === 'string' && /draft-0[4-7]/.test(schema.$schema);
    // ajv-formats is CommonJS whose types describe its default export twice.
    const addFormats = formatsModule as unknown as (ajv: Ajv, options: { mode: 'fast' }) => void;
    if (isEarlier && this.#draft7 === undefined) {
      this.#draft7 = new Ajv(this.#options);
      addFormats(this.#draft7, { mode: 'fast' });
    }
    if (!isEarlier && this.#latest === undefined) {
      this.#latest = new Ajv2020(this.#options);
      addFormats(this.#latest, { mode: 'fast' });
    }
    const ajv = isEarlier ? this.#draft7 : this.#latest;
    if (ajv === undefined) throw new Error('unreachable');
    return ajv;
  }
}

function tooLong(): CompiledSchema {
  return { ok: false, problem: `its input schema is longer than ${MAX_SCHEMA_CHARS} characters` };
}

/** Drafts 4 to 6 are read as draft 7: ajv has no meta-schema of theirs, and tool arguments hardly differ. */
function withoutEarlyDraft(schema: JsonSchema): JsonSchema {
  const { $schema, ...rest } = schema;
  return typeof $schema === 'string' && /draft-0[456]|^http:\/\/json-schema.org\/schema/.test($schema)
    ? rest
    : schema;
}

function describe(validate: ValidateFunction): string {
  const errors = validate.errors ?? [];
  const told = errors.slice(0, MAX_ERRORS_TOLD).map(sentence);
  if (errors.length > MAX_ERRORS_TOLD) told.push(`and ${errors.length - MAX_ERRORS_TOLD} more`);
  return `${told.join('; ')}.`;
}

function sentence(error: ErrorObject): string {
  const where =
    error.instancePath === '' ? 'the arguments' : `"${error.instancePath.slice(1).replaceAll('/', '.')}"`;
  if (error.keyword === 'additionalProperties')
    return `${where} must not have "${error.params.additionalProperty}"`;
  if (error.keyword === 'enum')
    return `${where} must be one of ${JSON.stringify(error.params.allowedValues).slice(0, 300)}`;
  return `${where} ${error.message ?? 'is not valid'}`;
}

/** The schema without some top-level arguments; everything else stays as the server wrote it. */
export function withoutArguments(schema: JsonSchema, hidden: readonly string[]): JsonSchema {
  if (hidden.length === 0) return schema;
  const copy = structuredClone(schema);
  if (isObject(copy.properties)) for (const name of hidden) delete copy.properties[name];
  if (Array.isArray(copy.required)) {
    const rest = copy.required.filter((name: unknown) => typeof name !== 'string' || !hidden.includes(name));
    if (rest.length > 0) copy.required = rest;
    else delete copy.required;
  }
  return copy;
}

/** Bound arguments that the tool has no place for: a mistake in the row, found before a customer meets it. */
export function missingArguments(schema: JsonSchema, names: readonly string[]): string[] {
  const properties = isObject(schema.properties) ? schema.properties : {};
  return names.filter((name) => !Object.hasOwn(properties, name));
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
