import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FloorwalkerError } from '../errors.ts';
import {
  type ParsedPromptFile,
  type PromptChannel,
  type PromptFile,
  parsePromptFile,
  renderPrompt,
} from './prompt-file.ts';
import { PROMPT_VARIABLES, type PromptName, type PromptValues } from './prompt-names.ts';
import type { TemplateValues } from './template.ts';

export type { PromptChannel } from './prompt-file.ts';
export type { PromptName, PromptValues } from './prompt-names.ts';

/** The folder that is shipped with the project. */
export const PROMPTS_DIRECTORY = fileURLToPath(new URL('../../prompts', import.meta.url));

/** What a model is always given when an agent's language has no folder of its own. */
const BASE_LANGUAGE = 'en';

export interface RenderOptions {
  /** Which wording, where a prompt words the channels differently. Default: chat. */
  channel?: PromptChannel;
  /** Counts up as the same words are needed again; picks the next wording. Default: 0. */
  turn?: number;
}

/** The runtime's own words and prompts in one language. Immutable, shared by all sessions of a process. */
export interface PromptBook {
  readonly language: string;
  render<Name extends PromptName>(name: Name, values: PromptValues<Name>, options?: RenderOptions): string;
  /** Prompts of a part that loads its own by name, for example the scorer; the file's declared variables apply. */
  renderOther(name: string, values: TemplateValues): string;
}

export interface PromptLibrary {
  readonly languages: readonly string[];
  /** The book of a language tag ("en-GB" finds "en"); English, and `exact: false`, when there is none. */
  forLanguage(tag: string): { book: PromptBook; exact: boolean };
}

/** Reads every language folder of `directory` once. Throws `prompts_invalid` with all problems together. */
export function loadPromptLibrary(directory: string): PromptLibrary {
  const problems: string[] = [];
  const books = new Map<string, PromptBook>();
  const base = readLanguage(directory, BASE_LANGUAGE, new Map(), problems);
  books.set(BASE_LANGUAGE, createBook(BASE_LANGUAGE, base));
  for (const entry of list(directory, problems)) {
    if (!entry.isDirectory() || entry.name === BASE_LANGUAGE) continue;
    books.set(
      entry.name.toLowerCase(),
      createBook(entry.name, readLanguage(directory, entry.name, base, problems)),
    );
  }
  refuseProblems(problems);
  const fallback = createBook(BASE_LANGUAGE, base);
  return {
    languages: [...books.keys()],
    forLanguage(tag) {
      const wanted = tag.toLowerCase();
      const book = books.get(wanted) ?? books.get(wanted.split('-')[0] ?? wanted);
      return book === undefined ? { book: fallback, exact: false } : { book, exact: true };
    },
  };
}

/** The book of one language. Throws `prompts_invalid`, which names file, field and remedy of each problem. */
export function loadPrompts(directory: string, language: string): PromptBook {
  return loadPromptLibrary(directory).forLanguage(language).book;
}

function readLanguage(
  directory: string,
  language: string,
  base: ReadonlyMap<string, PromptFile>,
  problems: string[],
): Map<string, PromptFile> {
  const folder = join(directory, language);
  const files = new Map<string, PromptFile>();
  const broken = new Set<string>();
  for (const entry of list(folder, problems)) {
    if (!entry.isFile() || !entry.name.endsWith('.md')) continue;
    const name = entry.name.slice(0, -'.md'.length);
    const path = join(folder, entry.name);
    const parsed = withRuntimeVariables(name, parsePromptFile(readFileSync(path, 'utf8')));
    if (parsed.ok) {
      files.set(name, parsed.prompt);
    } else {
      broken.add(name);
      problems.push(...parsed.problems.map((problem) => `${path}: ${problem}`));
    }
  }
  for (const name of Object.keys(PROMPT_VARIABLES)) {
    if (files.has(name) || broken.has(name)) continue;
    const inherited = base.get(name);
    if (inherited?.audience === 'model') files.set(name, inherited);
    else problems.push(`${join(folder, `${name}.md`)}: missing; add the file`);
  }
  return files;
}

/** Compares the variables that a file declares with those that the code fills. */
function withRuntimeVariables(name: string, parsed: ParsedPromptFile): ParsedPromptFile {
  if (!parsed.ok || !isPromptName(name)) return parsed;
  const known: readonly string[] = PROMPT_VARIABLES[name];
  const problems = parsed.prompt.variables
    .filter((variable) => !known.includes(variable))
    .map(
      (variable) =>
        `variables.${variable}: the runtime does not fill it; it fills ${known.join(', ') || 'none'}`,
    );
  return problems.length === 0 ? parsed : { ok: false, problems };
}

function createBook(language: string, files: ReadonlyMap<string, PromptFile>): PromptBook {
  const render = (name: string, values: TemplateValues, options: RenderOptions = {}): string => {
    const prompt = files.get(name);
    if (prompt === undefined) {
      throw new FloorwalkerError(
        'prompts_invalid',
        `There is no prompt "${name}" for language "${language}".`,
      );
    }
    return renderPrompt(prompt, values, { channel: options.channel ?? 'chat', turn: options.turn ?? 0 });
  };
  return { language, render, renderOther: (name, values) => render(name, values) };
}

function list(folder: string, problems: string[]): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name));
  } catch {
    problems.push(`${folder}: is not a folder that can be read; check the path and its permissions`);
    return [];
  }
}

function isPromptName(name: string): name is PromptName {
  return Object.hasOwn(PROMPT_VARIABLES, name);
}

function refuseProblems(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new FloorwalkerError(
    'prompts_invalid',
    `The prompts are not usable:\n${problems.map((p) => `  ${p}`).join('\n')}`,
    {
      details: { problems },
    },
  );
}
