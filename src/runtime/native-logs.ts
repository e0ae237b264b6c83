import { readFileSync } from 'node:fs';
import { FfiEvent, livekitInitialize } from '@livekit/rtc-ffi-bindings';
import { AudioResampler } from '@livekit/rtc-node';
import { z } from 'zod';

const packageSchema = z.object({ version: z.string() });

/** What LiveKit's client has made for the whole process: its native half's events go to everybody who listens to it. */
const clientSchema = z.custom<{ emit(name: 'ffi_event', event: FfiEvent): unknown }>(
  (value) => typeof value === 'object' && value !== null && 'emit' in value,
);

/**
 * Keeps the native half of LiveKit's client from telling each line of its log to this one, which drops them: 3,400 for a
 * chat from its beginning to its end, down to each frame of its connections, each decoded and told to every room of the
 * process. Its own logger writes to the standard error stream what it is asked for. Calling it again does no harm.
 *
 * @param filter of that logger, as Rust's `env_logger` reads it: `off`, `error`, `livekit=debug`
 */
export function dropNativeLogs(filter: string): void {
  // Where it looks, once, when it begins.
  process.env.RUST_LOG = filter;
  // The client is made with the first thing that needs it.
  new AudioResampler(48_000, 24_000).close();
  const client = clientSchema.safeParse(Reflect.get(globalThis, '_ffiClientInstance')).data;
  // Another version of the client, which keeps it elsewhere: then all goes as it goes there.
  if (!client) return;
  const file = new URL('../package.json', import.meta.resolve('@livekit/rtc-node'));
  const { version } = packageSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  livekitInitialize((data) => client.emit('ffi_event', FfiEvent.fromBinary(data)), false, version);
}
