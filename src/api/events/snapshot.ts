/** A `pg_snapshot`: which transactions had been committed at one moment. */
export interface Snapshot {
  readonly text: string;
  readonly xmax: bigint;
  /** Those that were still open, of those below `xmax`. */
  readonly open: ReadonlySet<bigint>;
}

const NUMBER = '[1-9][0-9]{0,18}';
const FORM = new RegExp(`^(${NUMBER}):(${NUMBER}):((?:${NUMBER}(?:,${NUMBER})*)?)$`);

/** Undefined for what PostgreSQL would not have written, and would refuse to read. */
export function parseSnapshot(text: string): Snapshot | undefined {
  const [, min = '', max = '', list = ''] = FORM.exec(text) ?? [];
  if (min === '') return undefined;
  const [xmin, xmax] = [BigInt(min), BigInt(max)];
  const open = list === '' ? [] : list.split(',').map(BigInt);
  if (xmin > xmax) return undefined;
  let last = xmin - 1n;
  for (const xid of open) {
    if (xid <= last || xid >= xmax) return undefined;
    last = xid;
  }
  return { text, xmax, open: new Set(open) };
}

/** Whether this transaction's work was to be seen at that moment. */
export function sees(snapshot: Snapshot, xid: bigint): boolean {
  return xid < snapshot.xmax && !snapshot.open.has(xid);
}

/** Whether everything that the older one saw is seen by this one. */
export function covers(snapshot: Snapshot, older: Snapshot): boolean {
  if (snapshot.xmax < older.xmax) return false;
  for (const xid of snapshot.open) if (sees(older, xid)) return false;
  return true;
}
