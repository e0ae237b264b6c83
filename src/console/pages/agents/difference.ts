import { type DiffLine, diffLines, foldUnchanged } from '../../../domain/line-diff.ts';

const CONTEXT_LINES = 2;
/** In the order in which a person looks. Everything else of a definition follows. */
const FIRST = ['name', 'language', 'public', 'max_concurrent_interactions', 'greeting', 'system_prompt'];
/** Changed by other means than the form, and named there. */
const HIDDEN = new Set(['slug', 'agent_type']);

function render(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null, null, 2);
  return text.includes('\n') ? `${name}:\n${text}` : `${name}: ${text}`;
}

/** A definition as lines, each setting on its own and each tool by its name. */
export function definitionText(definition: Readonly<Record<string, unknown>>): string {
  const names = [...new Set([...FIRST, ...Object.keys(definition).sort()])];
  return names
    .filter((name) => name in definition && !HIDDEN.has(name))
    .map((name) => render(name, definition[name]))
    .join('\n');
}

/** What turns one into the other, folded to what differs. */
export function differenceOf(
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, unknown>>,
): DiffLine[] {
  const lines = diffLines(definitionText(from), definitionText(to));
  return lines.some(({ mark }) => mark !== ' ') ? foldUnchanged(lines, CONTEXT_LINES) : [];
}
