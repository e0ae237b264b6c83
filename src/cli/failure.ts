import { isFloorwalkerError } from '../errors.ts';

/** What a person at a terminal reads when a command fails: what, the code, and what to do. */
export function failureText(error: unknown): string {
  if (isFloorwalkerError(error)) {
    return `floorwalker: ${error.message} [${error.code}]\n  → ${error.remedy}\n`;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `floorwalker: something unexpected failed [internal]\n${stack}\n`;
}
