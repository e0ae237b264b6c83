import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { parseTemplate, type Template, type TemplateValues } from './template.ts';

/** The channels that a prompt may word differently. */
export type PromptChannel = 'chat' | 'voice';

const frontMatterSchema = z.strictObject({
  /** What the text is for, in a sentence; for the person who edits it. */
  about: z.string().min(1),
  /** Who takes it in. Words for a customer must exist in the customer's language; a model also understands English. */
  audience: z.enum(['customer', 'model']),
  /** `true`: the body has a part under `# chat` and one under `# voice`. */
  by_channel: z.boolean().default(false),
  variables: z.record(z.string(), z.string().min(1)).default({}),
});

export interface PromptFile {
  readonly audience: 'customer' | 'model';
  readonly variables: readonly string[];
  /** The wordings for a channel; more than one where the words are repeated to the same customer. */
  variants(channel: PromptChannel): readonly Template[];
}

export type ParsedPromptFile = { ok: true; prompt: PromptFile } | { ok: false; problems: string[] };

const FRONT_MATTER = /^---\r?\n([\s\S]*?)\r?\n---\r?\n?([\s\S]*)$/;
/** A line of three stars separates variants. */
const VARIANT_SEPARATOR = /^\*\*\*[ \t]*$/m;

/** Reads one prompt: front matter between two lines `---`, then the text. All problems are reported in one go. */
export function parsePromptFile(source: string): ParsedPromptFile {
  const match = FRONT_MATTER.exec(source);
  if (match === null) {
    return {
      ok: false,
      problems: ['front matter: missing; begin the file with a block between two lines ---'],
    };
  }
  const [, yaml = '', body = ''] = match;
  const head = readFrontMatter(yaml);
  if ('problems' in head) return { ok: false, problems: head.problems };

  const problems: string[] = [];
  const { audience, by_channel: byChannel, variables } = head.frontMatter;
  const parts = byChannel ? splitByChannel(body, problems) : { chat: body, voice: body };
  const templates = {
    chat: parseVariants(parts.chat, byChannel ? 'chat: ' : '', problems),
    voice: byChannel ? parseVariants(parts.voice, 'voice: ', problems) : [],
  };
  if (!byChannel) templates.voice = templates.chat;

  const declared = Object.keys(variables);
  const used = new Set([...templates.chat, ...templates.voice].flatMap((template) => template.variables));
  for (const name of used) {
    if (!declared.includes(name))
      problems.push(`variables.${name}: used in the text but not declared; declare it or remove {{${name}}}`);
  }
  // Text that did not parse hides its variables: "never used" would send its author the wrong way.
  if (problems.length === 0) {
    for (const name of declared) {
      if (!used.has(name))
        problems.push(`variables.${name}: declared but never used; remove it or use {{${name}}}`);
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, prompt: { audience, variables: declared, variants: (channel) => templates[channel] } };
}

function readFrontMatter(
  yaml: string,
): { frontMatter: z.infer<typeof frontMatterSchema> } | { problems: string[] } {
  let value: unknown;
  try {
    value = parseYaml(yaml);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { problems: [`front matter: is not YAML (${reason})`] };
  }
  const parsed = frontMatterSchema.safeParse(value);
  if (parsed.success) return { frontMatter: parsed.data };
  return {
    problems: parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'front matter'}: ${issue.message}`,
    ),
  };
}

function splitByChannel(body: string, problems: string[]): Record<PromptChannel, string> {
  const parts: Partial<Record<string, string>> = {};
  for (const section of body.split(/^(?=# )/m)) {
    const [heading = '', ...rest] = section.split('\n');
    if (section.trim() === '') continue;
    const name = heading.replace(/^# /, '').trim();
    if (name === 'chat' || name === 'voice') parts[name] = rest.join('\n');
    else problems.push(`text: "${heading.trim()}" stands where "# chat" or "# voice" is expected`);
  }
  for (const channel of ['chat', 'voice'] as const) {
    if (parts[channel] === undefined)
      problems.push(`text: has no part "# ${channel}"; add it or remove by_channel`);
  }
  return { chat: parts.chat ?? '', voice: parts.voice ?? '' };
}

function parseVariants(text: string, label: string, problems: string[]): Template[] {
  const templates: Template[] = [];
  for (const variant of text.split(VARIANT_SEPARATOR)) {
    if (variant.trim() === '') {
      problems.push(`text: ${label}a wording is empty; write it or remove the line of stars`);
      continue;
    }
    const parsed = parseTemplate(variant);
    if (parsed.ok) templates.push(parsed.template);
    else problems.push(...parsed.problems.map((problem) => `text: ${label}${problem}`));
  }
  return templates;
}

/** Picks the wording for a turn, so that what is said again is said in other words. */
export function renderPrompt(
  prompt: PromptFile,
  values: TemplateValues,
  options: { channel: PromptChannel; turn: number },
): string {
  const variants = prompt.variants(options.channel);
  const template = variants[Math.abs(Math.trunc(options.turn)) % variants.length];
  return template === undefined ? '' : template.render(values);
}
