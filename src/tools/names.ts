import { createHash } from 'node:crypto';

/** Tools of the runtime itself; no row and no server may bring one of these names or one that reads like it. */
export const BUILT_IN_TOOLS = [
  'record_phone_number',
  'request_supervisor',
  'request_callback',
  'end_interaction',
  'withdraw_request',
  'answer_question',
  'decline_question',
] as const;

/** What OpenAI-compatible models accept as a function name. */
const VALID_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const LOOKALIKES: Record<string, string> = {
  '0': 'o',
  '1': 'l',
  i: 'l',
  '5': 's',
  '3': 'e',
  '4': 'a',
  '7': 't',
};

function skeleton(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replaceAll('vv', 'w')
    .replaceAll('rn', 'm')
    .replace(/[01i5347]/g, (character) => LOOKALIKES[character] ?? character);
}

const BUILT_IN_SKELETONS = new Set(BUILT_IN_TOOLS.map(skeleton));

/** Why a model can't be given this name, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (!VALID_NAME.test(name)) return 'the name must be 1 to 64 letters, digits, underscores or hyphens';
  if (BUILT_IN_SKELETONS.has(skeleton(name))) return 'the name is one of the built-in tools, or imitates one';
  return undefined;
}

/** `<tool_name>_<tool>` in the letters a model accepts; a name that is too long keeps a hash, so two stay two. */
export function expandedName(rowName: string, toolName: string): string {
  const name = `${rowName}_${toolName}`.replace(/[^a-zA-Z0-9_-]/g, '_');
  if (name.length <= 64) return name;
  const hash = createHash('sha256').update(toolName).digest('hex').slice(0, 8);
  return `${name.slice(0, 55)}_${hash}`;
}
