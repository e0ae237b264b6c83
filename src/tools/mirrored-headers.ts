import { z } from 'zod';

/** Arguments that a tool wants repeated in headers (`x-mcp-header` in its input schema): header by argument. */
export type MirroredArguments = ReadonlyMap<string, string>;

const PREFIX = 'Mcp-Param-';
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PRIMITIVE = new Set(['string', 'integer', 'boolean']);
const schemaSchema = z.looseObject({
  inputSchema: z.looseObject({
    properties: z
      .record(z.string(), z.looseObject({ type: z.unknown(), 'x-mcp-header': z.unknown().optional() }))
      .optional(),
  }),
});

/** What a listed tool wants mirrored; undefined where it is described in a way that the protocol does not allow. */
export function readMirrored(tool: unknown): MirroredArguments | undefined {
  const read = schemaSchema.safeParse(tool);
  const mirrored = new Map<string, string>();
  if (!read.success) return mirrored;
  const taken = new Set<string>();
  for (const [argument, property] of Object.entries(read.data.inputSchema.properties ?? {})) {
    const name = property['x-mcp-header'];
    if (name === undefined) continue;
    if (typeof name !== 'string' || !TOKEN.test(name) || !PRIMITIVE.has(String(property.type)))
      return undefined;
    if (taken.has(name.toLowerCase())) return undefined;
    taken.add(name.toLowerCase());
    mirrored.set(argument, `${PREFIX}${name}`);
  }
  return mirrored;
}

export function mirror(mirrored: MirroredArguments, args: unknown): [header: string, value: string][] {
  const values = z.record(z.string(), z.unknown()).safeParse(args).data ?? {};
  return [...mirrored].flatMap(([argument, header]) => {
    const value = values[argument];
    return value === undefined || value === null ? [] : [[header, headerValue(String(value))]];
  });
}

/** As it is where a header can carry it; otherwise as the protocol wraps it. */
export function headerValue(value: string): string {
  const isPlain = /^[\x20-\x7e]*$/.test(value) && value === value.trim() && !/^=\?base64\?.*\?=$/.test(value);
  return isPlain ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`;
}
