import { Room, type RoomOptions } from '@livekit/rtc-node';
import { z } from 'zod';
import { TOPIC_CHAT } from '../domain/identities.ts';

/** As much of an event of LiveKit's native client as says whom it concerns. */
interface NativeEvent {
  readonly message: {
    readonly case?: string | undefined;
    readonly value?: {
      readonly roomHandle?: bigint;
      readonly message?: { readonly case?: string | undefined };
    };
  };
}

/** A stream that somebody has opened, as far as it says who and what for. */
const openedSchema = z.object({
  case: z.enum(['byteStreamOpened', 'textStreamOpened']),
  value: z.object({
    participantIdentity: z.string(),
    reader: z.object({ info: z.object({ topic: z.string() }) }),
  }),
});

/**
 * A room for processes that are in many of them.
 *
 * LiveKit's client tells each event of the process to all of its rooms, and each takes it through a queue of promises
 * before it sees that it is another's: with n rooms, n² times. This one looks first. What comes before it knows its own
 * handle it has to keep, as the client itself does.
 */
export class OwnEventsRoom extends Room {
  /** Told who opens a stream that is for nobody here: the client drops it without a word, but not without work. */
  onStrayStream: ((identity: string) => void) | undefined;

  constructor() {
    super();
    // Both are private to the client's class. Another version of it may deliver otherwise: then all goes as it goes there.
    const deliver: unknown = Reflect.get(this, 'onFfiEvent');
    if (typeof deliver !== 'function') return;
    const handle = (): unknown => Reflect.get(this, 'ffiHandle')?.handle;
    const deliverOwn = (event: NativeEvent): unknown => {
      if (!concernsRoom(event, handle)) return undefined;
      const stray = this.onStrayStream && sendsStray(event);
      if (stray) this.onStrayStream?.(stray);
      return deliver(event);
    };
    Reflect.set(this, 'onFfiEvent', deliverOwn);
  }

  /**
   * Over two peer connections. The client's own choice, one for both directions, takes twice the processor time to join a
   * chat (measured with 30 at once: 6.5 s of a core against 4.1 s, and the first words only when all had joined).
   */
  override connect(
    url: string,
    token: string,
    options: RoomOptions = { autoSubscribe: true, dynacast: false },
  ): Promise<void> {
    // The native client knows this option, and the Node package hands on what it does not name.
    const twoConnections = { ...options, singlePeerConnection: false };
    return super.connect(url, token, twoConnections);
  }
}

/** @returns whose it is; undefined for all other events, which are many */
function sendsStray({ message }: NativeEvent): string | undefined {
  const kind = message.value?.message?.case;
  if (kind !== 'byteStreamOpened' && kind !== 'textStreamOpened') return;
  const opened = openedSchema.safeParse(message.value?.message).data;
  if (!opened || (opened.case === 'textStreamOpened' && opened.value.reader.info.topic === TOPIC_CHAT))
    return;
  return opened.value.participantIdentity;
}

/**
 * @param handle asks for that of the room, which is undefined until it is connected. Most events are no room's, and each is
 *   told to all rooms: whatever can be seen without it is seen first.
 */
export function concernsRoom({ message }: NativeEvent, handle: () => unknown): boolean {
  if (message.case !== 'roomEvent') return message.case === 'rpcMethodInvocation';
  const own = handle();
  return own === undefined || message.value?.roomHandle === own;
}
