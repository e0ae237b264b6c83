import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PROMPT_VARIABLES } from '../../src/definitions/prompt-names.ts';
import { loadPromptLibrary, loadPrompts } from '../../src/definitions/prompts.ts';
import { isFloorwalkerError } from '../../src/errors.ts';

const SHIPPED = new URL('../../prompts', import.meta.url).pathname;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A prompts folder with every English prompt in its simplest form, and `changes` (null removes a file). */
function setup(changes: Record<string, string | null> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'prompts-'));
  folders.push(folder);
  const files: Record<string, string | null> = {};
  for (const [name, variables] of Object.entries(PROMPT_VARIABLES))
    files[`en/${name}.md`] = simple(variables);
  for (const [path, text] of Object.entries({ ...files, ...changes })) {
    if (text === null) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function simple(variables: readonly string[], audience = 'customer', text = 'Text'): string {
  const declared = variables.map((name) => `  ${name}: what it is\n`).join('');
  const used = variables.map((name) => ` {{${name}}}`).join('');
  return `---\nabout: a test\naudience: ${audience}\nvariables:${declared === '' ? ' {}\n' : `\n${declared}`}---\n${text}${used}\n`;
}

function problemsOf(folder: string): string[] {
  try {
    loadPromptLibrary(folder);
  } catch (error) {
    if (isFloorwalkerError(error, 'prompts_invalid')) return error.details.problems as string[];
    throw error;
  }
  return [];
}

describe('the shipped prompts', () => {
  it('load, and every one renders for both channels with nothing left open', () => {
    const book = loadPrompts(SHIPPED, 'en');
    for (const [name, variables] of Object.entries(PROMPT_VARIABLES)) {
      const values = Object.fromEntries(variables.map((variable) => [variable, `<${variable}>`]));
      for (const channel of ['chat', 'voice'] as const) {
        const text = book.render(name as keyof typeof PROMPT_VARIABLES, values as never, { channel });
        expect(text, `${name} for ${channel}`).not.toBe('');
        expect(text, `${name} for ${channel}`).not.toMatch(/\{\{|\}\}\}|\*\*\*/);
      }
    }
  });

  it('disclose in the greeting that an AI answers and that the team may follow', () => {
    const book = loadPrompts(SHIPPED, 'en');
    const chat = book.render('greeting_disclosure', { business_name: 'Shop' }, { channel: 'chat' });
    const voice = book.render('greeting_disclosure', { business_name: 'Shop' }, { channel: 'voice' });
    expect(chat).toMatch(/\bAI\b.*team at Shop may follow/s);
    expect(voice).toMatch(/\bA\.I\..*team at Shop may listen/s);
  });

  it('reassure in other words each time, and start over after the last', () => {
    const book = loadPrompts(SHIPPED, 'en');
    const said = [0, 1, 2, 3, 4].map((turn) => book.render('reassurance', {}, { channel: 'voice', turn }));
    expect(new Set(said.slice(0, 4)).size).toBe(4);
    expect(said[4]).toBe(said[0]);
  });

  it('hold nothing in voice that a voice would stumble over', () => {
    const book = loadPrompts(SHIPPED, 'en');
    for (const name of [
      'holding_words',
      'reassurance',
      'filler',
      'silence_first',
      'silence_goodbye',
    ] as const) {
      expect(book.render(name, {}, { channel: 'voice' })).not.toMatch(/[*_#`\n]|\bAI\b/);
    }
  });

  it('tell the model a customer number is unproven until it is verified', () => {
    const book = loadPrompts(SHIPPED, 'en');
    const values = Object.fromEntries(PROMPT_VARIABLES.system.map((name) => [name, 'x'])) as never as Record<
      (typeof PROMPT_VARIABLES.system)[number],
      string
    >;
    const phone = '+351910000001';
    expect(book.render('system', { ...values, customer_phone: phone, phone_verified: '' })).toMatch(
      /not verified/,
    );
    expect(book.render('system', { ...values, customer_phone: phone, phone_verified: 'yes' })).not.toMatch(
      /not verified/,
    );
    expect(book.render('system', { ...values, customer_phone: '' })).toMatch(/record_phone_number/);
  });
});

describe('the prompt loader', () => {
  it('names file, variable and remedy of an undeclared variable', () => {
    const folder = setup({ 'en/filler.md': '---\nabout: a\naudience: customer\n---\nWait, {{nmae}}.\n' });
    expect(problemsOf(folder)).toEqual([
      `${join(folder, 'en/filler.md')}: variables.nmae: used in the text but not declared; declare it or remove {{nmae}}`,
    ]);
  });

  it('refuses a declared variable that is never used', () => {
    const folder = setup({
      'en/goodbye.md': '---\nabout: a\naudience: customer\nvariables:\n  business_name: x\n---\nBye.\n',
    });
    expect(problemsOf(folder)).toEqual([
      expect.stringMatching(/goodbye\.md: variables\.business_name: declared but never used/),
    ]);
  });

  it('refuses a variable that the runtime does not fill, and says which it fills', () => {
    const folder = setup({ 'en/goodbye.md': simple(['shop_name']) });
    expect(problemsOf(folder)).toEqual([
      expect.stringMatching(
        /goodbye\.md: variables\.shop_name: the runtime does not fill it; it fills business_name/,
      ),
    ]);
  });

  it('reports the problems of all files together, a missing file among them', () => {
    const folder = setup({
      'en/filler.md': 'no front matter',
      'en/goodbye.md': '---\nabout: [\n---\nBye\n',
      'en/greeting.md': '---\naudience: nobody\n---\n{{#a}}\n',
      'en/wrap_up.md': null,
    });
    const found = problemsOf(folder).join('\n');
    expect(found).toMatch(/filler\.md: front matter: missing/);
    expect(found).toMatch(/goodbye\.md: front matter: is not YAML/);
    expect(found).toMatch(/greeting\.md: about:/);
    expect(found).toMatch(/greeting\.md: audience:/);
    expect(found).toMatch(/wrap_up\.md: missing; add the file/);
  });

  it('refuses an empty wording and a part for an unknown channel', () => {
    const head = '---\nabout: a\naudience: customer\nby_channel: true\n---\n';
    const folder = setup({
      'en/filler.md': `${head}# chat\none\n\n***\n\n# voice\ntwo\n`,
      'en/reassurance.md': `${head}# chat\none\n# fax\ntwo\n`,
    });
    const found = problemsOf(folder).join('\n');
    expect(found).toMatch(/filler\.md: text: chat: a wording is empty/);
    expect(found).toMatch(/reassurance\.md: text: "# fax" stands where/);
    expect(found).toMatch(/reassurance\.md: text: has no part "# voice"/);
  });

  it('says so when the folder does not exist', () => {
    expect(problemsOf('/nowhere/prompts')).toContainEqual(
      expect.stringMatching(/nowhere.*not a folder that can be read/),
    );
  });

  it('reads what another part names, without knowing it', () => {
    const folder = setup({ 'en/extra.md': simple(['turns'], 'model', 'Score:') });
    expect(loadPrompts(folder, 'en').renderOther('extra', { turns: 'hi' })).toBe('Score: hi');
    expect(() => loadPrompts(folder, 'en').renderOther('nothing', {})).toThrow(/no prompt "nothing"/);
  });
});

describe('a language folder', () => {
  it('must hold all words for customers, and takes those for the model from English', () => {
    const folder = setup({
      'en/wrap_up.md': simple(PROMPT_VARIABLES.wrap_up, 'model', 'File'),
      'de/filler.md': simple([]),
    });
    const found = problemsOf(folder).join('\n');
    expect(found).toMatch(/de\/goodbye\.md: missing/);
    expect(found).not.toMatch(/wrap_up/);
  });

  it('serves its regional tags; an unknown language gets English and is told', () => {
    const german: Record<string, string> = {};
    for (const [name, variables] of Object.entries(PROMPT_VARIABLES)) {
      german[`de/${name}.md`] = simple(variables, 'customer', 'Deutsch');
    }
    const library = loadPromptLibrary(setup(german));
    expect(library.forLanguage('de-AT')).toMatchObject({ exact: true, book: { language: 'de' } });
    expect(library.forLanguage('de-AT').book.render('filler', {})).toBe('Deutsch');
    expect(library.forLanguage('pt')).toMatchObject({ exact: false, book: { language: 'en' } });
  });
});
