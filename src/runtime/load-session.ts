import type { Room } from '@livekit/rtc-node';
import type { AgentIdentity } from '../domain/identities.ts';
import { InteractionSession } from '../session/interaction-session.ts';
import { TextInbox } from '../session/text-inbox.ts';
import { loadClaim } from './claim-loader.ts';
import { findCustomer } from './customer.ts';
import type { ProcessServices } from './process-services.ts';

/**
 * A session for a claimed interaction, ready to start: the one way to it, whether it has a process for itself or
 * shares one.
 *
 * @param connect connects `room`.
 * @throws FloorwalkerError `stale_generation`, and whatever `connect` rejects with
 */
export async function loadSessionFor(
  key: AgentIdentity,
  room: Room,
  connect: () => Promise<unknown>,
  services: ProcessServices,
): Promise<InteractionSession> {
  const inbox = new TextInbox(room);
  let letGo = (): void => {};
  const loaded = loadClaim(services.db, key, services.config).then((claim) => {
    // The room may be busy with others, and in one of somebody else's making the customer may be waited for longer
    // than a lease lasts.
    letGo = services.leases.keep(claim, { onPolled: () => {}, onLost: () => {} });
    return claim;
  });
  try {
    const [claim] = await Promise.all([loaded, connect()]);
    return new InteractionSession(await findCustomer(claim, room, services), room, inbox, services);
  } finally {
    await loaded.catch(() => {});
    letGo();
  }
}
