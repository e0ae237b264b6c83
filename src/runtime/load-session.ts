import type { Room } from '@livekit/rtc-node';
import type { AgentIdentity } from '../domain/identities.ts';
import { InteractionSession } from '../session/interaction-session.ts';
import { loadClaim } from './claim-loader.ts';
import { findCustomer } from './customer.ts';
import type { ProcessServices } from './process-services.ts';

/**
 * A session for a claimed interaction, ready to start: the one way to it, whether it has a process for itself or
 * shares one.
 *
 * @param connected settles when `room` is connected.
 * @throws FloorwalkerError `stale_generation`, and whatever `connected` rejects with
 */
export async function loadSessionFor(
  key: AgentIdentity,
  room: Room,
  connected: Promise<unknown>,
  services: ProcessServices,
): Promise<InteractionSession> {
  const [claim] = await Promise.all([loadClaim(services.db, key), connected]);
  return new InteractionSession(await findCustomer(claim, room, services), room, services);
}
