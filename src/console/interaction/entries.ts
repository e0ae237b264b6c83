import type { Call, Message } from './conversation.ts';

export type Entry =
  | { readonly kind: 'message'; readonly key: string; readonly message: Message }
  | { readonly kind: 'call'; readonly key: string; readonly call: Call };

/** Tool calls where they were asked for; the order of what was said is never changed. */
export function mergeEntries(messages: readonly Message[], calls: readonly Call[]): Entry[] {
  const entries: Entry[] = [];
  const waiting = [...calls];
  for (const message of messages) {
    while (waiting[0] && Date.parse(waiting[0].requested_at) < message.atMs) {
      const call = waiting.shift();
      if (call) entries.push({ kind: 'call', key: `call ${call.call_id}`, call });
    }
    entries.push({ kind: 'message', key: `message ${message.itemId}`, message });
  }
  for (const call of waiting) entries.push({ kind: 'call', key: `call ${call.call_id}`, call });
  return entries;
}
