import { z } from 'zod';

const MAX_FULL_BYTES = 256 * 1024;

const blockSchema = z.looseObject({ type: z.string() });
const textBlock = z.looseObject({ text: z.string() });
const dataBlock = z.looseObject({ data: z.string(), mimeType: z.string().default('unknown type') });
const linkBlock = z.looseObject({
  uri: z.string(),
  name: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
});
const resourceBlock = z.looseObject({
  resource: z.looseObject({
    uri: z.string().default(''),
    text: z.string().optional(),
    blob: z.string().optional(),
    mimeType: z.string().optional(),
  }),
});

/** The part of an MCP tool result that we read; a server may add to it and may get it wrong. */
export const toolResultSchema = z.looseObject({
  content: z.array(z.unknown()).optional(),
  structuredContent: z.unknown().optional(),
  isError: z.boolean().optional(),
});
export type ToolResult = z.output<typeof toolResultSchema>;

/** One content block in words: a model on a call reads text, and learns of a picture that there is one. */
function blockText(block: unknown): string {
  const { success, data } = blockSchema.safeParse(block);
  if (!success) return '';
  if (data.type === 'text') return textBlock.safeParse(data).data?.text ?? '';
  if (data.type === 'image' || data.type === 'audio') {
    const media = dataBlock.safeParse(data).data;
    return media
      ? `[${data.type}, ${media.mimeType}, ${Math.ceil((media.data.length * 3) / 4 / 1024)} kB, can't be shown here]`
      : '';
  }
  if (data.type === 'resource_link') {
    const link = linkBlock.safeParse(data).data;
    return link
      ? `[${link.title ?? link.name ?? 'resource'}: ${link.uri}]${link.description ? ` ${link.description}` : ''}`
      : '';
  }
  const resource = resourceBlock.safeParse(data).data?.resource;
  if (resource === undefined) return `[${data.type}, can't be shown here]`;
  return (
    resource.text ?? `[file ${resource.uri}, ${resource.mimeType ?? 'unknown type'}, can't be shown here]`
  );
}

function sameJson(text: string, value: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(value);
  } catch {
    return false;
  }
}

/** A tool result as one text: what it says, then its structured content where the words do not repeat it. */
export function resultText(result: ToolResult): string {
  const said = (result.content ?? [])
    .map(blockText)
    .filter((text) => text !== '')
    .join('\n');
  const { structuredContent } = result;
  if (structuredContent === undefined || structuredContent === null) return said;
  if (said !== '' && sameJson(said, structuredContent)) return said;
  const structured = JSON.stringify(structuredContent);
  return said === '' ? structured : `${said}\n${structured}`;
}

/** Cuts what is too long for a model in a conversation, and says so. */
export function boundedText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const cut = text.slice(0, maxChars).toWellFormed();
  return `${cut}\n[Cut here: this is the first ${maxChars} of ${text.length} characters. Ask the tool for less if the rest matters.]`;
}

/** The whole result for the trace, unless it is larger than a trace should carry. */
export function boundedFull(value: unknown): unknown {
  const json = JSON.stringify(value) ?? 'null';
  const bytes = Buffer.byteLength(json);
  if (bytes <= MAX_FULL_BYTES) return value;
  return { truncated: true, bytes, head: json.slice(0, MAX_FULL_BYTES / 4).toWellFormed() };
}

/** Applies a text filter to every string of a JSON value. */
export function mapStrings(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((part) => mapStrings(part, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [map(key), mapStrings(part, map)]));
}
