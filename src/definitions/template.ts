/**
 * The template language of prompts, greetings and system prompts:
 *
 *   {{name}}                 the value
 *   {{#name}} … {{/name}}    only when the value is not empty
 *   {{^name}} … {{/name}}    only when the value is empty
 *
 * No more than that on purpose: a template is text that a non-programmer edits. Values are put in once and never
 * read as templates themselves, so nothing that a customer says can pull in another variable.
 */
export type TemplateValues = Readonly<Record<string, string>>;

type Part =
  | { kind: 'text'; text: string }
  | { kind: 'value'; name: string }
  | { kind: 'section'; name: string; when: 'filled' | 'empty'; parts: Part[] };

export interface Template {
  /** Every variable that the text uses, in the order of its first use. */
  readonly variables: readonly string[];
  /** Fills the template; a variable that is absent from `values` counts as empty. */
  render(values: TemplateValues): string;
}

export type ParsedTemplate = { ok: true; template: Template } | { ok: false; problems: string[] };

const TAG = /\{\{\s*([#^/]?)\s*([^{}]*?)\s*\}\}/g;
/** A section mark alone on its line goes with its line, so that a list keeps its shape. */
const STANDALONE_MARK = /^[ \t]*(\{\{\s*[#^/][^{}]*\}\})[ \t]*(?:\r?\n|$)/gm;
const NAME = /^[a-z][a-z0-9_]*$/;

/** Parses a template; reports everything that is wrong with it in one go. */
export function parseTemplate(text: string): ParsedTemplate {
  const source = text.replace(STANDALONE_MARK, '$1');
  const problems: string[] = [];
  const variables = new Set<string>();
  const root: Part[] = [];
  const open: { name: string; parts: Part[] }[] = [];
  let parts = root;
  let position = 0;

  for (const match of source.matchAll(TAG)) {
    const [tag, mark = '', name = ''] = match;
    addText(parts, source.slice(position, match.index), problems);
    position = match.index + tag.length;
    if (!NAME.test(name)) {
      problems.push(`${tag} is not a variable: names are lower-case letters, digits and underscores`);
      continue;
    }
    if (mark === '/') {
      const section = open.pop();
      if (section === undefined) problems.push(`${tag} closes a section that was not opened`);
      else if (section.name !== name) problems.push(`${tag} closes {{#${section.name}}}`);
      parts = open.at(-1)?.parts ?? root;
      continue;
    }
    variables.add(name);
    if (mark === '') {
      parts.push({ kind: 'value', name });
    } else {
      const section: Part = { kind: 'section', name, when: mark === '#' ? 'filled' : 'empty', parts: [] };
      parts.push(section);
      open.push({ name, parts: section.parts });
      parts = section.parts;
    }
  }
  addText(parts, source.slice(position), problems);
  for (const section of open) problems.push(`the section of {{#${section.name}}} is never closed`);
  if (problems.length > 0) return { ok: false, problems };

  const template: Template = {
    variables: [...variables],
    render: (values) => tidy(fill(root, values)),
  };
  return { ok: true, template };
}

/**
 * Fills text that may have been edited since it was checked (a system prompt in the database, say): what can't be
 * filled is left out and named in `problems`, because a conversation must begin all the same.
 */
export function renderLeniently(
  source: string,
  values: TemplateValues,
): { text: string; problems: readonly string[] } {
  const parsed = parseTemplate(source);
  if (!parsed.ok) return { text: tidy(source.replace(TAG, '')), problems: parsed.problems };
  const unknown = parsed.template.variables.filter((name) => !Object.hasOwn(values, name));
  return {
    text: parsed.template.render(values),
    problems: unknown.map((name) => `there is no variable {{${name}}}`),
  };
}

function addText(parts: Part[], text: string, problems: string[]): void {
  if (text === '') return;
  // A brace pair that no tag took is a slip of the pen, and a model would read it as it stands.
  if (text.includes('{{'))
    problems.push(`"${excerptAround(text, '{{')}" opens a variable and never closes it`);
  parts.push({ kind: 'text', text });
}

function excerptAround(text: string, needle: string): string {
  const at = text.indexOf(needle);
  return text.slice(at, at + 24).replaceAll('\n', ' ');
}

function fill(parts: readonly Part[], values: TemplateValues): string {
  let text = '';
  for (const part of parts) {
    if (part.kind === 'text') {
      text += part.text;
      continue;
    }
    const value = Object.hasOwn(values, part.name) ? (values[part.name] ?? '') : '';
    if (part.kind === 'value') text += value;
    else if ((value.trim() !== '') === (part.when === 'filled')) text += fill(part.parts, values);
  }
  return text;
}

/** A section that fell away leaves its empty lines behind; more than one in a row says nothing to a reader. */
function tidy(text: string): string {
  return text
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
