import { ParticipantKind, type RemoteParticipant, type Room, RoomEvent } from '@livekit/rtc-node';
import { setPhoneNumber } from '../database/interactions.ts';
import { roomName } from '../domain/identities.ts';
import type { Claim } from '../session/claim.ts';
import { within } from '../session/clock.ts';
import type { ProcessServices } from './process-services.ts';

const CUSTOMER_KINDS: ReadonlySet<ParticipantKind> = new Set([ParticipantKind.STANDARD, ParticipantKind.SIP]);
const E164 = /^\+[1-9]\d{6,14}$/;

/**
 * The claim with the customer's identity. Rooms of ours have it in the token; in a room of somebody else's
 * making (a telephone call, an own front end) it is whoever is or comes there first.
 *
 * The number of a caller counts as known only from a SIP participant, whose attributes the network sets.
 */
export async function findCustomer(claim: Claim, room: Room, services: ProcessServices): Promise<Claim> {
  if (claim.room === roomName(claim.interactionId)) return claim;
  const { clock, config, db } = services;
  const customer = await within(clock, config.figures.joinTimeoutMs, firstCustomer(room));
  // Nobody came: the session finds the same and ends the interaction.
  if (!customer) return claim;
  const found = { ...claim, customerIdentity: customer.identity };
  const phoneNumber = customer.attributes['sip.phoneNumber'];
  if (customer.info.kind !== ParticipantKind.SIP || !phoneNumber || !E164.test(phoneNumber)) return found;
  const stored = await setPhoneNumber(db, { ...claim, phoneNumber, source: 'sip' });
  return { ...found, phoneNumber, phoneSource: 'sip', customerId: stored.customer_id };
}

function firstCustomer(room: Room): Promise<RemoteParticipant> {
  const present = [...room.remoteParticipants.values()].find(isCustomer);
  if (present) return Promise.resolve(present);
  return new Promise((resolve) => {
    const onConnected = (participant: RemoteParticipant): void => {
      if (!isCustomer(participant)) return;
      room.off(RoomEvent.ParticipantConnected, onConnected);
      resolve(participant);
    };
    room.on(RoomEvent.ParticipantConnected, onConnected);
  });
}

function isCustomer(participant: RemoteParticipant): boolean {
  return CUSTOMER_KINDS.has(participant.info.kind ?? ParticipantKind.STANDARD);
}
