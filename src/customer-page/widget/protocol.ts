/**
 * What the shop's page and the frame say to each other. Each side names the other's exact origin and takes
 * messages from that window and that origin alone; nothing of the conversation is ever among them.
 */
export type FromFrame =
  | { readonly floorwalker: 'ready' }
  | { readonly floorwalker: 'close' }
  /** Whether a conversation is going on, and how many lines came while the frame was closed. */
  | { readonly floorwalker: 'state'; readonly talking: boolean; readonly unread: number };

/** `focus`: a person opened it, so the keyboard belongs in it. */
export type FromShop =
  | { readonly floorwalker: 'shown'; readonly focus: boolean }
  | { readonly floorwalker: 'hidden' };

function kind(data: unknown): unknown {
  return typeof data === 'object' && data !== null && 'floorwalker' in data ? data.floorwalker : undefined;
}

export function readFromFrame(data: unknown): FromFrame | undefined {
  const what = kind(data);
  if (what === 'ready' || what === 'close') return { floorwalker: what };
  if (what !== 'state' || typeof data !== 'object' || data === null) return undefined;
  const { talking, unread } = data as { talking?: unknown; unread?: unknown };
  if (typeof talking !== 'boolean' || typeof unread !== 'number' || !Number.isInteger(unread))
    return undefined;
  return { floorwalker: 'state', talking, unread: Math.max(0, unread) };
}

export function readFromShop(data: unknown): FromShop | undefined {
  const what = kind(data);
  if (what === 'hidden') return { floorwalker: 'hidden' };
  if (what !== 'shown') return undefined;
  return { floorwalker: 'shown', focus: (data as { focus?: unknown }).focus === true };
}
