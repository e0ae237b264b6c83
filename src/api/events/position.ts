import { parseSnapshot, type Snapshot, sees } from './snapshot.ts';

/**
 * Up to where a listener has been told: everything that `from` sees and, of the window between `from` and `to`, what
 * has a number up to `id`. It says what was sent, never what may be: who may see what is decided anew each time, so
 * that a position that somebody made up gives them nothing they could not have had.
 */
export interface Position {
  readonly epoch: string;
  readonly from: Snapshot;
  readonly window?: { readonly to: Snapshot; readonly id: number };
}

const EPOCH = /^[0-9a-f]{8}$/;
const ID = /^[1-9][0-9]{0,15}$/;
const LONGEST = 8_192;

/** The `id` of an event; opaque to clients, and good at every process of the API. */
export function encodePosition({ epoch, from, window }: Position): string {
  const end = window === undefined ? '' : `.${window.to.text}.${window.id}`;
  return `${epoch}.${from.text}${end}`;
}

/** Undefined for what no API has given out. */
export function decodePosition(text: string): Position | undefined {
  if (text.length > LONGEST) return undefined;
  const [epoch = '', fromText = '', toText, idText, ...rest] = text.split('.');
  const from = parseSnapshot(fromText);
  if (!EPOCH.test(epoch) || from === undefined || rest.length > 0) return undefined;
  if (toText === undefined) return { epoch, from };
  const to = parseSnapshot(toText);
  if (to === undefined || idText === undefined || !ID.test(idText)) return undefined;
  return { epoch, from, window: { to, id: Number(idText) } };
}

export function hasSeen({ from, window }: Position, change: { xid: bigint; id: number }): boolean {
  if (sees(from, change.xid)) return true;
  return window !== undefined && change.id <= window.id && sees(window.to, change.xid);
}
