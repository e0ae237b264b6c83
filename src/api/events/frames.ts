/**
 * One server-sent event. JSON has no line breaks of its own, so whatever was said stays within its line: no text can
 * end the event or begin another.
 */
export function eventFrame(name: string, data: unknown, id?: string): Buffer {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return Buffer.from(`${head}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** A comment: nothing for a client, but bytes for every proxy that would close a silent connection. */
export const HEARTBEAT = Buffer.from(': \n\n');

/** How long a browser's own client waits before it comes back. */
export const RETRY = Buffer.from('retry: 2000\n\n');
